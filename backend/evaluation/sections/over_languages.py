"""What holds in every language: each figure's mean with the lowest and the highest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from backend.evaluation.laboratory import Evaluation
from backend.evaluation.ranges import (
    ALONE,
    BOTH,
    FIRSTS,
    SETTLED,
    STABILITY,
    Range,
    quality,
    ranges,
)
from backend.evaluation.sections.columns import Filled, table_of
from backend.reports.page import Block, Cell, Column, Section, Table, Text

MEANING = (
    "A figure's mean over the languages, with its lowest and its highest: a claim about an "
    "annotator should hold at both ends. These are no intervals of confidence; those stand with "
    "each language below."
)
MAJORITIES = (
    "Majorities: the spans that more than half of an annotator's answers give, where it was asked "
    "again. On the texts that both answered."
)
Pair = tuple[str, str]


def over_languages_section(found: Evaluation) -> Section:
    """Figures of annotators and of every two over all languages; empty for a single language."""
    title = "From the worst language to the best"
    if len(found.languages) < 2:
        return Section(title, ())
    told = ranges(found)
    blocks: list[Block] = [
        Text(MEANING),
        *_annotators_table("Quality", found, told, list(quality(found.labels))),
        *_annotators_table("Asked again", found, told, list(STABILITY)),
        *_pairs_table(found, told),
    ]
    return Section(title, blocks)


def _annotators_table(
    caption: str, found: Evaluation, told: Sequence[Range], figures: Sequence[str]
) -> list[Table]:
    """A row for each annotator of which any of the figures is known."""
    known = {(each.figure, each.who): each for each in told if each.figure in figures}
    names = [name for name in found.annotators if any(who == name for _, who in known)]

    def of_figure(figure: str) -> Filled[str]:
        return Column(figure, percent=True), _spread(known, figure)

    columns: list[Filled[str]] = [
        (Column("annotator"), lambda name: name),
        (Column("languages"), lambda name: sum(each.name == name for each in found.measured)),
        *(of_figure(figure) for figure in figures if any(name == figure for name, _ in known)),
    ]
    return [table_of(f"{caption}: over all languages", names, columns)] if names else []


def _spread(known: dict[tuple[str, str], Range], figure: str) -> Callable[[str], Cell]:
    def cell_of(who: str) -> Cell:
        found = known.get((figure, who))
        return found.spread if found else None

    return cell_of


def _pairs_table(found: Evaluation, told: Sequence[Range]) -> list[Table]:
    bases = [basis for basis in (FIRSTS, SETTLED) if any(each.basis == basis for each in told)]
    with_both = {each.who for each in told if each.figure == BOTH}
    every_two = combinations(found.annotators, 2)
    pairs = [pair for pair in every_two if " and ".join(pair) in with_both]
    if not pairs:
        return []
    columns: list[Filled[Pair]] = [(Column("annotators"), ", ".join)]
    for basis in bases:
        columns += _pair_columns(basis, [each for each in told if each.basis == basis])
    caption = "Share of spans that is right, of every two annotators: over all languages"
    note = MAJORITIES if SETTLED in bases else ""
    return [table_of(caption, pairs, columns, note)]


def _pair_columns(basis: str, told: Sequence[Range]) -> list[Filled[Pair]]:
    known = {(each.figure, each.who): each for each in told}
    both, alone = _spread(known, BOTH), _spread(known, ALONE)
    return [
        (Column(f"{basis}: both give", percent=True), lambda pair: both(" and ".join(pair))),
        (
            Column(f"{basis}: only the first", percent=True),
            lambda pair: alone(" beside ".join(pair)),
        ),
        (
            Column(f"{basis}: only the second", percent=True),
            lambda pair: alone(" beside ".join(reversed(pair))),
        ),
    ]
