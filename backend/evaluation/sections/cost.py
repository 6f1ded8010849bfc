"""What right spans cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from backend.evaluation.cells import Bill
from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.sections.columns import Filled, table_of
from backend.reports.figures import scatter
from backend.reports.page import Cell, Column, Figure, Section, Text

Billed = tuple[Measured, Bill]


def _usd_of_text(row: Billed) -> Cell:
    _, bill = row
    return None if bill.usd is None else float(bill.usd) / bill.answers


def _usd_of_right_span(row: Billed) -> Cell:
    usd = row[0].usd_per_right_span
    return None if usd is None else float(usd)


COSTS: tuple[Filled[Billed], ...] = (
    (Column("annotator"), lambda row: row[0].name),
    (Column("language", words=True), lambda row: row[0].language),
    (Column("input tokens", 0), lambda row: row[1].input_tokens / row[1].answers or None),
    (Column("output tokens", 0), lambda row: row[1].output_tokens / row[1].answers or None),
    (Column("$ a text", 5), _usd_of_text),
    (Column("$ a right span", 5), _usd_of_right_span),
    (Column("tokens", words=True), lambda row: "estimated" if row[1].estimated else "billed"),
)


def costs_section(found: Evaluation) -> Section:
    """What one answer and one right span cost, and what that rests on."""
    billed = [(each, each.bill) for each in found.measured if each.bill and each.bill.answers]
    if not billed:
        return Section("Cost", ())
    bases = sorted({bill.basis for _, bill in billed})
    table = table_of(
        "Cost of one answer to each text",
        billed,
        COSTS,
        "Failed answers are paid for too. A dash: no price known; give one with --price.",
    )
    return Section(
        "Cost of a right span",
        [Text(f"What the numbers rest on: {'. '.join(bases)}."), *_cost_figure(billed), table],
    )


def _cost_figure(billed: Sequence[Billed]) -> list[Figure]:
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each, bill in billed:
        if bill.usd:
            points[each.name].append((1000 * float(bill.usd) / bill.answers, 100 * each.f1))
    if not points:
        return []
    return [scatter("Cost and quality", points, "$ for 1,000 texts", "F1", log_x=True)]
