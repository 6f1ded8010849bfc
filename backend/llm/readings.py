"""The two kinds of answer that prompts ask for, read into spans of the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.domain import LabelScheme, Rejection
from backend.llm.parsing import InvalidAnswer, parse_answer
from backend.llm.token_lists import align_token_lists, parse_token_lists
from backend.text.bio import from_bio
from backend.text.spans import Alignment, align
from backend.text.tokens import TokenOffsets


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says of its text: spans, what could not be used, how sure it is of all."""

    alignment: Alignment
    rejected: tuple[Rejection, ...] = ()
    confidence: float | None = None


Reader = Callable[[str, str, LabelScheme], Reading | InvalidAnswer]
"""From an answer, the text it is about and the labels; takes any answer and never raises."""


def read_mentions(answer: str, text: str, scheme: LabelScheme) -> Reading | InvalidAnswer:
    """Read an answer that lists mentions."""
    parsed = parse_answer(answer)
    if isinstance(parsed, InvalidAnswer):
        return parsed
    alignment = align(text, parsed.mentions, scheme)
    return Reading(alignment, parsed.malformed + alignment.rejected, parsed.confidence)


def read_token_labels(answer: str, text: str, scheme: LabelScheme) -> Reading | InvalidAnswer:
    """Read an answer that gives every token of the text a BIO tag."""
    tokens = token_offsets(text)
    words = [text[start:end] for start, end in tokens]
    labels = align_token_lists(parse_token_lists(answer), [words], scheme)[0]
    if labels.reason:
        return InvalidAnswer(labels.reason)
    spans = tuple(from_bio(tokens, labels.tags))
    repaired = sum(labels.repairs.values())
    return Reading(Alignment(spans, repaired, labels.rejected), labels.rejected)


def token_offsets(text: str) -> list[TokenOffsets]:
    """Where the tokens are that ``text.split()`` gives: those of a corpus joined by spaces."""
    offsets: list[TokenOffsets] = []
    position = 0
    for token in text.split():
        start = text.index(token, position)
        position = start + len(token)
        offsets.append((start, position))
    return offsets
