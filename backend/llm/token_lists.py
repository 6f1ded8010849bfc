"""Answers that label every token: ``[[token, label], ...]``, for one text or for several.

The format of Kholodna et al. (2024), whose models were asked to give each token back. Reading is
forgiving, see :mod:`backend.llm.json_repair` and :mod:`backend.llm.token_items`; then the tokens
are aligned with the text's own, so that a wrong count loses a token and not the answer. A token
of the text that the model gave no label stays outside of every span.
"""

from __future__ import annotations

import enum
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.domain import LabelScheme, Rejection
from backend.llm.json_repair import lenient_lists
from backend.llm.parsing import LONGEST_ANSWER, SHOWN, InvalidAnswer, json_values, storable
from backend.llm.token_items import LabelledToken, labelled_tokens
from backend.text.bio import OUTSIDE, split_tag
from backend.text.labels import read_tag
from backend.text.token_alignment import Likeness, Link, align_sequences

LEAST_LABELLED = 0.5
"""Share of a text's tokens that an answer has to label; of less, nobody knows what it is about."""

DEEPEST = 20


class Repair(enum.StrEnum):
    """What had to be mended in an answer."""

    SYNTAX = "not JSON as it stands"
    SHAPE = "not a pair of token and label"
    SPELLING = "token in another normal form"
    CASE = "token in other case"
    PIECES = "token merged or split"
    ALTERED = "token altered"
    MISSING = "token missing"
    EXTRA = "token that is not in the text"
    LABEL_FORM = "label in another form"
    LABEL_UNKNOWN = "label outside the scheme"
    TAG_ORDER = "I- without B-"


_OF_LIKENESS = {
    Likeness.SPELLING: Repair.SPELLING,
    Likeness.CASE: Repair.CASE,
    Likeness.PIECES: Repair.PIECES,
    Likeness.ALTERED: Repair.ALTERED,
}


class Fate(enum.StrEnum):
    """What became of an answer."""

    EXACT = "exact"
    REPAIRED = "repaired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class TokenLists:
    """The lists in an answer, one for each text; whether they had to be looked for.

    ``mended`` answers are not JSON as they stand: broken, or with prose or a fence around.
    """

    lists: tuple[list[Any], ...]
    mended: bool = False


@dataclass(frozen=True, slots=True)
class TokenLabels:
    """What an answer says of one text.

    ``tags``: one for each token of the text, legal IOB2, all ``O`` if the answer is rejected.
    ``repairs`` counts tokens or labels by what was mended; ``rejected`` are the labels that could
    not be used; ``reason`` says why the whole answer could not, and is empty otherwise.
    """

    tags: tuple[str, ...]
    repairs: Mapping[Repair, int] = field(default_factory=dict)
    rejected: tuple[Rejection, ...] = ()
    reason: str = ""

    @property
    def fate(self) -> Fate:
        """Exact only if nothing had to be mended."""
        if self.reason:
            return Fate.REJECTED
        return Fate.REPAIRED if self.repairs else Fate.EXACT


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
    return _Labelling(given, source_tokens, scheme).along(links)


class _Labelling:
    """Labels on their way from given tokens to the text's, and what is mended on it."""

    def __init__(
        self, given: Sequence[LabelledToken], source: Sequence[str], scheme: LabelScheme
    ) -> None:
        self._given = given
        self._tags = [OUTSIDE] * len(source)
        self._scheme = scheme
        self._repairs: Counter[Repair] = Counter()
        self._rejected: list[Rejection] = []

    def along(self, links: Sequence[Link]) -> TokenLabels:
        for link in links:
            if kind := _OF_LIKENESS.get(link.likeness):
                self._repairs[kind] += 1
            self._label(link)
        linked_given = sum(link.given_stop - link.given_start for link in links)
        linked = sum(link.stop - link.start for link in links)
        self._repairs[Repair.MISSING] += len(self._tags) - linked
        self._repairs[Repair.EXTRA] += len(self._given) - linked_given
        self._repairs[Repair.SHAPE] += sum(not item.as_asked for item in self._given)
        self._make_legal()
        return TokenLabels(tuple(self._tags), +self._repairs, tuple(self._rejected))

    def _label(self, link: Link) -> None:
        pieces = self._given[link.given_start : link.given_stop]
        tags = [tag for tag in map(self._tag, pieces) if tag != OUTSIDE]
        if not tags:
            return
        if len({split_tag(tag)[1] for tag in tags}) > 1:
            words = "".join(piece.token for piece in pieces)
            self._reject(words, ", ".join(tags), "the pieces of the token have different labels")
            return
        inside = f"I-{split_tag(tags[0])[1]}"
        self._tags[link.start : link.stop] = [tags[0]] + [inside] * (link.stop - link.start - 1)

    def _tag(self, item: LabelledToken) -> str:
        """The tag that an item's label means, ``O`` for one that means none."""
        if item.label is None or item.label == OUTSIDE:
            return OUTSIDE
        tag = read_tag(item.label, self._scheme)
        if tag is None:
            self._reject(item.token, item.label, "the label is not one of the project's")
            return OUTSIDE
        if item.follows:
            return f"I-{split_tag(tag)[1]}" if tag != OUTSIDE else OUTSIDE
        self._repairs[Repair.LABEL_FORM] += tag != item.label
        return tag

    def _reject(self, token: str, label: str, reason: str) -> None:
        self._repairs[Repair.LABEL_UNKNOWN] += 1
        self._rejected.append(Rejection(storable(token), storable(label), reason))

    def _make_legal(self) -> None:
        """An ``I-X`` that no ``X`` precedes opens a span, as in the CoNLL-2000 scorer."""
        before = ""
        for at, tag in enumerate(self._tags):
            prefix, label = split_tag(tag)
            if prefix == "I" and label != before:
                self._tags[at] = f"B-{label}"
                self._repairs[Repair.TAG_ORDER] += 1
            before = label


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
