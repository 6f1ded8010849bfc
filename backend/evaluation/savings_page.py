"""What it costs to reach a quality, read from measured curves and shown with what it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from backend.cost.savings import (
    HUMANS,
    HYBRID,
    LLM_ALONE,
    PAPER_FACTOR,
    PAPER_LLM_USD,
    Curves,
    Prices,
    bill,
    implied_human_usd,
    savings,
    swings,
)
from backend.cost.uncertainty import Measured, Reach, reach
from backend.quality.intervals import LEVEL, Interval
from backend.reports.figures import Row, Series, forest, learning_curve
from backend.reports.page import Block, Cell, Column, Provenance, Report, Section, Table, Text

NAMES = {
    HUMANS: "humans alone",
    LLM_ALONE: "LLM alone",
    HYBRID: "hybrid",
    "human-only": "few humans, no LLM",
}
NOT_REACHED = (
    "A dash: this F1 is not reached on the measured curve. Nothing is extrapolated. An interval "
    "without an upper end: the F1 may well not be reached at all."
)


def savings_report(
    measured: Measured, targets: Sequence[float], prices: Prices, provenance: Provenance
) -> Report:
    """The page."""
    found = reaches(measured, targets, prices)
    curves = measured.curves
    return Report(
        title="What it costs to reach a quality",
        lead=in_words(measured, found),
        sections=[
            Section("Cost to reach an F1", [_picture(measured, prices), reach_table(found)]),
            *(_swings_section(curves, route, targets, prices) for route in _others(curves)),
            _prices_section(prices),
            _paper_section(prices),
        ],
        provenance=provenance,
        results={
            "prices": asdict(prices),
            "intervals": measured.how,
            "curves": {
                route: [
                    asdict(point) | {"bill": bill(point, route, prices), "f1_interval": interval}
                    for point, interval in zip(curve, _bands(measured, route), strict=True)
                ]
                for route, curve in curves.items()
            },
            "reached": [
                {
                    "route": each.route,
                    "f1": each.f1,
                    "bill": each.bill,
                    "cost": each.cost,
                    "share_of_draws": each.share,
                    "savings": each.factor.value,
                    "savings_interval": each.factor,
                }
                for each in found
            ],
        },
    )


def _others(curves: Curves) -> list[str]:
    return [route for route in curves if route != HUMANS]


def reaches(measured: Measured, targets: Sequence[float], prices: Prices) -> list[Reach]:
    """What each F1 costs in each way."""
    return [
        reach(measured, route, target, prices) for target in targets for route in measured.curves
    ]


def in_words(measured: Measured, found: Sequence[Reach]) -> list[str]:
    """Who reaches what for how much, in sentences."""
    how = f", with {measured.how}" if measured.how else "; how sure they are is not known"
    told = [
        f"Learning curves of {measured.what}{how}. A factor is only as good as the prices below.",
        *measured.remarks,
    ]
    for target in dict.fromkeys(each.f1 for each in found):
        costs = [_cost_in_words(measured, each) for each in found if each.f1 == target]
        told.append(f"F1 of {100 * target:g}: " + "; ".join(costs) + ".")
    return told


def _cost_in_words(measured: Measured, each: Reach) -> str:
    name = NAMES.get(each.route, each.route)
    if each.bill is None:
        best = max((point.f1 for point in measured.curves[each.route]), default=math.nan)
        drawn = f", in {100 * each.share:.0f}% of the draws it does" if each.share > 0 else ""
        return f"{name} does not reach it (at most {100 * best:.1f}{drawn})"
    cost = f"{name} ${each.cost.value:,.2f}{_bounds(each.cost)}"
    factor = each.factor
    if each.route == HUMANS or math.isnan(factor.value):
        return cost
    if factor.value >= 1 or factor.value == 0:
        return f"{cost}, {factor.value:.2f}{_bounds(factor)} times less"
    low, high = (1 / it if it else math.inf for it in (factor.high, factor.low))
    more = Interval(1 / factor.value, low, high, factor.level)
    return f"{cost}, {more.value:.2f}{_bounds(more)} times more"


def _bounds(interval: Interval) -> str:
    if math.isnan(interval.low):
        return ""
    if math.isinf(interval.high):
        return f" ({interval.low:,.2f} or more)"
    return f" ({interval.low:,.2f} to {interval.high:,.2f})"


def _bands(measured: Measured, route: str) -> list[Interval]:
    """F1 at each point of a curve with its interval."""
    points = [point.f1 for point in measured.curves[route]]
    heights = measured.heights.get(route)
    if heights is None:
        return [Interval(f1, math.nan, math.nan, LEVEL) for f1 in points]
    ends = np.quantile(heights, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [
        Interval(f1, float(low), float(high), LEVEL)
        for f1, low, high in zip(points, *ends, strict=True)
    ]


def _picture(measured: Measured, prices: Prices) -> Block:
    lines = []
    for route, curve in measured.curves.items():
        bands = _bands(measured, route)
        known = bool(measured.heights)
        lines.append(
            Series(
                NAMES.get(route, route),
                [bill(point, route, prices).total for point in curve],
                [100 * point.f1 for point in curve],
                [100 * band.low for band in bands] if known else None,
                [100 * band.high for band in bands] if known else None,
            )
        )
    caption = f"Strict span F1 over cost, {measured.what}"
    if measured.how:
        caption += f"; bands: {measured.how}"
    return learning_curve(caption, lines, "US dollars", "F1 in %")


def reach_table(found: Sequence[Reach]) -> Table:
    """What each F1 costs in each way, and what for."""
    columns = [
        Column("way of working"),
        Column("F1", percent=True),
        *(Column(name, decimals=2, unit=" $") for name in ("human", "LLM", "training", "audit")),
        Column("all", decimals=2, unit=" $"),
        Column("humans alone / this", decimals=2),
    ]
    rows: list[Sequence[Cell]] = []
    for each in found:
        parts: list[Cell] = [None] * 4
        if each.bill is not None:
            parts = [each.bill.human, each.bill.llm, each.bill.gpu, each.bill.audit]
        rows.append((NAMES.get(each.route, each.route), each.f1, *parts, each.cost, each.factor))
    return Table("US dollars until an F1 is reached", columns, rows, NOT_REACHED)


def _swings_section(
    curves: Curves, route: str, targets: Sequence[float], prices: Prices
) -> Section:
    name = NAMES.get(route, route)
    reached = [t for t in targets if not math.isnan(savings(curves, route, t, prices))]
    if not reached:
        return Section(f"Savings: {name}", [Text("No F1 asked for is reached by both.")])
    target = max(reached)
    base = savings(curves, route, target, prices)
    found = swings(curves, route, target, prices)
    bars = [
        Row(
            swing.price.replace("_", " "),
            Interval(base, *sorted((swing.halved, swing.doubled))),
        )
        for swing in found
    ]
    columns = [
        Column("price"),
        Column("halved", decimals=2),
        Column("doubled", decimals=2),
    ]
    rows = [(swing.price.replace("_", " "), swing.halved, swing.doubled) for swing in found]
    blocks: list[Block] = [Table(f"Savings factor at F1 {100 * target:g}", columns, rows)]
    if bars and math.isfinite(base):
        caption = f"Savings factor of {name} with each price halved and doubled"
        blocks.insert(0, forest(caption, bars, "cost of humans alone / this", reference=base))
    return Section(f"Savings: {name}", blocks)


def _prices_section(prices: Prices) -> Section:
    rows = [
        (name.replace("_", " "), value)
        for name, value in asdict(prices).items()
        if value is not None
    ]
    columns = [Column("price"), Column("value", decimals=4)]
    return Section("Prices", [Table("What the figures rest on", columns, rows)])


def _paper_section(prices: Prices) -> Section:
    columns = [
        Column("prompt"),
        Column("LLM, a sentence", decimals=4, unit=" $"),
        Column("human, a sentence, by the factor", decimals=2, unit=" $"),
        Column("minutes at your wage"),
    ]
    rows: list[Sequence[Cell]] = []
    for prompt, ends in PAPER_LLM_USD.items():
        for name, usd in zip(("cheapest language", "dearest"), ends, strict=True):
            human = implied_human_usd(usd)
            minutes = 60 * human / prices.usd_per_hour if prices.usd_per_hour else None
            rows.append((f"{prompt}, {name}", usd, human, minutes))
    return Section(
        f"What {PAPER_FACTOR} times rests on",
        [
            Text(
                f"Kholodna et al. (2024) report that an LLM's labels are at least {PAPER_FACTOR} "
                "times cheaper. Their code counts no cost, so the factor cannot be recomputed. "
                "From their prompts' tokens and the provider's prices follows what a human's label "
                "would have to cost for it to hold. It compares a label with a label, not the cost "
                "of reaching the same quality."
            ),
            Table("Human cost that the factor implies", columns, rows),
        ],
    )
