"""How far a measured number may be from the true one: intervals for scores, means and shares.

Texts are what was drawn at random, not spans: the spans of one text stand or fall together. So the
bootstrap (Efron, 1979) draws whole texts with replacement and adds up their counts, and a
statistic is a function of added counts. Two annotators are compared on the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from backend.errors import InputError
from backend.protocols import FloatArray

LEVEL = 0.95
RESAMPLES = 2000
_DRAWS_AT_ONCE = 4_000_000

Statistic = Callable[[FloatArray], FloatArray]
"""Maps added counts of shape (..., n_counts) to values of shape (...)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the bounds within which the true one lies with confidence ``level``.

    The bounds are NaN where nothing is known of them: one text, one seed.
    """

    value: float
    low: float
    high: float
    level: float = LEVEL

    @property
    def width(self) -> float:
        """Distance between the bounds, NaN where they are not known."""
        return self.high - self.low

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def as_json(self) -> dict[str, float | None]:
        """The form in which it is written down; what is unknown or without end is ``null``."""
        numbers = {"value": self.value, "low": self.low, "high": self.high, "level": self.level}
        return {name: float(it) if math.isfinite(it) else None for name, it in numbers.items()}


def precision_of(counts: FloatArray) -> FloatArray:
    """Precision in [0, 1] of counts (..., 3): right, spurious, missed. 0 where none was given."""
    return _ratio(counts[..., 0], counts[..., 0] + counts[..., 1])


def recall_of(counts: FloatArray) -> FloatArray:
    """Recall in [0, 1] of counts (..., 3): right, spurious, missed. 0 where there is no gold."""
    return _ratio(counts[..., 0], counts[..., 0] + counts[..., 2])


def f1_of(counts: FloatArray) -> FloatArray:
    """F1 in [0, 1] of counts (..., 3): right, spurious, missed. 0 where nothing is right."""
    return _ratio(2 * counts[..., 0], 2 * counts[..., 0] + counts[..., 1] + counts[..., 2])


def bootstrap(
    counts: npt.ArrayLike,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Percentile interval of a statistic of added counts.

    ``counts``: (n_texts, n_counts), one row for each text that was drawn; to compare two
    annotators, put both their counts into a row and let the statistic be the difference. A
    statistic at the edge of its range (everything right in every text) has no width: an interval
    from resampling cannot know of what the sample has not seen.
    """
    rows = _rows(counts)
    sums = resampled_sums(rows, rng, resamples)
    return percentile_interval(float(statistic(rows.sum(axis=0))), statistic(sums), level)


def resampled_sums(
    counts: npt.ArrayLike, rng: np.random.Generator, resamples: int = RESAMPLES
) -> FloatArray:
    """Added counts (resamples, n_counts) of as many texts, drawn with replacement each time.

    For several statistics of the same counts, which are then comparable draw by draw.
    """
    rows = _rows(counts)
    texts = len(rows)
    equally = np.full(texts, 1 / texts)
    at_once = max(1, _DRAWS_AT_ONCE // texts)
    parts = [
        rng.multinomial(texts, equally, size=min(at_once, resamples - done)) @ rows
        for done in range(0, resamples, at_once)
    ]
    return np.concatenate(parts)


def percentile_interval(value: float, resampled: FloatArray, level: float = LEVEL) -> Interval:
    """The interval that holds the middle of resampled values; NaN among them are left out.

    Without bounds where resampling can say nothing: all values NaN.
    """
    known = resampled[~np.isnan(resampled)]
    if not known.size:
        return Interval(value, math.nan, math.nan, level)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Student's t interval of a mean, as over the seeds of an experiment.

    Without bounds for one value. Raises :class:`~backend.errors.InputError` for none.
    """
    if not len(values):
        raise InputError("There is no value to take the mean of.")
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan, level)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return Interval(mean, mean - reach, mean + reach, level)


def wilson(successes: float, trials: float, level: float = LEVEL) -> Interval:
    """Wilson's score interval (1927) of a share; sound for few trials and shares near 0 and 1.

    Of no trials the share is NaN and may be anything.
    """
    if not trials:
        return Interval(math.nan, 0.0, 1.0, level)
    share = successes / trials
    z = float(ndtri((1 + level) / 2))
    shrink = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / shrink
    reach = z / shrink * math.sqrt(share * (1 - share) / trials + (z / trials / 2) ** 2)
    return Interval(share, max(0.0, middle - reach), min(1.0, middle + reach), level)


def _rows(counts: npt.ArrayLike) -> FloatArray:
    rows = np.asarray(counts, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise InputError("There is no text to measure on: an interval needs counts of some.")
    return rows


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(whole, dtype=np.float64), where=whole > 0)
