"""Is the work as good for everybody? Scores by slice, and gaps that chance does not explain.

A slice's gap is its score less that of all other texts of the same key. Were the slice nothing
special, its texts might as well be any others: the permutation test looks how often as many random
texts differ as much. Many slices are looked at, so p-values are adjusted together (Holm, 1979).
Slices with too few spans are listed, and not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from backend.errors import InputError
from backend.protocols import FloatArray
from backend.quality.comparison import holm
from backend.quality.intervals import (
    LEVEL,
    RESAMPLES,
    Interval,
    Statistic,
    f1_of,
    percentile_interval,
    precision_of,
    recall_of,
    resampled_sums,
)
from backend.quality.slices import Case, slice_names

FEWEST_TEXTS = 10
FEWEST_SPANS = 30
"""Gold spans that a slice and the rest need each to be compared."""
PERMUTATIONS = 4999
_DRAWS_AT_ONCE = 4_000_000
PAIR = 2

STATISTICS: Mapping[str, Statistic] = {"F1": f1_of, "recall": recall_of}


@dataclass(frozen=True, slots=True)
class Gap:
    """A slice's score less that of the rest. ``adjusted``: for all gaps tested together."""

    statistic: str
    difference: Interval
    p_value: float
    adjusted: float = 1.0

    def is_significant(self, at: float = 1 - LEVEL) -> bool:
        """Whether chance is a bad explanation."""
        return self.adjusted < at

    def reversed(self) -> Gap:
        """The same gap, seen from the other side."""
        seen = self.difference
        return replace(self, difference=Interval(-seen.value, -seen.high, -seen.low))


@dataclass(frozen=True, slots=True)
class SliceScores:
    """One slice: sizes, strict span scores, and gaps, none where it or the rest is too small."""

    key: str
    name: str
    texts: int
    spans: int
    precision: Interval
    recall: Interval
    f1: Interval
    gaps: tuple[Gap, ...] = ()
    too_small: bool = False


@dataclass(frozen=True, slots=True)
class Fairness:
    """All slices of all keys."""

    slices: tuple[SliceScores, ...]

    @property
    def found(self) -> list[tuple[SliceScores, Gap]]:
        """Gaps that chance does not explain, the worst first."""
        gaps = [(each, gap) for each in self.slices for gap in each.gaps if gap.is_significant()]
        return sorted(gaps, key=lambda pair: pair[1].difference.value)


def fairness_of(  # noqa: PLR0913 - sizes have defaults
    cases: Sequence[Case],
    keys: Sequence[str],
    rng: np.random.Generator,
    *,
    fewest_texts: int = FEWEST_TEXTS,
    fewest_spans: int = FEWEST_SPANS,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
) -> Fairness:
    """Score every slice under the keys and test its gaps.

    Tests rest on ``permutations``, intervals on ``resamples`` of the texts.

    Raises :class:`~backend.errors.InputError` without texts.
    """
    if not cases:
        raise InputError("There is no text with gold labels to measure on.")
    counts = np.array([counts_of(case) for case in cases])
    fewest, draws = (fewest_texts, fewest_spans), (permutations, resamples)
    by_key = [
        _slices_of(key, np.array(slice_names(cases, key), dtype=object), counts, rng, fewest, draws)
        for key in keys
    ]
    return Fairness(tuple(_adjusted(by_key)))


def _slices_of(  # noqa: PLR0913, PLR0917 - texts, and what to draw of how many of them
    key: str,
    names: npt.NDArray[np.object_],
    counts: FloatArray,
    rng: np.random.Generator,
    fewest: tuple[int, int],
    draws: tuple[int, int],
) -> list[SliceScores]:
    """One key's slices. Of two the first is tested; the gap of the other is the same, reversed."""
    (fewest_texts, fewest_spans), (permutations, resamples) = fewest, draws
    slices: list[SliceScores] = []
    different = sorted(set(names))
    for name in different:
        chosen = np.array(names == name, dtype=np.bool_)
        drawn = resampled_sums(counts[chosen], rng, resamples)
        scores = _scores(key, name, counts[chosen], drawn)
        small = any(
            len(part) < fewest_texts or (part[:, 0] + part[:, 2]).sum() < fewest_spans
            for part in (counts[chosen], counts[~chosen])
        )
        tested = not small and not (len(different) == PAIR and slices)
        gaps = _gaps(counts, chosen, drawn, rng, permutations) if tested else ()
        slices.append(replace(scores, gaps=gaps, too_small=small))
    return slices


def counts_of(case: Case) -> tuple[int, int, int]:
    """Right, spurious and missed spans of a text."""
    gold, given = set(case.gold), set(case.given)
    return len(gold & given), len(given - gold), len(gold - given)


def _scores(key: str, name: str, counts: FloatArray, drawn: FloatArray) -> SliceScores:
    total = counts.sum(axis=0)

    def interval(statistic: Statistic) -> Interval:
        return percentile_interval(float(statistic(total)), statistic(drawn))

    return SliceScores(
        key,
        name,
        texts=len(counts),
        spans=int(total[0] + total[2]),
        precision=interval(precision_of),
        recall=interval(recall_of),
        f1=interval(f1_of),
    )


def _gaps(
    counts: FloatArray,
    chosen: npt.NDArray[np.bool_],
    ours_drawn: FloatArray,
    rng: np.random.Generator,
    permutations: int,
) -> tuple[Gap, ...]:
    ours, theirs = counts[chosen], counts[~chosen]
    theirs_drawn = resampled_sums(theirs, rng, len(ours_drawn))
    total = counts.sum(axis=0)
    moved = _random_sums(counts, len(ours), rng, permutations)
    gaps = []
    for name, statistic in STATISTICS.items():
        value = float(statistic(ours.sum(axis=0)) - statistic(theirs.sum(axis=0)))
        drawn = statistic(ours_drawn) - statistic(theirs_drawn)
        by_chance = np.abs(statistic(moved) - statistic(total - moved))
        as_large = np.count_nonzero(by_chance >= abs(value) - 1e-12)
        p_value = float((as_large + 1) / (permutations + 1))
        gaps.append(Gap(name, percentile_interval(value, drawn), p_value))
    return tuple(gaps)


def _random_sums(
    counts: FloatArray, size: int, rng: np.random.Generator, permutations: int
) -> FloatArray:
    """(permutations, 3), added counts of ``size`` random texts."""
    # Texts with equal counts are one kind; only how many of each are drawn makes a difference.
    kinds, texts = np.unique(counts, axis=0, return_counts=True)
    at_once = max(1, _DRAWS_AT_ONCE // len(kinds))
    sums = []
    for start in range(0, permutations, at_once):
        many = min(at_once, permutations - start)
        sums.append(rng.multivariate_hypergeometric(texts, size, many) @ kinds)
    return np.concatenate(sums).astype(np.float64)


def _adjusted(by_key: Sequence[Sequence[SliceScores]]) -> list[SliceScores]:
    """All slices with p-values adjusted for all gaps.

    A key with two slices has one gap, seen from both sides: it is tested and counted once.
    """
    tested = [gap for slices in by_key for each in slices for gap in each.gaps]
    adjusted = iter(holm([gap.p_value for gap in tested]))
    found = []
    for slices in by_key:
        judged = [
            replace(each, gaps=tuple(replace(gap, adjusted=next(adjusted)) for gap in each.gaps))
            for each in slices
        ]
        if len(judged) == PAIR:
            judged[1] = replace(judged[1], gaps=tuple(gap.reversed() for gap in judged[0].gaps))
        found += judged
    return found
