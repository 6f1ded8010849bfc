"""What an LLM's labels brought in a simulation: the default route beside those of one labeller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.quality.intervals import Interval
from backend.reports.page import Cell, Column, Section, Table
from backend.simulation.curves import Kind, Outcomes
from backend.simulation.plan import Route


@dataclass(frozen=True, slots=True)
class Shared:
    """The default route in one place, after the last round.

    ``better``: the route of humans alone or of the LLM alone, whichever has the higher mean F1;
    ``gain``: F1 above it, in [-1, 1]; ``share``: of the F1 where humans label everything, ``None``
    where that was not played. Both are taken seed by seed.
    """

    language: str
    kind: Kind
    better: Route
    gain: Interval | None
    share: Interval | None

    def as_json(self) -> dict[str, Any]:
        """The form in which it is written down."""
        return {
            "language": self.language,
            "strategy": self.kind.strategy,
            "auxiliary": self.kind.auxiliary,
            "better_of_human_only_and_llm_only": self.better.value,
            "default_less_better": self.gain.as_json() if self.gain else None,
            "share_of_all_human": self.share.as_json() if self.share else None,
        }


def shared(outcomes: Outcomes) -> list[Shared]:
    """Every default route that was played, by place."""
    return [
        _shared(outcomes, place, kind)
        for place in outcomes.places
        for kind in outcomes.kinds
        if kind.route is Route.DEFAULT
    ]


def _shared(outcomes: Outcomes, place: str, kind: Kind) -> Shared:
    better, all_human = _better(outcomes, place, kind), replace(kind, route=Route.ALL_HUMAN)
    is_known = all_human in outcomes.kinds
    return Shared(
        place,
        kind,
        better.route,
        gain=outcomes.difference(place, kind, better, -1),
        share=outcomes.share_of(place, kind, all_human) if is_known else None,
    )


def _better(outcomes: Outcomes, place: str, kind: Kind) -> Kind:
    """Of humans alone and the LLM alone, what did better; humans alone are always played."""
    alone = [replace(kind, route=route) for route in (Route.HUMAN_ONLY, Route.LLM_ONLY)]
    return max(
        (other for other in alone if other in outcomes.kinds),
        key=lambda other: outcomes.f1(place, other)[:, -1].mean(),
    )


def routes_section(found: Sequence[Shared]) -> Section:
    """The section of the page."""
    columns = [
        Column("language", words=True),
        Column("queries", words=True),
        Column("better of human-only and llm-only", words=True),
        Column("default route above it", percent=True),
        Column("share of all-human F1", percent=True, unit="%"),
    ]
    rows: list[list[Cell]] = [
        [
            each.language,
            replace(each.kind, route=Route.ALL_HUMAN).name,  # the queries alone
            each.better.value,
            each.gain,
            each.share,
        ]
        for each in found
    ]
    table = Table("The default route after the last round", columns, rows)
    return Section("Who labels", [table])
