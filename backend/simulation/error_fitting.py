"""An annotator's error model from its answers to texts with gold labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from backend.domain import Span
from backend.errors import InputError
from backend.simulation.error_model import (
    MOVED,
    RENAMED,
    ErrorModel,
    Fate,
    MadeUp,
    Observation,
)
from backend.simulation.words import free_words, places_of, words_of

_PULL = 4.0
"""Mentions that the rates over all labels count for beside those of one label."""
_SYSTEMATIC_GUESS = 0.5
_GUESS_PAIRS = 20
"""How systematic an annotator is where recordings do not tell, and the pairs that counts for."""


def fit(observations: Iterable[Observation]) -> ErrorModel:
    """The model of the annotator whose answers these are.

    Repeated answers to one text should share a weight of 1 between them. Raises
    :class:`~backend.errors.InputError` where no text with an answer holds a gold span.
    """
    tally = _Tally()
    for observation in observations:
        tally.add(observation)
    if not tally.fates:
        raise InputError(
            "There is no answer to a text with gold spans to learn an error model from. Check that "
            "the recordings hold gold tags and answers to them."
        )
    return tally.model()


class _Tally:
    """Weighted counts over the observations."""

    def __init__(self) -> None:
        self.fates: dict[str, dict[Fate, float]] = defaultdict(lambda: defaultdict(float))
        self.confusions: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.shifts: dict[tuple[int, int], float] = defaultdict(float)
        self.made_up: dict[tuple[str, bool], float] = defaultdict(float)
        self.lengths: dict[int, float] = defaultdict(float)
        self.words: dict[bool, float] = defaultdict(float)
        self.texts = self.failed = 0.0
        self._by_form: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)

    def add(self, seen: Observation) -> None:
        self.texts += seen.weight
        if seen.predicted is None:
            self.failed += seen.weight
            return
        words = words_of(seen.text)
        left = set(seen.predicted)
        for span in seen.gold:
            fate, answer = _fate(span, left)
            self.fates[span.label][fate] += seen.weight
            # The last answer stands for all to this text: repeated ones are no further evidence.
            form = seen.text[span.start : span.end].lower()
            self._by_form[form, span.label][seen.text] = float(fate == Fate.RIGHT)
            if answer is None:
                continue
            left.discard(answer)
            if fate in RENAMED:
                self.confusions[span.label][answer.label] += seen.weight
            if fate in MOVED:
                self.shifts[_shift(words, span, answer)] += seen.weight
        named = {position: capital for capital, position in free_words(seen.text, words, ())}
        for span in left:
            inside = places_of(words, span)
            capital = any(named[position] for position in inside)
            self.made_up[span.label, capital] += seen.weight
            self.lengths[len(inside)] += seen.weight
        for capital, _ in free_words(seen.text, words, seen.gold):
            self.words[capital] += seen.weight

    def model(self) -> ErrorModel:
        labels = sorted(self.fates.keys() | {label for label, _ in self.made_up})
        mentions = sum(self._mentions(label) for label in labels)
        pooled = {fate: sum(self.fates[label][fate] for label in labels) for fate in Fate}
        average = {fate: (count + 0.1) / (mentions + 0.5) for fate, count in pooled.items()}
        invented = sum(self.made_up.values())
        moved = sum(self.shifts.values())
        return ErrorModel(
            fates={
                label: {
                    fate.value: (self.fates[label][fate] + _PULL * average[fate])
                    / (self._mentions(label) + _PULL)
                    for fate in Fate
                }
                for label in labels
            },
            confusions={label: self._mistaken_for(label, labels) for label in labels},
            shifts=tuple(
                (start, end, count / moved) for (start, end), count in sorted(self.shifts.items())
            ),
            made_up=self._made_up(labels, invented),
            lengths=_shares(self.lengths),
            failed=self.failed / self.texts,
            systematic=self._systematic(average[Fate.RIGHT]),
            made_up_per_mention=invented / mentions,
            mentions=mentions,
            texts=self.texts,
        )

    def _mentions(self, label: str) -> float:
        return float(sum(self.fates[label].values()))

    def _mistaken_for(self, label: str, labels: Sequence[str]) -> dict[str, float]:
        """Other labels by how often they were given instead, towards how often they occur."""
        others = [other for other in labels if other != label]
        used = {other: self._mentions(other) + 0.5 for other in others}
        counts = {
            other: self.confusions[label][other] + used[other] / sum(used.values())
            for other in others
        }
        return {other: count / sum(counts.values()) for other, count in counts.items()}

    def _made_up(self, labels: Sequence[str], invented: float) -> dict[str, MadeUp]:
        capital = sum(count for (_, is_name), count in self.made_up.items() if is_name)
        average = (capital + 0.5) / (invented + 1)
        found = {}
        for label in labels:
            with_capital, without = self.made_up[label, True], self.made_up[label, False]
            seen = with_capital + without
            share = (with_capital + _PULL * average) / (seen + _PULL)
            smooth = invented * (seen + 0.5) / (invented + 0.5 * len(labels))
            if not self.words[True]:  # a script without capitals
                share = 0.0
            found[label] = MadeUp(
                smooth * share / max(1.0, self.words[True]),
                smooth * (1 - share) / max(1.0, self.words[False]),
            )
        return found

    def _systematic(self, right: float) -> float:
        """From how much more often two mentions of one form fare alike than chance would have it.

        If both follow a habit with the probability s, their agreement exceeds chance by the
        share s * s (Cohen's kappa).
        """
        pairs = alike = 0
        for outcomes in self._by_form.values():
            for one, other in combinations(outcomes.values(), 2):
                pairs += 1
                alike += one == other
        chance = right**2 + (1 - right) ** 2
        seen = max(0.0, (alike / pairs - chance) / (1 - chance)) if pairs and chance < 1 else 0.0
        kappa = pairs * seen + _GUESS_PAIRS * _SYSTEMATIC_GUESS**2
        return float(np.sqrt(min(1.0, kappa / (pairs + _GUESS_PAIRS))))


def _fate(gold: Span, predicted: Iterable[Span]) -> tuple[Fate, Span | None]:
    """What became of a gold mention, and the predicted one that shows it."""
    meeting = sorted(span for span in predicted if span.overlaps(gold))
    if gold in meeting:
        return Fate.RIGHT, gold
    for fate, fits in (
        (Fate.TYPE, [span for span in meeting if (span.start, span.end) == (gold.start, gold.end)]),
        (Fate.BOUNDARY, [span for span in meeting if span.label == gold.label]),
        (Fate.BOTH, meeting),
    ):
        if fits:
            return fate, fits[0]
    return Fate.MISSED, None


def _shift(words: Sequence[Span], gold: Span, answer: Span) -> tuple[int, int]:
    """By how many words the answer starts and ends later than it should."""
    right, given = places_of(words, gold), places_of(words, answer)
    return given[0] - right[0], given[-1] - right[-1]


def _shares(counts: Mapping[int, float]) -> tuple[float, ...]:
    """Shares of 1, 2, ... up to the largest count's key; all of 1 where nothing was counted."""
    if not counts:
        return (1.0,)
    total = sum(counts.values())
    return tuple(counts.get(size, 0.0) / total for size in range(1, max(counts) + 1))
