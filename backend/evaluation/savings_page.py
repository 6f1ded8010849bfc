"""What it costs to reach a quality, read from measured curves and shown with what it rests on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from backend.cost.savings import (
    HUMANS,
    PAPER_FACTOR,
    PAPER_LLM_USD,
    Point,
    Prices,
    bill,
    bill_to_reach,
    implied_human_usd,
    savings,
    swings,
)
from backend.errors import InputError
from backend.quality.intervals import Interval
from backend.reports.figures import Row, Series, forest, learning_curve
from backend.reports.page import Block, Cell, Column, Provenance, Report, Section, Table, Text

Curves = Mapping[str, Sequence[Point]]
"""Learning curves by route."""

NAMES = {
    HUMANS: "humans alone",
    "llm-only": "LLM alone",
    "default": "hybrid",
    "human-only": "few humans, no LLM",
}


def read_curves(path: Path, language: str | None, strategy: str | None) -> tuple[str, Curves]:
    """The curves of one language in a simulation's ``results.json``, and what they are of.

    ``language``: ``mean`` by default, or the only one; ``strategy``: the first that has a curve of
    several routes. Raises :class:`~backend.errors.InputError` for a file without such curves.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["curves"]
        languages = list(dict.fromkeys(each["language"] for each in listed))
        place = language or ("mean" if "mean" in languages else languages[0])
        here = [each for each in listed if each["language"] == place]
        strategies = list(dict.fromkeys(each["strategy"] for each in here))
        most = max(strategies, key=lambda s: sum(each["strategy"] == s for each in here))
        chosen = strategy or most
        curves = {
            each["route"]: [
                Point(it["texts"], it["human_texts"], it["round"] + 1, it["f1"]["value"])
                for it in each["points"]
            ]
            for each in here
            if each["strategy"] == chosen
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path} holds no learning curves ({type(error).__name__}: {error}). Give the "
            "results.json of harambee simulate."
        ) from error
    if HUMANS not in curves:
        known = ", ".join(f"{each['language']}/{each['strategy']}" for each in listed)
        raise InputError(
            f"{path} has no curve of humans alone for {place}/{chosen}. There are: {known}."
        )
    return f"{place}, {chosen}", curves


def savings_report(
    curves: Curves, what: str, targets: Sequence[float], prices: Prices, provenance: Provenance
) -> Report:
    """The page."""
    return Report(
        title="What it costs to reach a quality",
        lead=in_words(curves, what, targets, prices),
        sections=[
            _reach_section(curves, what, targets, prices),
            *(_swings_section(curves, route, targets, prices) for route in _others(curves)),
            _prices_section(prices),
            _paper_section(prices),
        ],
        provenance=provenance,
        results={
            "prices": asdict(prices),
            "reached": [
                {
                    "route": route,
                    "f1": target,
                    "bill": bill_to_reach(curve, route, target, prices),
                    "savings": savings(curves, route, target, prices),
                }
                for route, curve in curves.items()
                for target in targets
            ],
        },
    )


def _others(curves: Curves) -> list[str]:
    return [route for route in curves if route != HUMANS]


def in_words(curves: Curves, what: str, targets: Sequence[float], prices: Prices) -> list[str]:
    """Who reaches what for how much, in sentences."""
    told = [f"Learning curves of {what}. A factor is only as good as the prices below."]
    for target in targets:
        costs = []
        for route, curve in curves.items():
            reached = bill_to_reach(curve, route, target, prices)
            factor = savings(curves, route, target, prices)
            name = NAMES.get(route, route)
            if reached is None:
                best = max(point.f1 for point in curve)
                costs.append(f"{name} does not reach it (at most {100 * best:.1f})")
            elif route == HUMANS or math.isnan(factor):
                costs.append(f"{name} ${reached.total:,.2f}")
            else:
                how = f"{factor:.2f} times less" if factor >= 1 else f"{1 / factor:.2f} times more"
                costs.append(f"{name} ${reached.total:,.2f} ({how})")
        told.append(f"F1 of {100 * target:g}: " + "; ".join(costs) + ".")
    return told


def _reach_section(curves: Curves, what: str, targets: Sequence[float], prices: Prices) -> Section:
    columns = [
        Column("way of working"),
        Column("F1", percent=True),
        *(Column(name, decimals=2, unit=" $") for name in ("human", "LLM", "GPU", "audit", "all")),
        Column("humans alone / this", decimals=2),
    ]
    rows: list[Sequence[Cell]] = []
    for target in targets:
        for route, curve in curves.items():
            reached = bill_to_reach(curve, route, target, prices)
            amounts: list[Cell] = [None] * 5
            if reached is not None:
                amounts = [reached.human, reached.llm, reached.gpu, reached.audit, reached.total]
            factor = savings(curves, route, target, prices)
            rows.append((NAMES.get(route, route), target, *amounts, factor))
    lines = [
        Series(
            NAMES.get(route, route),
            [bill(point, route, prices).total for point in curve],
            [100 * point.f1 for point in curve],
        )
        for route, curve in curves.items()
    ]
    note = "A dash: this F1 is not reached on the measured curve. Nothing is extrapolated."
    blocks: list[Block] = [
        learning_curve(f"Strict span F1 over cost, {what}", lines, "US dollars", "F1 in %"),
        Table("US dollars until an F1 is reached", columns, rows, note),
    ]
    return Section("Cost to reach an F1", blocks)


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
    rows = [(name.replace("_", " "), value) for name, value in asdict(prices).items()]
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
