"""How sure a cost and a savings factor are: the same curves, drawn again.

A learning curve is measured with few seeds, or on few held-out texts. Drawn again as they might
have come out, curves reach an F1 sooner or later, or not at all; what that does to the cost is the
interval. Curves of one experiment begin with the same texts, and those of one project are judged on
the same ones, so they are drawn together, and a savings factor compares what was drawn at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.cost.savings import HUMANS, Bill, Curves, Point, Prices, bill, bill_to_reach, savings
from backend.protocols import FloatArray
from backend.quality.intervals import LEVEL, RESAMPLES, Interval, f1_of

Heights = Mapping[str, FloatArray]
"""F1 by route, (n_draws, n_points): a curve as it might have come out, for each draw."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Learning curves and how sure they are.

    ``what`` they are of; ``heights``: empty where nothing is known of how sure they are; ``how``:
    in words, what the intervals are; ``remarks``: what a reader has to know of the curves.
    """

    what: str
    curves: Curves
    heights: Heights = field(default_factory=dict)
    how: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """What it costs to reach an F1 in one way.

    ``bill``: ``None`` where the curve does not reach it; ``cost`` in dollars, its high bound
    without end where the curve may not reach it; ``share``: of the draws that do, NaN without any;
    ``factor``: the cost of humans alone over this one, NaN where either does not reach the F1.
    """

    route: str
    f1: float
    bill: Bill | None
    cost: Interval
    share: float
    factor: Interval


def reach(measured: Measured, route: str, target: float, prices: Prices) -> Reach:
    """What it costs to reach ``target`` by ``route``, and how sure that is."""
    found = bill_to_reach(measured.curves[route], route, target, prices)
    total = math.nan if found is None else found.total
    drawn = _drawn(measured, route, target, prices)
    factor = savings(measured.curves, route, target, prices)
    ratios = _over(_drawn(measured, HUMANS, target, prices), drawn)
    if route == HUMANS:
        ratios = ratios[:0]
    return Reach(
        route,
        target,
        found,
        _interval(total, drawn),
        float(np.isfinite(drawn).mean()) if drawn.size else math.nan,
        _interval(factor, ratios),
    )


def _drawn(measured: Measured, route: str, target: float, prices: Prices) -> FloatArray:
    """(n_draws,) dollars; without end where the drawn curve does not reach the F1."""
    heights = measured.heights.get(route)
    if heights is None:
        return np.zeros(0)
    return costs_to_reach(measured.curves[route], heights, route, target, prices)


def costs_to_reach(
    curve: Sequence[Point], heights: FloatArray, route: str, target: float, prices: Prices
) -> FloatArray:
    """(n_draws,) dollars until each drawn curve first reaches an F1, between rounds along a line.

    ``heights``: (n_draws, n_points). Infinite where it does not.
    """
    totals = np.array([bill(point, route, prices).total for point in curve])
    reached = heights >= target
    at = reached.argmax(axis=1)
    draws = np.arange(len(heights))
    before = np.maximum(at - 1, 0)
    low, high = heights[draws, before], heights[draws, at]
    rise = np.where(high > low, high - low, 1.0)
    part = np.where((at > 0) & (high > low), (target - low) / rise, 1.0)
    costs = totals[before] + part * (totals[at] - totals[before])
    return np.where(reached.any(axis=1), costs, math.inf)


def _over(alone: FloatArray, other: FloatArray) -> FloatArray:
    """The factors of the draws; NaN where neither reaches the F1, without end where one pays 0."""
    if not alone.size or not other.size:
        return np.zeros(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(alone / other, dtype=np.float64)


def _interval(value: float, drawn: FloatArray, level: float = LEVEL) -> Interval:
    """Percentiles that are values of draws, as some may be without end."""
    known = drawn[~np.isnan(drawn)]
    if math.isnan(value) or not known.size:
        return Interval(value, math.nan, math.nan, level)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(known, ends, method="inverted_cdf")
    return Interval(value, float(low), float(high), level)


def seed_heights(
    by_seed: Heights, rng: np.random.Generator, draws: int = RESAMPLES
) -> dict[str, FloatArray]:
    """Mean curves as they might have come out with other seeds.

    ``by_seed``: (n_seeds, n_points) of each route, the same seeds in each. Drawn from a
    multivariate t around the mean, so that at each point the percentiles are Student's interval;
    all routes move together as their seeds do. Empty for a single seed.
    """
    seeds = {len(values) for values in by_seed.values()}
    if len(seeds) != 1 or (count := seeds.pop()) < 2:
        return {}
    normal = rng.standard_normal((draws, count))
    normal /= np.sqrt(rng.chisquare(count - 1, (draws, 1)) / (count - 1))
    normal /= math.sqrt(count * (count - 1))
    means = {route: values.mean(axis=0) for route, values in by_seed.items()}
    return {
        route: means[route] + normal @ (values - means[route]) for route, values in by_seed.items()
    }


def text_heights(
    counts: Heights, rng: np.random.Generator, draws: int = RESAMPLES
) -> dict[str, FloatArray]:
    """Curves as they might have come out on other held-out texts (bootstrap; Efron, 1979).

    ``counts``: (n_points, n_texts, 3) of each route, right, spurious and missed spans of the same
    texts in each. The texts are drawn once for all points and routes. Empty without texts.
    """
    texts = {values.shape[1] for values in counts.values()}
    if len(texts) != 1 or (count := texts.pop()) < 2:
        return {}
    times = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    return {
        route: f1_of(np.einsum("dt,ptc->dpc", times, values, optimize=True))
        for route, values in counts.items()
    }
