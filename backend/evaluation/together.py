"""What several annotators of the same texts tell together: who is best, where they agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from backend.evaluation.cells import Answer, Cell, Judged
from backend.evaluation.measures import first_answers, span_counts
from backend.evaluation.referral import Referral, refer
from backend.evaluation.repetitions import Agreement, agreement, settled_answers
from backend.protocols import FloatArray
from backend.quality.agreement import pairwise_f1
from backend.quality.comparison import Comparison, compare_with_best
from backend.quality.intervals import Interval, f1_of, wilson


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators of a language, on the texts that both answered.

    Shares of spans that are right: of those both give, and of those one gives alone.
    """

    first: str
    second: str
    texts: int
    f1: float
    both: Interval
    only_first: Interval
    only_second: Interval
    counts: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Annotators from the best F1 down, and the best against each other one.

    ``languages``: over which the mean F1 is taken. ``left_out``: annotators that did not answer in
    all of them.
    """

    languages: tuple[str, ...]
    order: tuple[tuple[str, float], ...]
    comparisons: tuple[Comparison, ...]
    left_out: tuple[str, ...] = ()

    @property
    def best(self) -> str:
        """The annotator with the highest F1."""
        return self.order[0][0]

    @property
    def equals(self) -> list[str]:
        """The others of which it is not shown that they are worse."""
        return [each.second for each in self.comparisons if not each.is_significant()]


@dataclass(frozen=True, slots=True)
class LanguageResult:
    """What the annotators of one language tell together.

    ``pairs``: by first answers; ``settled_pairs``: by what more than half of an annotator's
    answers give, where any was asked again. ``referral``: for the best annotator, with the next
    best to doubt it.
    """

    language: str
    texts: int
    ranking: Ranking
    with_failures: Agreement
    without_failures: Agreement
    pairs: tuple[Pair, ...]
    settled_pairs: tuple[Pair, ...]
    referral: Referral


def together(cells: Sequence[Cell], rng_seed: int) -> LanguageResult | None:
    """Measure annotators of one language together, on the texts they share.

    ``None`` where there are fewer than two, or where they share no text.
    """
    texts, firsts = shared_answers(cells)
    if len(cells) < 2 or not texts:
        return None
    answers = list(zip(*firsts.values(), strict=True))
    counts = {name: [span_counts(texts, given)] for name, given in firsts.items()}
    ranking = rank(counts, (cells[0].language,), rng_seed)
    (best, _), (doubter, _), *_ = ranking.order
    doubted = list(zip(firsts[best], firsts[doubter], strict=True))
    return LanguageResult(
        cells[0].language,
        len(texts),
        ranking,
        agreement(texts, answers, failures=True),
        agreement(texts, answers, failures=False),
        _pairs(texts, firsts),
        _pairs(*shared_answers(cells, settled_answers))
        if any(cell.repetitions > 1 for cell in cells)
        else (),
        refer(texts, firsts[best], doubted, rng_seed),
    )


def shared_answers(
    cells: Sequence[Cell],
    choose: Callable[[Sequence[Sequence[Answer]]], list[Answer]] = first_answers,
) -> tuple[list[Judged], dict[str, list[Answer]]]:
    """The texts that all annotators were asked about, and their answers by annotator.

    ``choose``: one of an annotator's answers to each text, or what they say together.
    """
    shared = set.intersection(*(set(cell.ids) for cell in cells))
    texts = [text for text in cells[0].texts if text.id in shared]
    by_id = {
        cell.annotator: dict(zip(cell.ids, choose(cell.answers), strict=True)) for cell in cells
    }
    return texts, {name: [given[text.id] for text in texts] for name, given in by_id.items()}


def rank(
    counts: Mapping[str, Sequence[FloatArray]],
    languages: tuple[str, ...],
    rng_seed: int,
    left_out: Sequence[str] = (),
) -> Ranking:
    """Rank annotators by mean F1 over languages; counts (n_texts, 3) of each, in that order."""
    means = {
        name: float(np.mean([f1_of(each.sum(axis=0)) for each in strata]))
        for name, strata in counts.items()
    }
    order = sorted(means, key=lambda name: (-means[name], name))
    comparisons = compare_with_best(
        [(name, counts[name]) for name in order], np.random.default_rng(rng_seed)
    )
    return Ranking(
        languages,
        tuple((name, means[name]) for name in order),
        tuple(comparisons),
        tuple(left_out),
    )


def rank_over_all(groups: Mapping[str, Sequence[Cell]], rng_seed: int) -> Ranking | None:
    """Rank over several languages the annotators that answered in all of them.

    The languages are those that leave most to compare: annotators times languages. ``None`` where
    no two annotators share two languages.
    """
    annotators = {
        language: {cell.annotator for cell in cells} for language, cells in groups.items()
    }
    by_coverage = sorted(annotators, key=lambda language: (-len(annotators[language]), language))
    best: tuple[list[str], set[str]] = ([], set())
    for count in range(2, len(by_coverage) + 1):
        languages = by_coverage[:count]
        covering = set.intersection(*(annotators[language] for language in languages))
        if len(covering) > 1 and len(covering) * count > len(best[1]) * len(best[0]):
            best = (sorted(languages), covering)
    languages, covering = best
    if not languages:
        return None
    counts: dict[str, list[FloatArray]] = {name: [] for name in sorted(covering)}
    for language in languages:
        texts, firsts = shared_answers([c for c in groups[language] if c.annotator in covering])
        if not texts:
            return None
        for name, strata in counts.items():
            strata.append(span_counts(texts, firsts[name]))
    left_out = sorted(set.union(*annotators.values()) - covering)
    return rank(counts, tuple(languages), rng_seed, left_out)


def _pairs(texts: Sequence[Judged], answers: Mapping[str, list[Answer]]) -> tuple[Pair, ...]:
    return tuple(
        _pair(texts, (one, answers[one]), (other, answers[other]))
        for one, other in combinations(answers, 2)
    )


def _pair(
    texts: Sequence[Judged], first: tuple[str, list[Answer]], second: tuple[str, list[Answer]]
) -> Pair:
    both, ours, theirs = [0, 0], [0, 0], [0, 0]
    answered = [
        (text, one, other)
        for text, one, other in zip(texts, first[1], second[1], strict=True)
        if one is not None and other is not None
    ]
    for text, one, other in answered:
        for tally, spans in ((both, one & other), (ours, one - other), (theirs, other - one)):
            tally[0] += len(spans & text.gold)
            tally[1] += len(spans)
    return Pair(
        first[0],
        second[0],
        len(answered),
        pairwise_f1((one, other) for _, one, other in answered),
        wilson(*both),
        wilson(*ours),
        wilson(*theirs),
        (both[1], ours[1], theirs[1]),
    )
