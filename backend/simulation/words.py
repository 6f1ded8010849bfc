"""Words as recorded annotators see them: what the bounds of a mention move by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

from backend.domain import Span

WORD = regex.compile(r"[\p{L}\p{N}](?:\S*[\p{L}\p{N}\p{M}])?|\S")
"""A word, or a sign at the edge of one; the same in joined tokens and in raw text."""


def words_of(text: str) -> list[Span]:
    """Where the words and signs of a text are, as spans without a label."""
    return [Span(*match.span(), "") for match in WORD.finditer(text)]


def places_of(words: Sequence[Span], span: Span) -> list[int]:
    """Positions of the words that a span meets, in order."""
    return [position for position, word in enumerate(words) if word.overlaps(span)]


def free_words(text: str, words: Sequence[Span], taken: Iterable[Span]) -> list[tuple[bool, int]]:
    """Whether it is capitalised inside the text, and its position, for each word outside spans."""
    covered = {position for span in taken for position in places_of(words, span)}
    return [
        (position > 0 and _is_capitalised(text[word.start : word.end]), position)
        for position, word in enumerate(words)
        if position not in covered
    ]


def _is_capitalised(word: str) -> bool:
    return word != word.lower()
