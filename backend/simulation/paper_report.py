"""The paper's protocol beside its published curves, in its own measure and in ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.quality.intervals import Interval
from backend.reports.figures import Series, learning_curve_panels
from backend.reports.page import Block, Column, Figure, Section, Table, Text
from backend.simulation.curves import Outcomes
from backend.simulation.plan import PAPER, Route

Published = Mapping[tuple[str, Route], Sequence[float]]

WHOSE: Mapping[Route, str] = {Route.ALL_HUMAN: "gold", Route.LLM_ONLY: "LLM"}

DIFFERENCES: tuple[tuple[str, str, str], ...] = (
    ("tagger", "AfroXLMR-mini, fine-tuned for 50 epochs, the last epoch kept", "{tagger}"),
    ("LLM of the second curve", "GPT-4-Turbo, asked live", "{llm}"),
    ("runs", "one", "{seeds}, intervals over them"),
    (
        "first texts",
        "5%, by gold labels; the code shows the rule for another sample only",
        "that rule",
    ),
    ("measure", "accuracy on subwords of gold mentions", "the same on tokens; and strict span F1"),
)
"""What is not the paper's: its side and ours."""

SAME = (
    "The same are: 5% of the texts a round, by mean entropy over a padded length; a pool that does "
    "not shrink, so that texts are bought twice; training anew each round; ten rounds with gold "
    "labels, five with an LLM's, whose failed answers are dropped."
)
MEASURES = (
    "The paper's measure looks at tokens of gold mentions only, so a span where nothing is costs "
    "nothing: it is not comparable with strict span F1, which stands beside it. Between the two "
    "panels only the measure differs where names are the same."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One language and one kind of labels: published and ours by round, in [0, 1].

    ``published`` is empty for a language that the paper has no curve of.
    """

    language: str
    route: Route
    published: tuple[float, ...]
    accuracy: tuple[Interval, ...]
    f1: tuple[Interval, ...]

    def as_json(self) -> dict[str, Any]:
        """The form in which it is written down."""
        return {
            "language": self.language,
            "labels": WHOSE[self.route],
            "published_accuracy": list(self.published),
            "accuracy": [each.as_json() for each in self.accuracy],
            "strict_f1": [each.as_json() for each in self.f1],
        }


def comparisons(outcomes: Outcomes, published: Published) -> list[Comparison]:
    """Every run of the paper's protocol beside what was published of it."""
    return [
        Comparison(
            language,
            kind.route,
            tuple(published.get((language, kind.route), ())),
            tuple(outcomes.accuracy(language, kind)),
            tuple(point.f1 for point in outcomes.curve(language, kind)),
        )
        for language in outcomes.languages
        for kind in outcomes.kinds
        if kind.strategy == PAPER
    ]


def paper_section(
    outcomes: Outcomes, published: Published, strategy: str, tagger: str, llm: str
) -> Section:
    """Curves and a table; ``strategy``: of our protocol, which stands beside it in strict F1."""
    found = comparisons(outcomes, published)
    blocks: list[Block] = [_differences(tagger, llm, outcomes.seeds), Text(SAME), Text(MEASURES)]
    for language in outcomes.languages:
        here = [each for each in found if each.language == language]
        own = {
            f"our protocol, {kind.route.value}": [
                point.f1 for point in outcomes.curve(language, kind)
            ]
            for kind in outcomes.kinds
            if kind.strategy == strategy and not kind.auxiliary
        }
        blocks += [_figure(language, here, own), _table(language, here, own)]
    return Section("The protocol of Kholodna et al. (2024)", blocks)


def _differences(tagger: str, llm: str, seeds: int) -> Table:
    known = {"tagger": tagger, "llm": llm, "seeds": seeds}
    rows = [[name, theirs, ours.format(**known)] for name, theirs, ours in DIFFERENCES]
    columns = [Column(heading, words=True) for heading in ("", "the paper", "here")]
    return Table("What is not the paper's", columns, rows)


Curves = Mapping[str, Sequence[Interval]]


def _figure(language: str, found: Sequence[Comparison], own: Curves) -> Figure:
    in_its_measure, strict = [], []
    for each in found:
        name = f"its protocol here, {WHOSE[each.route]} labels"
        in_its_measure.append(_series(name, each.accuracy))
        strict.append(_series(name, each.f1))
        if each.published:
            values = [100 * value for value in each.published]
            label = f"published, {WHOSE[each.route]} labels"
            in_its_measure.append(Series(label, list(range(len(values))), values, dashed=True))
    strict += [_series(name, values) for name, values in own.items()]
    panels = {
        "the paper's measure: tokens of gold mentions": in_its_measure,
        "strict span F1: false positives count": strict,
    }
    return learning_curve_panels(f"{language}: by round", panels, "round", "%")


def _series(name: str, values: Sequence[Interval]) -> Series:
    """In %; the bands of few seeds reach beyond what there is, and are cut off there."""
    middle, low, high = (
        (100 * np.clip([getattr(each, bound) for each in values], 0, 1)).tolist()
        for bound in ("value", "low", "high")
    )
    return Series(name, list(range(len(values))), middle, low, high)


def _table(language: str, found: Sequence[Comparison], own: Curves) -> Table:
    columns = [Column("round", decimals=0)]
    cells: list[Sequence[Interval | float | None]] = []
    for each in found:
        labels = WHOSE[each.route]
        columns += [
            Column(f"published, {labels}", percent=True, decimals=0),
            Column(f"here, {labels}", percent=True),
            Column(f"strict F1, {labels}", percent=True),
        ]
        cells += [each.published, each.accuracy, each.f1]
    columns += [Column(f"{name}, strict F1", percent=True) for name in own]
    cells += own.values()
    rounds = max(len(column) for column in cells)
    rows = [
        [str(at), *(column[at] if at < len(column) else None for column in cells)]
        for at in range(rounds)
    ]
    return Table(
        f"{language}, by round, in %",
        columns,
        rows,
        "published and here: the paper's accuracy on tokens of gold mentions. Intervals: 95%, "
        "Student's t over seeds.",
    )
