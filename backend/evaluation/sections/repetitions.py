"""Whether asking again helps, and whether what is stable is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.repetitions import Repetitions
from backend.evaluation.sections.columns import Filled, table_of
from backend.quality.intervals import wilson
from backend.reports.figures import Series, reliability_diagram
from backend.reports.page import Column, Section, Table, Text

Repeated = tuple[Measured, Repetitions]
"""A cell with its repetitions, where there are any."""

MOST_CURVES = 4
WHO: tuple[Filled[Repeated], ...] = (
    (Column("annotator"), lambda row: row[0].name),
    (Column("language", words=True), lambda row: row[0].language),
)
VOTES: tuple[Filled[Repeated], ...] = (
    *WHO,
    (Column("answers"), lambda row: row[1].asked),
    (Column("majority F1", percent=True), lambda row: row[1].majority),
    (Column("gain over the first", percent=True), lambda row: row[1].gain),
    (Column("right of unanimous", percent=True), lambda row: row[1].unanimous),
    (Column("unanimous spans"), lambda row: row[1].unanimous_spans),
    (Column("calibration error of the majority", 2), lambda row: row[1].majority_error),
    (Column("of all spans", 2), lambda row: row[1].error),
)
STABLE: tuple[Filled[Repeated], ...] = (
    *WHO,
    (
        Column("span F1 between answers", percent=True),
        lambda row: row[1].with_failures.span_f1,
    ),
    (
        Column("span F1, without failures", percent=True),
        lambda row: row[1].without_failures.span_f1,
    ),
    (Column("equal tags", percent=True), lambda row: row[1].with_failures.token_share),
    (Column("Fleiss' kappa", 2), lambda row: row[1].with_failures.kappa),
    (Column("kappa, without failures", 2), lambda row: row[1].without_failures.kappa),
    (Column("Krippendorff's alpha", 2), lambda row: row[1].with_failures.alpha),
    (Column("alpha, without failures", 2), lambda row: row[1].without_failures.alpha),
    (Column("alpha over spans", 2), lambda row: row[1].with_failures.span_alpha),
    (
        Column("alpha over spans, without failures", 2),
        lambda row: row[1].without_failures.span_alpha,
    ),
)
MEANING = (
    "A span that every answer gives looks certain. The share of these that is right says how far "
    "that goes; the calibration error is the distance between the share of answers that give a "
    "span and the share of such spans that is right."
)


def repetitions_section(found: Evaluation) -> Section:
    """The votes of one annotator's answers, and how far these agree."""
    repeated = [(each, each.repeated) for each in found.measured if each.repeated]
    if not repeated:
        return Section("Repetitions", ())
    diagram = reliability_diagram(
        "Share of answers that give a span, and share of such spans that is right",
        _curves(found, repeated),
        "share of answers",
    )
    return Section(
        "Asking the same annotator again",
        [Text(MEANING), diagram, _votes_table(repeated), _stability_table(repeated)],
    )


def _votes_table(repeated: Sequence[Repeated]) -> Table:
    note = "The majority holds the spans that at least half of the answers give."
    return table_of("Votes", repeated, VOTES, note)


def _stability_table(repeated: Sequence[Repeated]) -> Table:
    note = (
        "Kappa and alpha are over tokens, O included. A failed answer gives no span and agrees on "
        "no token; a dash stands where chance alone would agree."
    )
    return table_of("Do the answers agree with each other?", repeated, STABLE, note)


def _curves(found: Evaluation, repeated: Sequence[Repeated]) -> list[Series]:
    """The best annotators' bins, pooled over languages."""
    curves = [
        _curve(name, [it for each, it in repeated if each.name == name])
        for name in found.annotators
        if any(it.bins for each, it in repeated if each.name == name)
    ]
    return curves[:MOST_CURVES]


def _curve(name: str, cells: Sequence[Repetitions]) -> Series:
    right, given = Counter[float](), Counter[float]()
    for one in (one for cell in cells for one in cell.bins):
        place = round(one.confidence, 6)
        right[place] += one.right
        given[place] += one.count
    places = sorted(given)
    shares = [wilson(right[place], given[place]) for place in places]
    return Series(
        name,
        places,
        [share.value for share in shares],
        [share.low for share in shares],
        [share.high for share in shares],
    )
