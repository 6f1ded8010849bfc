"""The report of an evaluation: what it found, for a person who has to choose an annotator."""

from __future__ import annotations

from backend.evaluation.laboratory import Evaluation
from backend.evaluation.ranges import ranges
from backend.evaluation.sections.agreement import agreement_section
from backend.evaluation.sections.cost import costs_section
from backend.evaluation.sections.failures import failures_section
from backend.evaluation.sections.over_languages import over_languages_section
from backend.evaluation.sections.ranking import ranking_section
from backend.evaluation.sections.referral import referral_section
from backend.evaluation.sections.repetitions import repetitions_section
from backend.evaluation.sections.scores import errors_section, labels_section, tokens_section
from backend.evaluation.sections.words import interval, listed, standing
from backend.evaluation.together import Ranking
from backend.reports.page import Provenance, Report


def report_of(found: Evaluation, provenance: Provenance) -> Report:
    """The whole report."""
    sections = [
        ranking_section(found),
        over_languages_section(found),
        failures_section(found),
        labels_section(found),
        errors_section(found),
        tokens_section(found),
        repetitions_section(found),
        agreement_section(found),
        referral_section(found),
        costs_section(found),
    ]
    return Report(
        "How good is each annotator?",
        lead(found),
        [section for section in sections if section.blocks],
        provenance,
        {
            "cells": found.measured,
            "languages": found.languages,
            "overall": found.overall,
            "ranges": ranges(found),
        },
    )


def lead(found: Evaluation) -> list[str]:
    """The answer in a few sentences."""
    return [
        *(_over_all(found, found.overall) if found.overall else _by_language(found)),
        "Scores are strict span F1 in % with 95% intervals over texts. A failed answer counts as "
        "one that found nothing.",
    ]


def _over_all(found: Evaluation, overall: Ranking) -> list[str]:
    said = [f"Over {listed(overall.languages)}, {standing(overall)}{_cheapest(found, overall)}"]
    best = {language: result.ranking.best for language, result in found.languages.items() if result}
    if len(set(best.values())) > 1:
        each = ", ".join(f"{name} in {language}" for language, name in best.items())
        said.append(f"By language, the highest F1 is that of {each}.")
    return said


def _by_language(found: Evaluation) -> list[str]:
    compared = [
        f"In {language}, {standing(result.ranking)}"
        for language, result in found.languages.items()
        if result
    ]
    if compared:
        return compared
    scores = [
        f"{each.name} reaches {interval(each.result.scores.f1)} in {each.language}"
        for each in found.measured
    ]
    return [f"Strict span F1 in %: {'; '.join(scores)}."]


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
