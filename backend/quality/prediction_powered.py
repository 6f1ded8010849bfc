"""A ratio over a whole collection from few human labels and a cheap proxy for each text.

Precision, recall and F1 are ratios of sums over texts. People label a random part of the texts;
proxies (what two models agree on, how sure they are) are known of all. A regression on the audited
texts says what the proxies are worth, and their known mean over the collection corrects for the
luck of the draw: prediction-powered inference with power tuning (Angelopoulos, Duchi & Zrnic,
PPI++, 2023), which for several proxies at once is the regression estimator of survey sampling
(Särndal, Swensson & Wretman, 1992). Proxies need not be good: with bad ones the regression falls
back to what the labels say alone.

Nominal intervals from few, skewed, clustered counts are too narrow in four ways, and each has its
correction here: the fit hugs the texts it was made on (residuals as if each text were left out,
HC3; MacKinnon & White, 1985), few texts carry most of the variance (degrees of freedom by
Satterthwaite, 1946), a ratio near 1 is skewed (bounds on the logit scale), and where nothing went
wrong in the sample there is no variance at all (exact bound of a binomial share).
``benchmarks/audit_coverage.py`` shows what that comes to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from backend.errors import InputError
from backend.protocols import FloatArray
from backend.quality.intervals import Interval

IntArray = npt.NDArray[np.int64]

LEVEL = 0.9
VARIES_IN = 10
"""A proxy is used where at least so many audited texts differ in it from the others."""
FEWEST_FOR_PROXIES = 30
"""With fewer audited texts the proxies' worth cannot be told, so they are left out."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio over ``texts`` texts, ``audited`` of which people labelled.

    ``interval`` uses the proxies, ``classical`` the labels alone. ``error`` is the standard error
    of the ratio itself.
    """

    interval: Interval
    classical: Interval
    audited: int
    texts: int
    error: float

    def more_labels(self, half_width: float) -> int:
        """How many more audited texts bring the interval to the value +- ``half_width``.

        A forecast: it takes the texts to come to be like those that were audited.
        """
        sampled = self.audited / self.texts
        if sampled >= 1:
            return 0
        reach = max(self.interval.width / 2, 1e-9)
        one_text = self.audited / (1 - sampled)
        needed = one_text * (reach / half_width) ** 2
        return max(0, math.ceil(needed / (1 + needed / self.texts)) - self.audited)


@dataclass(frozen=True, slots=True)
class Draw:
    """Which texts of a collection were audited, and what is known of all.

    ``audited``: (n_audited,) distinct places of texts, drawn at random in each stratum.
    ``proxies``: (n_texts, k) numbers known of every text, k may be 0, which must not depend on
    which texts were audited. ``strata``: (n_texts,) what each text belongs to (``None``: all to
    one); strata with fewer than two audited texts are taken together.
    """

    audited: npt.ArrayLike
    proxies: FloatArray
    strata: npt.ArrayLike | None = None


@dataclass(frozen=True, slots=True)
class _Design:
    """The sampling design, seen from the audited texts.

    All (n_audited,): ``weight`` is the share of the collection that a text stands for, ``left``
    the part of its stratum that was not drawn, ``stratum`` its place in ``sizes``.
    """

    weight: FloatArray
    left: FloatArray
    stratum: IntArray
    sizes: IntArray

    def centred(self, values: FloatArray) -> FloatArray:
        """(n_audited, k) values less the mean of their stratum."""
        sums = np.zeros((len(self.sizes), values.shape[1]))
        np.add.at(sums, self.stratum, values)
        return values - (sums / self.sizes[:, None])[self.stratum]


def ratio_estimate(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, draw: Draw, level: float = LEVEL
) -> Estimate | None:
    """The sum of the numerators over the sum of the denominators, over all texts.

    ``numerators`` and ``denominators``: (n_audited,) counts with 0 <= numerator <= denominator.
    ``None`` where the audited denominators are all 0: then there is nothing to estimate. Raises
    :class:`~backend.errors.InputError` for fewer than two audited texts.
    """
    counts = np.column_stack([np.asarray(numerators, float), np.asarray(denominators, float)])
    places, known = np.asarray(draw.audited, dtype=np.int64), draw.proxies
    if len(places) < 2:
        raise InputError("An audit needs at least two labelled texts to say how sure it is.")
    if not counts[:, 1].any():
        return None
    strata = np.zeros(len(known)) if draw.strata is None else np.asarray(draw.strata)
    design = _design(places, strata)
    classical, error = _interval(counts, design, known[places, :0], known[:, :0], level)
    interval = classical
    usable = _usable(known[places])
    if len(usable):
        columns = known[:, usable]
        interval, error = _interval(counts, design, columns[places], columns, level)
    return Estimate(interval, classical, len(places), len(known), error)


def _usable(audited_proxies: FloatArray) -> IntArray:
    """Columns that vary in enough of the audited texts to learn from."""
    if len(audited_proxies) < FEWEST_FOR_PROXIES:
        return np.zeros(0, dtype=np.int64)
    commonest = [np.unique(column, return_counts=True)[1].max() for column in audited_proxies.T]
    varies = len(audited_proxies) - np.array(commonest, dtype=np.int64) >= VARIES_IN
    return np.flatnonzero(varies)


def _design(audited: IntArray, strata: npt.NDArray[np.generic]) -> _Design:
    _, of_text = np.unique(strata, return_inverse=True)
    drawn = np.bincount(of_text[audited], minlength=of_text.max() + 1)
    few = drawn < 2
    if few.any():
        # Together, and with the smallest of the others if they are still too few.
        if drawn[few].sum() < 2 and not few.all():
            few[np.argmin(np.where(few, np.inf, drawn))] = True
        of_text = np.where(few[of_text], len(drawn), of_text)
    _, of_text = np.unique(of_text, return_inverse=True)
    stratum = of_text[audited]
    texts, drawn = np.bincount(of_text), np.bincount(stratum, minlength=of_text.max() + 1)
    share = drawn / texts
    return _Design(
        weight=(texts / drawn)[stratum] / len(of_text),
        left=1 - share[stratum],
        stratum=stratum,
        sizes=drawn,
    )


def _interval(
    counts: FloatArray, design: _Design, proxies: FloatArray, everywhere: FloatArray, level: float
) -> tuple[Interval, float]:
    """The interval of the ratio and its standard error, with the given proxies."""
    if math.isclose(counts[:, 0].sum(), 0) or (counts[:, 0] == counts[:, 1]).all():
        return _one_sided(counts, design, level)
    means, residuals, used = _regression_means(counts, design, proxies, everywhere)
    ratio = means[0] / means[1] if means[1] > 0 else math.nan
    if not 0 < ratio < 1:
        # The correction overshot, which happens to few labels: without it.
        return _interval(counts, design, proxies[:, :0], everywhere[:, :0], level)
    influence = (residuals[:, 0] - ratio * residuals[:, 1]) / means[1]
    squares = design.left * (design.weight * influence) ** 2
    error = math.sqrt(squares.sum())
    if not error:
        return Interval(ratio, ratio, ratio, level), 0.0
    freedom = min(_effective_freedom(squares), len(counts) - len(design.sizes) - used)
    reach = float(stdtrit(max(freedom, 1.0), (1 + level) / 2)) * error / (ratio * (1 - ratio))
    middle = math.log(ratio / (1 - ratio))
    return Interval(ratio, _logistic(middle - reach), _logistic(middle + reach), level), error


def _regression_means(
    counts: FloatArray, design: _Design, proxies: FloatArray, everywhere: FloatArray
) -> tuple[FloatArray, FloatArray, int]:
    """Means (2,) of the counts per text, left-one-out residuals (n, 2), and proxies used."""
    sizes = design.sizes[design.stratum]
    scale = design.weight * np.sqrt(np.maximum(design.left, 1e-12) * sizes / (sizes - 1))
    centred_counts, centred_proxies = design.centred(counts), design.centred(proxies)
    basis = _column_space(scale[:, None] * centred_proxies)
    slopes = np.linalg.lstsq(
        scale[:, None] * centred_proxies, scale[:, None] * centred_counts, rcond=1e-9
    )[0]
    leverage = (basis**2).sum(axis=1) + 1 / sizes
    luck = everywhere.mean(axis=0) - design.weight @ proxies
    means = design.weight @ counts + luck @ slopes
    residuals = centred_counts - centred_proxies @ slopes
    left_out = residuals / np.maximum(1 - leverage, 0.05)[:, None]
    return means, left_out, basis.shape[1]


def _column_space(matrix: FloatArray) -> FloatArray:
    """An orthonormal basis (n, rank)."""
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    return left[:, sizes > 1e-9 * max(1.0, sizes.max(initial=0.0))]


def _effective_freedom(squares: FloatArray) -> float:
    """Degrees of freedom of a variance that is a sum of ``squares``: few where few are large."""
    excess = (squares**2).sum() / squares.sum() ** 2 - 1 / len(squares)
    return 2 / excess if excess > 0 else math.inf


def _one_sided(counts: FloatArray, design: _Design, level: float) -> tuple[Interval, float]:
    """Where all in the sample is right, or nothing: the exact bound of Clopper & Pearson (1934).

    Texts with something in them are the trials, which is careful: their spans stand together.
    """
    ratio = 1.0 if counts[:, 0].any() else 0.0
    trials = int((counts[:, 1] > 0).sum())
    all_seen = not design.left.any()
    reach = 0.0 if all_seen else 1 - ((1 - level) / 2) ** (1 / trials)
    low, high = (1.0 - reach, 1.0) if ratio else (0.0, reach)
    return Interval(ratio, low, high, level), reach / 2


def _logistic(value: float) -> float:
    return 0.5 * (1 + math.tanh(value / 2))
