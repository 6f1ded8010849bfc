"""What answers are worth as they come, and what reading them with care wins back."""

from __future__ import annotations

from dataclasses import dataclass

from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.sections.columns import WHO, Filled, table_of
from backend.reports.page import Cell, Column, Section, Table, Text

READINGS = (
    "By position: JSON with exactly one item for each token, as the paper took it. Aligned: a "
    "plain global alignment of the given tokens with the text's. Repaired: as harambee reads "
    "answers. Accepted only leaves the failed texts out, which flatters whoever fails on the hard "
    "ones."
)


def failures_section(found: Evaluation) -> Section:
    """F1 by reading, and what no reading could use."""
    names = list(dict.fromkeys(name for each in found.measured for name in each.result.readings))
    if len(names) < 2:
        return Section("Failures", _problems(found))
    table = table_of("F1 of first answers by how they are read", found.measured, _columns(names))
    return Section(
        "What failures cost, and what repair wins back", [Text(READINGS), table, *_problems(found)]
    )


def _columns(names: list[str]) -> list[Filled[Measured]]:
    strictest, kindest = names[0], names[-1]

    def f1_as_read(name: str) -> Filled[Measured]:
        column = Column(f"{name}, failures as errors", percent=True)
        return column, lambda each: each.result.readings[name].scores.f1

    def failed(each: Measured) -> Cell:
        return each.result.readings[strictest].failed

    def accepted_f1(each: Measured) -> Cell:
        accepted = each.result.readings[strictest].accepted
        return accepted.f1 if accepted else None

    def accepted_texts(each: Measured) -> Cell:
        accepted = each.result.readings[strictest].accepted
        return accepted.texts if accepted else 0

    def every_answer(each: Measured) -> Cell:
        return each.result.readings[kindest].all_answers

    return [
        *WHO,
        (Column("failed"), failed),
        *map(f1_as_read, names),
        (Column(f"{strictest}, accepted only", percent=True), accepted_f1),
        (Column("accepted texts"), accepted_texts),
        (Column(f"all repetitions, {kindest}", percent=True), every_answer),
    ]


@dataclass(frozen=True, slots=True)
class _Problem:
    measured: Measured
    reason: str
    count: int


def _problems(found: Evaluation) -> list[Table]:
    problems = [
        _Problem(each, reason, count)
        for each in found.measured
        for reason, count in sorted(each.problems.items(), key=lambda item: -item[1])
    ]
    if not problems:
        return []
    columns: list[Filled[_Problem]] = [
        (Column("annotator"), lambda it: it.measured.name),
        (Column("language", words=True), lambda it: it.measured.language),
        (Column("answers or lines"), lambda it: it.count),
        (Column("why", words=True), lambda it: it.reason),
    ]
    return [table_of("What could not be used", problems, columns)]
