"""A crowd whose quality is known: careful people, careless ones, and some who do not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Span

Spans = tuple[Span, ...]
WORD = 5
"""Code points of a word with its space, in texts that nobody has to see."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's errors.

    Chances per mention to miss it, to bound it wrongly and to mislabel it; how many mentions a text
    are made up. ``reads`` is false for somebody who marks without looking.
    """

    miss: float
    bounds: float
    label: float
    made_up: float
    reads: bool = True

    @classmethod
    def of_quality(cls, f1: float) -> Person:
        """Somebody whose errors come to about that F1."""
        error = 1 - f1
        return cls(0.6 * error, 0.3 * error, 0.2 * error, 0.4 * error)


SPAMMER = Person(0, 0, 0, 0, reads=False)
IDLE = Person(1, 0, 0, 0)
"""Submits every text empty."""


@dataclass(frozen=True, slots=True)
class SimulatedCrowd:
    """Gold of each text, and what each person made of the texts they were given."""

    gold: list[Spans]
    marked: list[dict[str, Spans]]


def simulated_crowd(
    people: Sequence[Person],
    labels: Sequence[str],
    rng: np.random.Generator,
    *,
    texts: int = 300,
    each: int = 3,
) -> SimulatedCrowd:
    """Draw texts of 20 words with up to four mentions; ``each`` of the people label a text."""
    gold = [_gold(labels, rng) for _ in range(texts)]
    marked = []
    for spans in gold:
        chosen = rng.permutation(len(people))[:each]
        marked.append(
            {f"p{who:02}": _read(people[who], spans, labels, rng) for who in sorted(chosen)}
        )
    return SimulatedCrowd(gold, marked)


def _gold(labels: Sequence[str], rng: np.random.Generator) -> Spans:
    spans = []
    for slot in rng.permutation(4)[: rng.integers(0, 5)]:
        first = 5 * int(slot) + int(rng.integers(0, 2))
        words = int(rng.integers(1, 4))
        spans.append(_span(first, words, str(rng.choice(list(labels)))))
    return tuple(sorted(spans))


def _span(first: int, words: int, label: str) -> Span:
    return Span(WORD * first, WORD * (first + words) - 1, label)


def _read(person: Person, gold: Spans, labels: Sequence[str], rng: np.random.Generator) -> Spans:
    if not person.reads:
        return _gold(labels, rng)
    found = []
    for span in gold:
        if rng.random() < person.miss:
            continue
        first, words = span.start // WORD, (span.end + 1 - span.start) // WORD
        if rng.random() < person.bounds:
            words = words - 1 if words > 1 and rng.random() < 0.5 else words + 1
        label = span.label
        if rng.random() < person.label:
            label = str(rng.choice([other for other in labels if other != label] or [label]))
        found.append(_span(first, words, label))
    for _ in range(rng.poisson(person.made_up)):
        invented = _span(int(rng.integers(0, 19)), 1, str(rng.choice(list(labels))))
        if not any(invented.overlaps(span) for span in found):
            found.append(invented)
    return tuple(sorted(found))
