"""Where first answers go wrong, and what looks better than strict F1."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.measures import LONGEST, length_name
from backend.evaluation.sections.columns import WHO, Filled, table_of
from backend.quality.span_errors import Finding
from backend.reports.figures import stacked_bars
from backend.reports.page import Column, Figure, Section, Table, Text

TOKENS = (
    "Most tokens are outside of every entity, so token accuracy is high for whoever marks little. "
    "The paper's consistency is token accuracy against gold, averaged over repetitions that did "
    "not fail: it says nothing of consistency. Its metric for taggers leaves out every token "
    "outside of gold entities, so spurious spans are free. They are here for comparison."
)


def labels_section(found: Evaluation) -> Section:
    """F1 by label and by how long an entity is."""

    def of_label(label: str) -> Filled[Measured]:
        return Column(label, percent=True), lambda each: each.result.by_label[label].f1

    def of_length(name: str) -> Filled[Measured]:
        return Column(name, percent=True), lambda each: each.result.by_length[name].f1

    lengths = [length_name(length) for length in range(1, LONGEST + 1)]
    return Section(
        "By label and by length",
        [
            table_of(
                "F1 by label",
                found.measured,
                [*WHO, *map(of_label, found.labels)],
                f"Entities to find: {_to_find(found)}.",
            ),
            table_of(
                "F1 by length of the entity", found.measured, [*WHO, *map(of_length, lengths)]
            ),
        ],
    )


def _to_find(found: Evaluation) -> str:
    """How many entities of each label the texts of all languages hold."""
    first = [found.of(language)[0].result for language in found.languages]
    counts = {label: sum(each.by_label[label].gold for each in first) for label in found.labels}
    return ", ".join(f"{count} {label}" for label, count in counts.items())


def errors_section(found: Evaluation) -> Section:
    """What kind of errors annotators make."""

    def count_of(kind: Finding) -> Filled[Measured]:
        return Column(kind.value, 0), lambda each: each.result.findings[kind]

    return Section(
        "Kinds of error",
        [
            _errors_figure(found),
            table_of(
                "Spans by what became of them",
                found.measured,
                [*WHO, *map(count_of, Finding)],
                "A wrong span is paired with at most one entity that nobody found; what has no "
                "partner is missed or spurious.",
            ),
            _label_errors_table(found),
        ],
    )


@dataclass(frozen=True, slots=True)
class _LabelErrors:
    name: str
    label: str
    findings: Counter[Finding]


def _label_errors_table(found: Evaluation) -> Table:
    """Which label each annotator errs on, over all its languages."""

    def count_of(kind: Finding) -> Filled[_LabelErrors]:
        return Column(kind.value, 0), lambda row: row.findings[kind]

    rows = [
        _LabelErrors(name, label, _pooled(found, name, label))
        for name in found.annotators
        for label in found.labels
    ]
    columns: list[Filled[_LabelErrors]] = [
        (Column("annotator"), lambda row: row.name),
        (Column("label", words=True), lambda row: row.label),
        *map(count_of, Finding),
    ]
    return table_of(
        "Spans by label, all languages together",
        rows,
        columns,
        "By the label of the entity that was to be found; a spurious span by its own.",
    )


def _pooled(found: Evaluation, name: str, label: str) -> Counter[Finding]:
    cells = (each.result for each in found.measured if each.name == name)
    return sum((cell.label_findings[label] for cell in cells), start=Counter())


def _errors_figure(found: Evaluation) -> Figure:
    names = found.annotators
    cells = {name: [each.result for each in found.measured if each.name == name] for name in names}
    gold = {name: sum(each.scores.gold for each in cells[name]) or 1 for name in names}
    parts = {
        kind.value: [
            100 / gold[name] * sum(each.findings[kind] for each in cells[name]) for name in names
        ]
        for kind in Finding
        if kind is not Finding.RIGHT
    }
    return stacked_bars("Errors for every 100 entities to find", names, parts, "errors")


def tokens_section(found: Evaluation) -> Section:
    """What looks better than strict F1, beside it."""
    columns: list[Filled[Measured]] = [
        *WHO,
        (Column("strict F1", percent=True), lambda each: each.f1),
        (
            Column("token accuracy, failures wrong", percent=True),
            lambda each: each.result.tokens.accuracy,
        ),
        (
            Column("the paper's consistency", percent=True),
            lambda each: each.result.tokens.accepted,
        ),
        (
            Column("accuracy inside gold entities", percent=True),
            lambda each: each.result.tokens.entity,
        ),
    ]
    table = table_of("Strict F1 and what it is often replaced by", found.measured, columns)
    return Section("Beside strict F1", [Text(TOKENS), table])
