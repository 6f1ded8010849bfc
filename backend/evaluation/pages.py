"""The report of an evaluation: what it found, for a person who has to choose an annotator."""

from __future__ import annotations

from collections.abc import Sequence

from backend.evaluation import page_details as details
from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.together import Ranking
from backend.quality.intervals import Interval
from backend.reports.figures import Row, forest_panels
from backend.reports.page import Block, Cell, Column, Provenance, Report, Section, Table, Text


def report_of(found: Evaluation, provenance: Provenance) -> Report:
    """The whole report."""
    sections = [
        ranking_section(found),
        details.failures_section(found),
        details.labels_section(found),
        details.errors_section(found),
        details.tokens_section(found),
        details.repetitions_section(found),
        details.pairs_section(found),
        details.referral_section(found),
        details.costs_section(found),
    ]
    return Report(
        "How good is each annotator?",
        lead(found),
        [section for section in sections if section.blocks],
        provenance,
        {"cells": found.measured, "languages": found.languages, "overall": found.overall},
    )


def lead(found: Evaluation) -> list[str]:
    """The answer in a few sentences."""
    said = []
    if found.overall:
        said.append(
            f"Over {listed(found.overall.languages)}, {standing(found.overall)}"
            + _cheapest(found, found.overall)
        )
        best = {
            language: result.ranking.best for language, result in found.languages.items() if result
        }
        if len(set(best.values())) > 1:
            each = ", ".join(f"{name} in {language}" for language, name in best.items())
            said.append(f"By language, the highest F1 is that of {each}.")
    else:
        for language, result in found.languages.items():
            if result:
                said.append(f"In {language}, {standing(result.ranking)}")
    if not said:
        scores = [
            f"{each.name} reaches {interval(each.result.scores.f1)} in {each.language}"
            for each in found.measured
        ]
        said.append(f"Strict span F1 in %: {'; '.join(scores)}.")
    said.append(
        "Scores are strict span F1 in % with 95% intervals over texts. A failed answer counts as "
        "one that found nothing."
    )
    return said


def standing(ranking: Ranking) -> str:
    """Who is best, and who may be as good."""
    name, f1 = ranking.order[0]
    said = f"{name} has the highest F1 ({100 * f1:.1f})"
    if not ranking.equals:
        return f"{said}, significantly above every other."
    said = f"{said}, without a significant difference from {listed(ranking.equals)}"
    every = len(ranking.equals) == len(ranking.comparisons)
    return f"{said}." if every else f"{said}; every other one is significantly worse."


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def interval(value: Interval) -> str:
    """A share with its bounds, in per cent."""
    return f"{100 * value.value:.1f} ({100 * value.low:.1f}–{100 * value.high:.1f})"


def _cheapest(found: Evaluation, ranking: Ranking) -> str:
    """Of those that may be the best, the one whose right spans cost least."""
    costs: dict[str, float] = {}
    for name in (ranking.best, *ranking.equals):
        known = [
            float(each.usd_per_right_span)
            for each in found.measured
            if each.name == name
            and each.language in ranking.languages
            and each.usd_per_right_span is not None
        ]
        if len(known) == len(ranking.languages):
            costs[name] = sum(known) / len(known)
    if len(costs) < 2:
        return ""
    cheapest = min(costs, key=lambda name: costs[name])
    return (
        f" Of these, {cheapest} costs least: about ${costs[cheapest]:.4f} for each right span "
        f"(see what the cost rests on)."
    )


def ranking_section(found: Evaluation) -> Section:
    """Who is best: a figure, the table over all, a table for each language."""
    if not found.measured:
        return Section("Who is best", ())
    panels = {language: _rows(found, language) for language in found.languages}
    blocks: list[Block] = [
        forest_panels("Strict span F1 by language", panels, "F1", percent=True),
    ]
    if found.overall:
        caption = f"Over all: mean F1 over {listed(found.overall.languages)}"
        blocks.append(_ranking_table(caption, found.overall))
        if found.overall.left_out:
            blocks.append(
                Text(
                    f"Not ranked over all, as not asked in every one of these languages: "
                    f"{listed(found.overall.left_out)}."
                )
            )
    blocks += [_language_table(found, language) for language in found.languages]
    return Section("Who is best", blocks)


def _rows(found: Evaluation, language: str) -> list[Row]:
    by_name = {each.name: each for each in found.of(language)}
    return [
        Row(name, by_name[name].result.scores.f1) for name in found.annotators if name in by_name
    ]


def _ranking_table(caption: str, ranking: Ranking) -> Table:
    against = {each.second: each for each in ranking.comparisons}
    rows: list[tuple[Cell, ...]] = []
    for name, f1 in ranking.order:
        if name in against:
            test = against[name]
            verdict = "worse" if test.is_significant() else "no significant difference"
            rows.append((name, f1, test.difference, _p(test.adjusted), verdict))
        else:
            rows.append((name, f1, None, None, "highest"))
    return Table(
        caption,
        [
            Column("annotator"),
            Column("F1", percent=True),
            Column("the first one's lead", percent=True),
            Column("adjusted p", words=True),
            Column("finding", words=True),
        ],
        rows,
        "Two-sided permutation test over paired texts (9,999 swaps), adjusted by Holm for the "
        "comparisons of this table; level 5%. The lead has a paired bootstrap interval.",
        strong=_strong(ranking, [name for name, _ in ranking.order]),
    )


def _language_table(found: Evaluation, language: str) -> Table:
    result = found.languages[language]
    against = {each.second: each for each in result.ranking.comparisons} if result else {}

    def row(each: Measured) -> tuple[Cell, ...]:
        scores = each.result.scores
        test = against.get(each.name)
        p_value = _p(test.adjusted) if test else None
        return each.name, scores.precision, scores.recall, scores.f1, scores.texts, p_value

    shown = found.of(language)
    return Table(
        f"{language}: first answers, failures as errors",
        [
            Column("annotator"),
            Column("precision", percent=True),
            Column("recall", percent=True),
            Column("F1", percent=True),
            Column("texts"),
            Column("p against the first", words=True),
        ],
        [row(each) for each in shown],
        strong=_strong(result.ranking, [each.name for each in shown]) if result else frozenset(),
    )


def _strong(ranking: Ranking, names: Sequence[str]) -> frozenset[int]:
    """The rows of those that may be the best."""
    best = {ranking.best, *ranking.equals}
    return frozenset(at for at, name in enumerate(names) if name in best)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
