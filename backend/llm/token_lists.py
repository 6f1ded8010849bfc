"""Answers that label every token: ``[[token, label], ...]``, for one text or for several.

The format of Kholodna et al. (2024), whose models were asked to give each token back. Reading is
forgiving, see :mod:`backend.llm.json_repair` and :mod:`backend.llm.token_items`; then the tokens
are aligned with the text's own, so that a wrong count loses a token and not the answer. A token
of the text that the model gave no label stays outside of every span.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain import LabelScheme
from backend.llm.json_repair import lenient_lists
from backend.llm.parsing import LONGEST_ANSWER, SHOWN, InvalidAnswer, json_values
from backend.llm.token_items import DEEPEST, LabelledToken, labelled_tokens, tagged_words
from backend.llm.token_labels import Labelling, Repair, TokenLabels
from backend.text.bio import OUTSIDE
from backend.text.token_alignment import Link, align_sequences

LEAST_LABELLED = 0.5
"""Share of a text's tokens that an answer has to label; of less, nobody knows what it is about."""


@dataclass(frozen=True, slots=True)
class TokenLists:
    """The lists in an answer, one for each text; whether they had to be looked for.

    ``mended`` answers are not JSON as they stand: broken, or with prose or a fence around.
    """

    lists: tuple[list[Any], ...]
    mended: bool = False


def parse_token_lists(raw: str) -> TokenLists | InvalidAnswer:
    """The token lists in an answer, in order. Takes any string and never raises."""
    if len(raw) > LONGEST_ANSWER:
        return InvalidAnswer(f"the answer is longer than {LONGEST_ANSWER} characters")
    try:
        whole = json.loads(raw)
    except (ValueError, RecursionError):
        pass
    else:
        return token_lists_in(whole)
    sound = [items for value in json_values(raw) for items in _lists(value) if items]
    mended = lenient_lists(raw)
    # Sound JSON inside prose or a fence is read as JSON, unless more can be made of the whole.
    best = sound if _pairs_in(sound) >= _pairs_in(mended) else mended
    if not best and (words := tagged_words(raw)):
        best = [words]
    if not best:
        return InvalidAnswer(f"no list of tokens in the answer, which begins: {raw[:SHOWN]!r}")
    return TokenLists(tuple(best), mended=True)


def token_lists_in(value: Any) -> TokenLists | InvalidAnswer:
    """The token lists in an answer that is already a JSON value. Never raises."""
    found = tuple(_lists(value))
    if not found:
        return InvalidAnswer("no list of tokens in the answer")
    return TokenLists(found)


def align_token_lists(
    answer: TokenLists | InvalidAnswer, sources: Sequence[Sequence[str]], scheme: LabelScheme
) -> list[TokenLabels]:
    """What an answer says of each of the texts that were asked about, given as their tokens.

    As many lists as texts belong to them in order. Any other number: each text has the list that
    labels most of it, so that a list that is there twice or not at all costs its own text only.
    """
    if isinstance(answer, InvalidAnswer):
        return [_nothing(source, answer.reason) for source in sources]
    if len(answer.lists) == len(sources):
        aligned = [
            align_tokens(items, source, scheme)
            for items, source in zip(answer.lists, sources, strict=True)
        ]
    if len(answer.lists) != len(sources) or all(labels.reason for labels in aligned):
        aligned = [_best(answer.lists, source, scheme) for source in sources]
    if not answer.mended:
        return aligned
    return [_also(labels, Repair.SYNTAX) for labels in aligned]


def align_tokens(
    answer_items: Sequence[Any], source_tokens: Sequence[str], scheme: LabelScheme
) -> TokenLabels:
    """Give the labels of an answer's items to the tokens of the text. Never raises.

    A token of the text gets the label of the given token it is linked to (see
    :func:`backend.text.token_alignment.align_sequences`), ``O`` if there is none or its label is
    none of the scheme's. Tokens that were merged into one share its label. An answer that labels
    less than ``LEAST_LABELLED`` of the tokens is rejected.
    """
    if not source_tokens:
        return TokenLabels(())
    given = labelled_tokens(answer_items, source_tokens)
    if not given:
        return _nothing(source_tokens, "the list is empty")
    links = align_sequences([item.token for item in given], source_tokens)
    if links is None:
        return _nothing(source_tokens, f"{len(given)} tokens are too many to compare")
    labelled = sum(link.stop - link.start for link in links if _has_label(given, link))
    if labelled < LEAST_LABELLED * len(source_tokens):
        return _nothing(
            source_tokens, f"labels only {labelled} of the text's {len(source_tokens)} tokens"
        )
    return Labelling(given, source_tokens, scheme).along(links)


def _lists(value: Any, depth: int = 0) -> Iterator[list[Any]]:
    """Every list of items in a JSON value, outermost first."""
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        nested = [inner for inner in value.values() if isinstance(inner, list | dict)]
        for inner in nested:
            yield from _lists(inner, depth + 1)
        if value and not nested:
            yield [value]
    elif isinstance(value, list):
        if value and all(_holds_lists(inner) for inner in value):
            for inner in value:
                yield from _lists(inner, depth + 1)
        else:
            yield value


def _holds_lists(value: Any) -> bool:
    """Whether a value is itself a list of items, or an object around one."""
    if isinstance(value, dict):
        return any(isinstance(inner, list | dict) for inner in value.values())
    return isinstance(value, list) and bool(value) and all(isinstance(v, list) for v in value)


def _pairs_in(lists: Sequence[list[Any]]) -> int:
    return sum(isinstance(item, list) and len(item) == 2 for items in lists for item in items)


def _has_label(given: Sequence[LabelledToken], link: Link) -> bool:
    return any(item.label is not None for item in given[link.given_start : link.given_stop])


def _nothing(source: Sequence[str], reason: str) -> TokenLabels:
    return TokenLabels((OUTSIDE,) * len(source), reason=reason)


def _best(lists: Sequence[list[Any]], source: Sequence[str], scheme: LabelScheme) -> TokenLabels:
    """What the list says that leaves out the least of the text and needs the least repair."""
    aligned = [align_tokens(items, source, scheme) for items in lists]
    return min(
        aligned,
        key=lambda labels: (
            bool(labels.reason),
            labels.repairs.get(Repair.MISSING, 0),
            sum(labels.repairs.values()),
        ),
    )


def _also(labels: TokenLabels, repair: Repair) -> TokenLabels:
    if labels.reason:
        return labels
    repairs = {repair: 1, **labels.repairs}
    return TokenLabels(labels.tags, repairs, labels.rejected)
