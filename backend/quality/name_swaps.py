"""Would it have found the name, had it been another? Texts with names of one group for another's.

Every text is rewritten once for each group, with nothing changed but the names; whoever finds
names of one group less often in the same places treats the groups differently (counterfactual
evaluation; Garg et al., 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from backend.domain import Span
from backend.errors import InputError
from backend.protocols import FloatArray
from backend.quality.comparison import (
    Comparison,
    holm,
    paired_difference,
    permutation_p_value,
)
from backend.quality.intervals import Interval, bootstrap, recall_of

Groups = Mapping[str, Sequence[str]]
"""Names by the group that they are typical of."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """A rewritten text. ``spans``: all that are right in it; ``names``: those put in."""

    text: str
    spans: tuple[Span, ...]
    names: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class NameRecall:
    """How many of the names put in were found, by group, in the same places of the same texts."""

    label: str
    texts: int
    places: int
    recall: Mapping[str, Interval]
    comparisons: tuple[Comparison, ...]


def variants(  # noqa: PLR0913 - a text, what is in it, and what to put in
    text: str,
    spans: Sequence[Span],
    label: str,
    groups: Groups,
    rng: np.random.Generator,
    *,
    every: bool = False,
) -> dict[str, Swapped] | None:
    """The text once for each group; ``None`` where it has no name to swap.

    Mentions of ``label`` that are a name of any group are swapped; with ``every``, all mentions of
    it. A name that occurs twice is swapped for one name. Text outside these mentions stays, code
    point by code point; spans behind them move. Texts whose spans overlap are left alone.
    """
    ordered = sorted(spans)
    if any(one.overlaps(next_) for one, next_ in pairwise(ordered)):
        return None
    known = {name for names in groups.values() for name in names}
    places = [
        span
        for span in ordered
        if span.label == label and (every or text[span.start : span.end] in known)
    ]
    if not places:
        return None
    mentions = list(dict.fromkeys(text[span.start : span.end] for span in places))
    lots = rng.random(len(mentions))
    found = {}
    for group, names in groups.items():
        order = [names[(int(lot * len(names)) + at) % len(names)] for at, lot in enumerate(lots)]
        found[group] = _rewritten(text, ordered, places, dict(zip(mentions, order, strict=True)))
    return found


def _rewritten(
    text: str, ordered: Sequence[Span], places: Sequence[Span], name_of: Mapping[str, str]
) -> Swapped:
    parts: list[str] = []
    spans, names = [], []
    read = written = 0
    for span in ordered:
        mention = text[span.start : span.end]
        put = name_of[mention] if span in places else mention
        between = text[read : span.start]
        start = written + len(between)
        moved = Span(start, start + len(put), span.label)
        parts += [between, put]
        read, written = span.end, moved.end
        spans.append(moved)
        if span in places:
            names.append(moved)
    return Swapped("".join(parts) + text[read:], tuple(spans), tuple(names))


def compare_groups(
    label: str,
    swapped: Sequence[Mapping[str, Swapped]],
    given: Mapping[str, Sequence[Sequence[Span]]],
    rng: np.random.Generator,
) -> NameRecall:
    """Recall of the names put in, by group, with a paired test for every two groups (Holm).

    ``given``: for each group, the spans that were given for each text. Raises
    :class:`~backend.errors.InputError` without texts.
    """
    if not swapped:
        raise InputError(
            f"No gold mention of {label} is one of the names. Give names that occur in the texts, "
            "or swap every mention of the label: --swap-every."
        )
    counts = {
        group: np.array(
            [_found(each[group].names, spans) for each, spans in zip(swapped, answers, strict=True)]
        )
        for group, answers in given.items()
    }
    pairs = list(combinations(counts, 2))
    differences = [_difference(counts[one], counts[other], rng) for one, other in pairs]
    p_values = [_p_value(counts[one], counts[other], rng) for one, other in pairs]
    comparisons = tuple(
        Comparison(*pair, difference, p_value, adjusted)
        for pair, difference, p_value, adjusted in zip(
            pairs, differences, p_values, holm(p_values), strict=True
        )
    )
    return NameRecall(
        label,
        texts=len(swapped),
        places=sum(len(next(iter(each.values())).names) for each in swapped),
        recall={group: bootstrap(rows, recall_of, rng) for group, rows in counts.items()},
        comparisons=comparisons,
    )


def _found(names: Sequence[Span], given: Sequence[Span]) -> tuple[int, int, int]:
    right = len(set(names) & set(given))
    return right, 0, len(names) - right


def _difference(one: FloatArray, other: FloatArray, rng: np.random.Generator) -> Interval:
    return paired_difference([one.astype(float)], [other.astype(float)], rng, statistic=recall_of)


def _p_value(one: FloatArray, other: FloatArray, rng: np.random.Generator) -> float:
    return permutation_p_value([one.astype(float)], [other.astype(float)], rng, statistic=recall_of)
