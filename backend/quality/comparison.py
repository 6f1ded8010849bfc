"""Is one annotator better than another, or did it get the easier luck?

Both were scored on the same texts. Were they equally good, then swapping their answers to any text
would make no difference on average: the permutation test (Noreen, 1989; Yeh, 2000, for F1) looks
how often random swaps make a difference as large as the one seen. Comparing with many at once
finds something by chance, so p-values are adjusted (Holm, 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.errors import InputError
from backend.protocols import FloatArray
from backend.quality.intervals import (
    LEVEL,
    RESAMPLES,
    Interval,
    Statistic,
    f1_of,
    percentile_interval,
    resampled_sums,
)

SWAPS = 9999
_SWAPS_AT_ONCE = 4_000_000

Strata = Sequence[FloatArray]
"""Counts (n_texts, n_counts) of one annotator, by language or whatever is averaged over."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better the first is than the second: the difference and how likely by chance.

    ``p_value`` in (0, 1] is two-sided; ``adjusted`` is at least as large, for all comparisons that
    were made together.
    """

    first: str
    second: str
    difference: Interval
    p_value: float
    adjusted: float

    def is_significant(self, at: float = 1 - LEVEL) -> bool:
        """Whether chance is a bad explanation."""
        return self.adjusted < at


def paired_difference(
    first: Strata,
    second: Strata,
    rng: np.random.Generator,
    *,
    statistic: Statistic = f1_of,
    resamples: int = RESAMPLES,
) -> Interval:
    """Mean difference of a statistic over strata, with a bootstrap interval over paired texts.

    Each stratum: equally many rows on both sides, the same text in the same row.
    """
    pairs = _paired(first, second)
    value = float(np.mean([statistic(a.sum(0)) - statistic(b.sum(0)) for a, b in pairs]))
    drawn = np.zeros(resamples)
    for a, b in pairs:
        sums = resampled_sums(np.hstack([a, b]), rng, resamples)
        drawn += statistic(sums[:, : a.shape[1]]) - statistic(sums[:, a.shape[1] :])
    return percentile_interval(value, drawn / len(pairs))


def permutation_p_value(
    first: Strata,
    second: Strata,
    rng: np.random.Generator,
    *,
    statistic: Statistic = f1_of,
    swaps: int = SWAPS,
) -> float:
    """Two-sided p-value in (0, 1] of the mean difference over strata; never 0, as none is proof."""
    pairs = _paired(first, second)
    seen = abs(sum(float(statistic(a.sum(0)) - statistic(b.sum(0))) for a, b in pairs))
    drawn = np.zeros(swaps)
    for a, b in pairs:
        at_once = max(1, _SWAPS_AT_ONCE // len(a))
        for start in range(0, swaps, at_once):
            stop = min(start + at_once, swaps)
            swapped = rng.integers(2, size=(stop - start, len(a))).astype(np.float64)
            moved = swapped @ (b - a)  # (swaps, n_counts): what swapping adds to the first
            drawn[start:stop] += statistic(a.sum(0) + moved) - statistic(b.sum(0) - moved)
    as_large = np.count_nonzero(np.abs(drawn) >= seen - 1e-12)
    return float((as_large + 1) / (swaps + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the given order: each is fit to be held against the level."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    worst = 0.0
    for rank, at in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = worst
    return [float(value) for value in adjusted]


def compare_with_best(
    scores: Sequence[tuple[str, Strata]], rng: np.random.Generator
) -> list[Comparison]:
    """The first of the named annotators against each of the others, adjusted together."""
    (best, ours), *others = scores
    differences = [paired_difference(ours, theirs, rng) for _, theirs in others]
    p_values = [permutation_p_value(ours, theirs, rng) for _, theirs in others]
    return [
        Comparison(best, name, difference, p_value, adjusted)
        for (name, _), difference, p_value, adjusted in zip(
            others, differences, p_values, holm(p_values), strict=True
        )
    ]


def _paired(first: Strata, second: Strata) -> list[tuple[FloatArray, FloatArray]]:
    pairs = list(zip(first, second, strict=True))
    if not pairs or any(a.shape != b.shape or not len(a) for a, b in pairs):
        raise InputError("Annotators can only be compared on the same texts, and on some.")
    return pairs
