"""What further labels are expected to bring: a power law through the rounds so far.

F1 after n labels is taken as a - b n^-c with 0 <= a <= 1, b >= 0, the inverse power law of learning
curves (Cortes et al., 1994; Figueroa et al., 2012, for annotation). The interval comes from the
parametric bootstrap (Efron, 1979): the same fit to rounds disturbed by what a held-out set of their
size is uncertain of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.protocols import FloatArray

MIN_ROUNDS = 3
"""Rounds with different numbers of labels below which nothing is predicted."""

_EXPONENTS = np.linspace(0.1, 2.0, 39)
_SAMPLES = 400
_LEAST_DEVIATION = 0.005


@dataclass(frozen=True, slots=True)
class Measurement:
    """Held-out F1 in [0, 1] after so many labels, and its standard deviation."""

    labels: int
    f1: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The expected rise of F1 (1.0 is all of it) from ``labels`` further labels.

    ``low`` and ``high`` bound it with 90% confidence, as far as the power law holds.
    """

    labels: int
    gain: float
    low: float
    high: float


def f1_deviation(right: float, wrong: float, missed: float) -> float:
    """Standard deviation of a strict F1 as a share of ``right + (wrong + missed) / 2`` cases.

    An approximation: it takes spans for independent. 1.0 where there is nothing to find.
    """
    cases = right + (wrong + missed) / 2
    if not cases:
        return 1.0
    f1 = right / cases
    return max(_LEAST_DEVIATION, float(np.sqrt(f1 * (1 - f1) / cases)))


def predict_gain(
    measured: Sequence[Measurement], more: int, rng: np.random.Generator, *, plateau: bool = True
) -> Prediction | None:
    """What ``more`` labels beyond the last measurement are expected to bring.

    Without ``plateau`` the curve may not flatten before an F1 of 1 (a = 1): of few and noisy
    measurements two parameters are known better than three, of which one is a guess.

    ``None`` with fewer than three different numbers of labels: two points fit any curve.
    Deterministic for equal input and generator state.
    """
    usable = [each for each in measured if each.labels > 0]
    if len({each.labels for each in usable}) < MIN_ROUNDS:
        return None
    labels = np.array([each.labels for each in usable], dtype=np.float64)
    scores = np.array([each.f1 for each in usable])
    deviations = np.maximum([each.deviation for each in usable], _LEAST_DEVIATION)
    noise = rng.normal(size=(_SAMPLES, len(labels))) * deviations
    now = labels.max()
    curves = np.vstack([scores, scores + noise])
    gains = _gains(labels, curves, 1 / deviations**2, now, now + more, plateau)
    low, high = np.quantile(gains[1:], [0.05, 0.95])
    return Prediction(more, float(gains[0]), float(low), float(high))


def _gains(  # noqa: PLR0913, PLR0917 - what a fit needs
    labels: FloatArray,
    curves: FloatArray,
    weights: FloatArray,
    now: float,
    then: float,
    plateau: bool,
) -> FloatArray:
    """(n_curves,) rises between two numbers of labels, of each curve's best power law.

    ``curves``: (n_curves, n_rounds). Weighted least squares for each exponent; where that leaves
    the bounds of a or b, the best fit on the bound.
    """
    # In units of n^-c at the first round, so that steep exponents stay within floating point.
    falls = (labels / labels.min()) ** -_EXPONENTS[:, None]  # (n_exponents, n_rounds)
    share = weights / weights.sum()
    mean_fall = falls @ share  # (n_exponents,)
    mean = curves @ share  # (n_curves,)
    spread = ((falls - mean_fall[:, None]) ** 2) @ share
    together = (curves * share) @ falls.T - mean[:, None] * mean_fall  # (n_curves, n_exponents)
    b = np.maximum(-together / spread, 0.0)
    a = np.clip(mean[:, None] + b * mean_fall, 0.0 if plateau else 1.0, 1.0)
    # With a on its bound, b again: the best multiple of the falls that explains a - curve.
    bound = (a <= 0.0) | (a >= 1.0)
    explained = ((a[:, :, None] - curves[:, None, :]) * falls * share).sum(axis=2)
    b = np.where(bound, np.maximum(explained / ((falls**2) @ share), 0.0), b)
    fitted = a[:, :, None] - b[:, :, None] * falls  # (n_curves, n_exponents, n_rounds)
    errors = ((fitted - curves[:, None, :]) ** 2 * share).sum(axis=2)
    best = (np.arange(len(curves)), errors.argmin(axis=1))
    exponents = _EXPONENTS[best[1]]
    fall = (now / labels.min()) ** -exponents - (then / labels.min()) ** -exponents
    gains: FloatArray = b[best] * fall
    return gains
