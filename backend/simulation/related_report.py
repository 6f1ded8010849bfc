"""What labels of other languages brought in a simulation, beside the same runs without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.quality.intervals import Interval
from backend.reports.page import Column, Section, Table, Text
from backend.simulation.curves import Kind, Outcomes

EXPLANATION = (
    "Every curve is played twice: with the language's own labels only, and with those of the "
    "others at hand. The others' labels enter a training only where cross-validation on the labels "
    "bought by then is in favour. The tagger of the whole pool never has them."
)


@dataclass(frozen=True, slots=True)
class Helped:
    """What other languages changed in one place and way of working, by round.

    ``gain``: F1 above the same without them, seed by seed; ``used``: the share of trainings that
    they entered, in [0, 1].
    """

    language: str
    kind: Kind
    gain: tuple[Interval, ...]
    used: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """The form in which it is written down."""
        return {
            "language": self.language,
            "strategy": self.kind.strategy,
            "route": self.kind.route.value,
            "gain": [each.as_json() for each in self.gain],
            "share_of_trainings": list(self.used),
        }


def helped(outcomes: Outcomes) -> list[Helped]:
    """Every way of working that had other languages' labels at hand."""
    return [
        _helped(outcomes, place, kind)
        for place in outcomes.places
        for kind in outcomes.kinds
        if kind.auxiliary
    ]


def _helped(outcomes: Outcomes, place: str, kind: Kind) -> Helped:
    alone = replace(kind, auxiliary=False)
    used = outcomes.measured(place, kind, "helped").mean(axis=0)
    gains = (outcomes.difference(place, kind, alone, number) for number in range(len(used)))
    return Helped(
        place,
        kind,
        tuple(gain for gain in gains if gain is not None),
        tuple(round(float(share), 4) for share in used),
    )


def auxiliary_section(
    outcomes: Outcomes, described: Mapping[str, Any], name: Callable[[Kind], str]
) -> Section:
    """The section of the page. ``described``: what others bring to each language."""
    found = helped(outcomes)
    rounds = range(max(len(each.used) for each in found))
    columns = [
        Column("text", words=True),
        Column("queries", words=True),
        *(Column(str(number), percent=True) for number in rounds),
    ]
    gains, shares = (
        [
            [each.language, name(each.kind), *values, *[None] * (len(rounds) - len(values))]
            for each in reversed(found)
            for values in [getattr(each, measure)]
        ]
        for measure in ("gain", "used")
    )
    note = "By round, 0 being the first texts; taken seed by seed, with 95% t-intervals."
    brought = "; ".join(
        f"{language} gets "
        + ", ".join(f"{each['texts']:,} texts of {source}" for source, each in sources.items())
        for language, sources in described.items()
    )
    return Section(
        "Labels of other languages",
        [
            Text(f"{EXPLANATION} {brought}; texts that are in its own corpus too are left out."),
            Table("F1 above own labels only, in points", columns, gains, note),
            Table("Share of trainings that they entered, in %", columns, shares),
        ],
    )
