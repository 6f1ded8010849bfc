"""Who is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.sections.columns import Filled, name_of, table_of
from backend.evaluation.sections.words import listed
from backend.evaluation.together import Ranking
from backend.quality.comparison import Comparison
from backend.reports.figures import Row, forest_panels
from backend.reports.page import Block, Column, Section, Table, Text


def ranking_section(found: Evaluation) -> Section:
    """Who is best: a figure, the table over all, a table for each language."""
    if not found.measured:
        return Section("Who is best", ())
    panels = {language: _rows(found, language) for language in found.languages}
    figure = forest_panels("Strict span F1 by language", panels, "F1", percent=True)
    by_language = [_language_table(found, language) for language in found.languages]
    return Section("Who is best", [figure, *_over_all(found.overall), *by_language])


def _over_all(ranking: Ranking | None) -> list[Block]:
    """The ranking over several languages, where there is one."""
    if ranking is None:
        return []
    table = _ranking_table(f"Over all: mean F1 over {listed(ranking.languages)}", ranking)
    if not ranking.left_out:
        return [table]
    left_out = (
        f"Not ranked over all, as not asked in every one of these languages: "
        f"{listed(ranking.left_out)}."
    )
    return [table, Text(left_out)]


def _rows(found: Evaluation, language: str) -> list[Row]:
    by_name = {each.name: each for each in found.of(language)}
    return [
        Row(name, by_name[name].result.scores.f1) for name in found.annotators if name in by_name
    ]


def _ranking_table(caption: str, ranking: Ranking) -> Table:
    tests = {each.second: each for each in ranking.comparisons}
    columns: list[Filled[tuple[str, float]]] = [
        (Column("annotator"), lambda row: row[0]),
        (Column("F1", percent=True), lambda row: row[1]),
        (
            Column("the first one's lead", percent=True),
            lambda row: tests[row[0]].difference if row[0] in tests else None,
        ),
        (Column("adjusted p", words=True), lambda row: _p(tests.get(row[0]))),
        (Column("finding", words=True), lambda row: _verdict(tests.get(row[0]))),
    ]
    table = table_of(
        caption,
        ranking.order,
        columns,
        "Two-sided permutation test over paired texts (9,999 swaps), adjusted by Holm for the "
        "comparisons of this table; level 5%. The lead has a paired bootstrap interval.",
    )
    return replace(table, strong=_strong(ranking, [name for name, _ in ranking.order]))


def _language_table(found: Evaluation, language: str) -> Table:
    result, shown = found.languages[language], found.of(language)
    tests = {each.second: each for each in result.ranking.comparisons} if result else {}
    columns: list[Filled[Measured]] = [
        (Column("annotator"), name_of),
        (Column("precision", percent=True), lambda each: each.result.scores.precision),
        (Column("recall", percent=True), lambda each: each.result.scores.recall),
        (Column("F1", percent=True), lambda each: each.result.scores.f1),
        (Column("texts"), lambda each: each.result.scores.texts),
        (Column("p against the first", words=True), lambda each: _p(tests.get(each.name))),
    ]
    table = table_of(f"{language}: first answers, failures as errors", shown, columns)
    if result is None:
        return table
    return replace(table, strong=_strong(result.ranking, [each.name for each in shown]))


def _strong(ranking: Ranking, names: Sequence[str]) -> frozenset[int]:
    """The rows of those that may be the best."""
    best = {ranking.best, *ranking.equals}
    return frozenset(at for at, name in enumerate(names) if name in best)


def _verdict(test: Comparison | None) -> str:
    if test is None:
        return "highest"
    return "worse" if test.is_significant() else "no significant difference"


def _p(test: Comparison | None) -> str | None:
    if test is None:
        return None
    return "< 0.001" if test.adjusted < 0.001 else f"{test.adjusted:.3f}"
