"""The report on slices and swapped names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.quality.fairness import Fairness, SliceScores
from backend.quality.name_swaps import NameRecall
from backend.reports.figures import Row, forest
from backend.reports.page import Block, Cell, Column, Provenance, Report, Section, Table, Text

TOO_SMALL = "too small to judge"


def fairness_report(
    found: Mapping[str, Fairness], recalls: Sequence[NameRecall], provenance: Provenance
) -> Report:
    """The page. ``found``: by who was measured."""
    return Report(
        title="As good for everybody?",
        lead=in_words(found, recalls),
        sections=[
            *(section for who, fairness in found.items() for section in _sections(who, fairness)),
            *(_names_section(recall) for recall in recalls),
        ],
        provenance=provenance,
        results={"slices": found, "names": recalls},
    )


def in_words(found: Mapping[str, Fairness], recalls: Sequence[NameRecall]) -> list[str]:
    """What stands out, in sentences."""
    told = []
    for who, fairness in found.items():
        gaps = [(each, gap) for each, gap in fairness.found if gap.difference.value < 0]
        for each, gap in gaps:
            difference = gap.difference
            told.append(
                f"{who}: {gap.statistic} on {each.key} = {each.name} is "
                f"{-100 * difference.value:.1f} points lower than on the rest "
                f"({-100 * difference.high:.1f} to {-100 * difference.low:.1f}, "
                f"p = {gap.adjusted:.2g})."
            )
        small = sum(each.too_small for each in fairness.slices)
        told.append(
            f"{who}: {len(fairness.slices) - small} slices compared, {len(gaps)} lower than the "
            f"rest by more than chance explains; {small} too small to judge."
        )
    for recall in recalls:
        different = [pair for pair in recall.comparisons if pair.is_significant()]
        told += [
            f"Names of {pair.first} instead of {pair.second} in {recall.places} places change "
            f"recall by {100 * pair.difference.value:+.1f} points (p = {pair.adjusted:.2g})."
            for pair in different
        ]
        if not different:
            told.append(
                f"{recall.label}: no difference between groups of names that chance does not "
                f"explain, in {recall.places} places of {recall.texts} texts."
            )
    return told


def _sections(who: str, fairness: Fairness) -> list[Section]:
    keys = dict.fromkeys(each.key for each in fairness.slices)
    return [
        _slices_section(who, key, [each for each in fairness.slices if each.key == key])
        for key in keys
    ]


def _slices_section(who: str, key: str, slices: Sequence[SliceScores]) -> Section:
    columns = [
        Column(key),
        Column("texts"),
        Column("spans"),
        Column("precision", percent=True),
        Column("recall", percent=True),
        Column("F1", percent=True),
        Column("F1 less the rest's", percent=True),
        Column("recall less the rest's", percent=True),
        Column("smaller p, adjusted", decimals=3),
        Column("", words=True),
    ]
    rows = [_row(each) for each in slices]
    note = (
        "Strict span scores in %, 95% bootstrap intervals over texts; permutation tests, adjusted "
        "for all gaps of this page's slices (Holm)."
    )
    blocks: list[Block] = [Table(f"{who}, by {key}", columns, rows, note)]
    judged = [each for each in slices if not each.too_small]
    if judged:
        bars = [
            Row(f"{each.name} ({each.spans})", interval, name)
            for each in judged
            for name, interval in (("F1", each.f1), ("recall", each.recall))
        ]
        blocks.insert(0, forest(f"{who}, by {key} (spans)", bars, "%", percent=True))
    return Section(f"{who}: {key}", blocks)


def _row(each: SliceScores) -> list[Cell]:
    gaps = {gap.statistic: gap for gap in each.gaps}
    significant = [gap.statistic for gap in each.gaps if gap.is_significant()]
    verdict = "unlike the rest: " + ", ".join(significant) if significant else ""
    return [
        each.name,
        each.texts,
        each.spans,
        each.precision,
        each.recall,
        each.f1,
        gaps["F1"].difference if gaps else None,
        gaps["recall"].difference if gaps else None,
        min(gap.adjusted for gap in each.gaps) if gaps else None,
        TOO_SMALL if each.too_small else verdict,
    ]


def _names_section(recall: NameRecall) -> Section:
    bars = [Row(group, interval) for group, interval in recall.recall.items()]
    pairs: list[Sequence[Cell]] = [
        [f"{each.first} - {each.second}", each.difference, each.p_value, each.adjusted]
        for each in recall.comparisons
    ]
    columns = [
        Column("groups"),
        Column("difference in recall", percent=True),
        Column("p", decimals=3),
        Column("p, adjusted", decimals=3),
    ]
    words = (
        f"{recall.places} mentions of {recall.label} in {recall.texts} texts, rewritten with names "
        "of each group; nothing else in the texts differs."
    )
    caption = f"Names found, in %, of those put in for {recall.label}"
    return Section(
        f"Names swapped: {recall.label}",
        [
            Text(words),
            forest(caption, bars, "recall in %", percent=True),
            Table("Differences", columns, pairs, "Paired permutation tests, adjusted (Holm)."),
        ],
    )
