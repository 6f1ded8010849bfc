"""A stand-in for an LLM that knows the gold labels and makes the mistakes that LLMs make."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Example, Span
from backend.testing.annotators import Brain
from backend.text.spans import Mention, resolve_overlaps
from backend.text.tokens import TokenOffsets, tokenise

SURE = (0.75, 0.99)
UNSURE = (0.45, 0.95)
"""Confidence of right and of wrong mentions: too high, and only loosely related to being right."""


@dataclass(frozen=True, slots=True)
class MistakeRates:
    """Probabilities, each per gold span: missed, cut wrongly, mislabelled, one invented beside it.

    The defaults give a strict span F1 of about 0.66, near what GPT-4-Turbo reaches on
    low-resource languages.
    """

    miss: float = 0.20
    boundary: float = 0.12
    wrong_label: float = 0.08
    spurious: float = 0.15


def gold_with_errors(
    examples: Iterable[Example],
    labels: Sequence[str],
    rng_seed: int,
    rates: MistakeRates | None = None,
) -> Brain:
    """A brain that answers the texts of ``examples`` imperfectly, and finds nothing in others.

    The same text always gets the same answer.
    """
    gold = {example.text: example.spans for example in examples}
    chosen = rates or MistakeRates()

    def brain(text: str) -> list[Mention]:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        rng = np.random.default_rng([rng_seed, int.from_bytes(digest[:8], "big")])
        return _Reader(text, labels, chosen, rng).read(gold.get(text, ()))

    return brain


class _Reader:
    """Reads one text."""

    def __init__(
        self, text: str, labels: Sequence[str], rates: MistakeRates, rng: np.random.Generator
    ) -> None:
        self._text = text
        self._labels = labels
        self._rates = rates
        self._rng = rng
        self._tokens = tokenise(text)

    def read(self, gold: Sequence[Span]) -> list[Mention]:
        seen: list[Span] = []
        for span in gold:
            if not self._happens(self._rates.miss):
                seen.append(self._with_mistakes(span))
            if self._happens(self._rates.spurious) and (invented := self._invented(gold)):
                seen.append(invented)
        kept, _ = resolve_overlaps(seen)
        return [self._mention(span, right=span in gold) for span in kept]

    def _with_mistakes(self, span: Span) -> Span:
        start, end, label = span.start, span.end, span.label
        if self._happens(self._rates.boundary):
            start, end = self._other_bounds(start, end)
        others = [other for other in self._labels if other != label]
        if others and self._happens(self._rates.wrong_label):
            label = str(self._rng.choice(others))
        return Span(start, end, label)

    def _other_bounds(self, start: int, end: int) -> TokenOffsets:
        """One token less where the span has several, else one more."""
        inside = [token for token in self._tokens if start <= token[0] and token[1] <= end]
        if len(inside) > 1:
            return (inside[1][0], end) if self._happens(0.5) else (start, inside[-2][1])
        after = [token for token in self._tokens if token[0] >= end]
        before = [token for token in self._tokens if token[1] <= start]
        if after:
            return start, after[0][1]
        return (before[-1][0], end) if before else (start, end)

    def _invented(self, gold: Sequence[Span]) -> Span | None:
        """A capitalised word, or failing that any, that is no part of a gold span."""
        free = [
            (start, end)
            for start, end in self._tokens
            if self._text[start].isalpha()
            and not any(span.start < end and start < span.end for span in gold)
        ]
        candidates = [token for token in free if self._text[token[0]].isupper()] or free
        if not candidates:
            return None
        start, end = candidates[int(self._rng.integers(len(candidates)))]
        return Span(start, end, str(self._rng.choice(list(self._labels))))

    def _mention(self, span: Span, *, right: bool) -> Mention:
        words = self._text[span.start : span.end]
        confidence = round(float(self._rng.uniform(*(SURE if right else UNSURE))), 2)
        return Mention(words, span.label, self._occurrence(words, span.start), confidence)

    def _occurrence(self, words: str, start: int) -> int:
        """Which time it is that ``words`` stand on their own."""
        ends = {end for _, end in self._tokens}
        places = [
            first
            for first, _ in self._tokens
            if first + len(words) in ends and self._text.startswith(words, first)
        ]
        return sum(first < start for first in places) + 1

    def _happens(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)
