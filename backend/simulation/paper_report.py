"""The paper's protocol beside its published curves, in its own measure and in ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.quality.intervals import Interval
from backend.reports.figures import Series, learning_curve
from backend.reports.page import Block, Column, Section, Table, Text
from backend.simulation.curves import Kind, Outcomes
from backend.simulation.plan import PAPER, Route

Published = Mapping[tuple[str, Route], Sequence[float]]

WHOSE: Mapping[Route, str] = {Route.ALL_HUMAN: "gold", Route.LLM_ONLY: "LLM"}

DIFFERENCES = (
    "What is not the paper's: its tagger is AfroXLMR-mini, fine-tuned for 50 epochs, "
    "ours is {tagger}; it counts subwords, ours counts tokens; its LLM was GPT-4-Turbo asked live, "
    "ours is {llm}; "
    "its rule for the first texts is known for another sample only. What is: first texts chosen "
    "by gold labels, 5% a round by mean entropy over a padded length, a pool that does not shrink "
    "(texts are bought twice), training anew each round, {seeds} runs where it has one.",
    "Its measure looks at tokens of gold mentions only, so a span where nothing is costs nothing: "
    "it is not comparable with strict span F1, which is given beside it.",
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
    outcomes: Outcomes, published: Published, own: Kind, tagger: str, llm: str
) -> Section:
    """Curves and a table; ``own``: our protocol, which stands beside it in strict F1."""
    found = comparisons(outcomes, published)
    said = [line.format(tagger=tagger, llm=llm, seeds=outcomes.seeds) for line in DIFFERENCES]
    blocks: list[Block] = [Text(line) for line in said]
    for language in outcomes.languages:
        here = [each for each in found if each.language == language]
        blocks.append(_figure(language, here))
        blocks.append(_table(language, here, outcomes, own))
    return Section("The protocol of Kholodna et al. (2024)", blocks)


def _figure(language: str, found: Sequence[Comparison]) -> Block:
    series = []
    for each in found:
        labels = WHOSE[each.route]
        rounds = list(range(len(each.accuracy)))
        series.append(
            Series(
                f"here, {labels} labels",
                rounds,
                [100 * value.value for value in each.accuracy],
                [100 * value.low for value in each.accuracy],
                [100 * value.high for value in each.accuracy],
            )
        )
        if each.published:
            values = [100 * value for value in each.published]
            series.append(Series(f"published, {labels} labels", list(range(len(values))), values))
    caption = f"{language}: the paper's protocol in the paper's measure"
    return learning_curve(caption, series, "round", "accuracy on tokens of gold mentions, %")


def _table(language: str, found: Sequence[Comparison], outcomes: Outcomes, own: Kind) -> Table:
    own_f1 = [point.f1 for point in outcomes.curve(language, own)]
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
    columns.append(Column(f"our protocol ({own.name}), strict F1", percent=True))
    cells.append(own_f1)
    rounds = max(len(column) for column in cells)
    rows = [
        [str(at), *(column[at] if at < len(column) else None for column in cells)]
        for at in range(rounds)
    ]
    return Table(
        f"{language}, by round, in %",
        columns,
        rows,
        "published and here: the paper's accuracy on tokens of gold mentions.",
    )
