"""What several annotators agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.evaluation.laboratory import Evaluation
from backend.evaluation.sections.columns import Filled, table_of
from backend.evaluation.together import LanguageResult, Pair
from backend.reports.figures import Row, forest
from backend.reports.page import Column, Figure, Section, Table, Text

MEANING = (
    "Two annotators that err in different ways are a test of each other: a span that both give is "
    "far more often right than one that one of them gives alone."
)
PAIRS: tuple[Filled[tuple[str, Pair]], ...] = (
    (Column("annotators"), lambda row: f"{row[1].first}, {row[1].second}"),
    (Column("language", words=True), lambda row: row[0]),
    (Column("texts both answered"), lambda row: row[1].texts),
    (Column("F1 between them", percent=True), lambda row: row[1].f1),
    (Column("both give", percent=True), lambda row: row[1].both),
    (Column("only the first", percent=True), lambda row: row[1].only_first),
    (Column("only the second", percent=True), lambda row: row[1].only_second),
)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A language, and how many annotators it has."""

    result: LanguageResult
    annotators: int


WHOLE: tuple[Filled[_Whole], ...] = (
    (Column("language"), lambda row: row.result.language),
    (Column("annotators"), lambda row: row.annotators),
    (
        Column("span F1 between them", percent=True),
        lambda row: row.result.with_failures.span_f1,
    ),
    (
        Column("span F1, without failures", percent=True),
        lambda row: row.result.without_failures.span_f1,
    ),
    (Column("Fleiss' kappa", 2), lambda row: row.result.with_failures.kappa),
    (Column("kappa, without failures", 2), lambda row: row.result.without_failures.kappa),
    (Column("Krippendorff's alpha", 2), lambda row: row.result.with_failures.alpha),
    (Column("alpha, without failures", 2), lambda row: row.result.without_failures.alpha),
    (Column("alpha over spans", 2), lambda row: row.result.with_failures.span_alpha),
)


def agreement_section(found: Evaluation) -> Section:
    """What two annotators agree on, and how far all of a language do."""
    together = [result for result in found.languages.values() if result]
    if not together:
        return Section("Agreement", ())
    whole = [_Whole(result, len(found.of(result.language))) for result in together]
    return Section(
        "Where annotators agree",
        [
            Text(MEANING),
            *_best_pairs_figure(together),
            _pairs_table(together),
            table_of("All annotators of a language", whole, WHOLE),
        ],
    )


def _pairs_table(together: Sequence[LanguageResult]) -> Table:
    return table_of(
        "Share of spans that is right, of every two annotators",
        [(result.language, pair) for result in together for pair in result.pairs if pair.texts],
        PAIRS,
        "First answers, on the texts that neither failed on; Wilson intervals.",
    )


def _best_pairs_figure(together: Sequence[LanguageResult]) -> list[Figure]:
    """For each language the two best annotators that answered some texts both."""
    rows = []
    for result in together:
        pair = _best_pair(result)
        rows += _pair_rows(result.language, pair) if pair else []
    caption = "Share of spans that is right, of the two best annotators"
    return [forest(caption, rows, "right, %", percent=True)] if rows else []


def _best_pair(result: LanguageResult) -> Pair | None:
    ranked = {name: at for at, (name, _) in enumerate(result.ranking.order)}
    pairs = [pair for pair in result.pairs if pair.counts[0]]
    return min(pairs, key=lambda it: ranked[it.first] + ranked[it.second], default=None)


def _pair_rows(language: str, pair: Pair) -> list[Row]:
    rows = (
        Row(f"{language}: {pair.first} and {pair.second}", pair.both, "both give"),
        Row(f"{language}: {pair.first} alone", pair.only_first, "one gives alone"),
        Row(f"{language}: {pair.second} alone", pair.only_second, "one gives alone"),
    )
    return [row for row in rows if row.interval.value >= 0]  # not NaN: there are such spans
