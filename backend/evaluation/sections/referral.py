"""What a person should look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backend.evaluation.laboratory import Evaluation
from backend.evaluation.referral import SHARES, Referral
from backend.evaluation.sections.columns import Filled, table_of
from backend.reports.page import Column, Section, Text

MEANING = (
    "A person corrects a share of the texts without error: those on which answers differ in most "
    "spans (or: those with the highest entropy of tags), or as many at random."
)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    language: str
    doubter: str
    referral: Referral


def referral_section(found: Evaluation) -> Section:
    """What it is worth to correct the texts that answers disagree on."""
    rows = list(_rows(found))
    if not rows:
        return Section("Referral", ())
    table = table_of("F1 after correction", rows, _columns())
    return Section("What a person should look at", [Text(MEANING), table])


def _rows(found: Evaluation) -> Iterator[_Row]:
    for each in found.measured:
        if each.repeated:
            own, by_entropy = each.repeated.referral, each.repeated.referral_by_entropy
            yield _Row(each.name, each.language, "its own repetitions, by spans", own)
            yield _Row(each.name, each.language, "its own repetitions, by entropy", by_entropy)
    for result in found.languages.values():
        if result:
            (best, _), (second, _), *_ = result.ranking.order
            yield _Row(best, result.language, second, result.referral)


def _columns() -> list[Filled[_Row]]:
    columns: list[Filled[_Row]] = [
        (Column("annotator"), lambda row: row.name),
        (Column("language", words=True), lambda row: row.language),
        (Column("disagreeing with", words=True), lambda row: row.doubter),
        (Column("F1", percent=True), lambda row: row.referral.before),
    ]
    for share in SHARES:
        columns += _of_share(share)
    return columns


def _of_share(share: float) -> list[Filled[_Row]]:
    return [
        (
            Column(f"{share:.0%} corrected", percent=True),
            lambda row: row.referral.chosen[share],
        ),
        (Column("at random", percent=True), lambda row: row.referral.random[share]),
        (Column("gain", percent=True), lambda row: row.referral.gain(share)),
    ]
