"""What one annotator's answers to the texts of one language are worth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Span
from backend.evaluation.cells import Answer, Cell, Judged
from backend.protocols import FloatArray
from backend.quality.intervals import (
    Interval,
    f1_of,
    percentile_interval,
    precision_of,
    recall_of,
    resampled_sums,
)
from backend.quality.span_errors import Finding, label_findings
from backend.text.bio import OUTSIDE, to_bio

LONGEST = 4
"""Spans of so many tokens or more are counted together."""

NOTHING: frozenset[Span] = frozenset()
Keep = Callable[[Judged, Span], bool]


@dataclass(frozen=True, slots=True)
class Scores:
    """Strict span scores over ``texts`` texts; ``gold`` spans were to be found."""

    precision: Interval
    recall: Interval
    f1: Interval
    texts: int
    gold: int


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """First answers read in one way: failures as errors, and accepted answers alone.

    ``failed``: first answers that this reading makes nothing of. ``all_answers``: F1 over every
    repetition, failures as errors.
    """

    scores: Scores
    accepted: Scores | None
    failed: int
    all_answers: float


@dataclass(frozen=True, slots=True)
class TokenMeasures:
    """What strict span F1 is compared with; in [0, 1], NaN where there is nothing to count.

    ``accuracy``: share of tokens with the right tag, failed answers wrong on every token;
    ``accepted``: of answers that did not fail, averaged over repetitions: what Kholodna et al.
    (2024) call consistency. ``entity``: share of the tokens inside gold entities with the right
    tag, their metric for taggers (on tokens, where they count subwords): spurious spans are free.
    """

    accuracy: float
    accepted: float
    entity: float


@dataclass(frozen=True, slots=True)
class CellResult:
    """Everything that is measured of one annotator in one language."""

    annotator: str
    language: str
    texts: int
    repetitions: int
    readings: Mapping[str, ReadingResult]
    by_label: Mapping[str, Scores]
    by_length: Mapping[str, Scores]
    label_findings: Mapping[str, Counter[Finding]]
    tokens: TokenMeasures

    @property
    def findings(self) -> Counter[Finding]:
        """What became of all spans, whatever their label."""
        return sum(self.label_findings.values(), start=Counter())

    @property
    def scores(self) -> Scores:
        """First answers in the reading that is ranked by, failures as errors."""
        return list(self.readings.values())[-1].scores


def measure(cell: Cell, labels: Sequence[str], rng_seed: int) -> CellResult:
    """Measure a cell. Cells with the same texts are resampled alike, so that they compare."""
    firsts = first_answers(cell.answers)
    return CellResult(
        annotator=cell.annotator,
        language=cell.language,
        texts=len(cell.texts),
        repetitions=cell.repetitions,
        readings={
            name: _reading(cell.texts, answers, rng_seed) for name, answers in cell.readings.items()
        },
        by_label={
            label: scores(cell.texts, firsts, rng_seed, _with_label(label)) for label in labels
        },
        by_length={
            length_name(length): scores(cell.texts, firsts, rng_seed, _with_length(length))
            for length in range(1, LONGEST + 1)
        },
        label_findings=_label_findings(cell.texts, firsts, labels),
        tokens=_token_measures(cell),
    )


def first_answers(answers: Sequence[Sequence[Answer]]) -> list[Answer]:
    """The first answer to each text, ``None`` where there is none."""
    return [given[0] if given else None for given in answers]


def span_counts(
    texts: Sequence[Judged], answers: Sequence[Answer], keep: Keep | None = None
) -> FloatArray:
    """(n_texts, 3): right, spurious and missed spans of each text; a failed answer gives none.

    ``keep`` says which spans of a text count, on both sides.
    """
    counts = np.zeros((len(texts), 3))
    for row, text, answer in zip(counts, texts, answers, strict=True):
        gold: Collection[Span] = text.gold
        given: Collection[Span] = answer or NOTHING
        if keep is not None:
            gold = {span for span in gold if keep(text, span)}
            given = {span for span in given if keep(text, span)}
        right = len(set(gold) & set(given))
        row[:] = right, len(given) - right, len(gold) - right
    return counts


def scores(
    texts: Sequence[Judged],
    answers: Sequence[Answer],
    rng_seed: int,
    keep: Keep | None = None,
) -> Scores:
    """Strict span scores with 95% bootstrap intervals over texts."""
    return scores_of(span_counts(texts, answers, keep), rng_seed)


def scores_of(counts: FloatArray, rng_seed: int) -> Scores:
    """Strict span scores of counts (n_texts, 3)."""
    total = counts.sum(axis=0)
    drawn = resampled_sums(counts, np.random.default_rng(rng_seed))

    def interval(statistic: Callable[[FloatArray], FloatArray]) -> Interval:
        value = float(statistic(total))
        if len(counts) < 2:
            return Interval(value, math.nan, math.nan)
        return percentile_interval(value, statistic(drawn))

    return Scores(
        interval(precision_of),
        interval(recall_of),
        interval(f1_of),
        len(counts),
        int(total[0] + total[2]),
    )


def tags_of(text: Judged, answer: Answer) -> list[str]:
    """One tag for each token."""
    return to_bio(text.tokens, answer or NOTHING)[0]


def length_name(tokens: int) -> str:
    """What spans of that many tokens are called."""
    if tokens >= LONGEST:
        return f"{LONGEST} tokens or more"
    return "1 token" if tokens == 1 else f"{tokens} tokens"


def _reading(
    texts: Sequence[Judged], answers: Sequence[Sequence[Answer]], rng_seed: int
) -> ReadingResult:
    firsts = first_answers(answers)
    accepted = [at for at, answer in enumerate(firsts) if answer is not None]
    everything = [
        (text, answer) for text, given in zip(texts, answers, strict=True) for answer in given
    ]
    return ReadingResult(
        scores(texts, firsts, rng_seed),
        scores([texts[at] for at in accepted], [firsts[at] for at in accepted], rng_seed)
        if accepted
        else None,
        len(firsts) - len(accepted),
        float(f1_of(span_counts([t for t, _ in everything], [a for _, a in everything]).sum(0)))
        if everything
        else math.nan,
    )


def _label_findings(
    texts: Sequence[Judged], answers: Sequence[Answer], labels: Sequence[str]
) -> dict[str, Counter[Finding]]:
    totals: dict[str, Counter[Finding]] = {label: Counter() for label in labels}
    for text, answer in zip(texts, answers, strict=True):
        for label, findings in label_findings(text.gold, answer or NOTHING).items():
            totals.setdefault(label, Counter()).update(findings)
    return totals


def _token_measures(cell: Cell) -> TokenMeasures:
    right = tokens = inside = inside_right = 0
    accepted: list[float] = []
    for text, given in zip(cell.texts, cell.answers, strict=True):
        gold = tags_of(text, text.gold)
        for answer in given:
            tokens += len(gold)
            inside += len(gold) - gold.count(OUTSIDE)
            if answer is None:
                continue
            same = [
                ours == theirs for ours, theirs in zip(tags_of(text, answer), gold, strict=True)
            ]
            right += sum(same)
            inside_right += sum(
                fits for fits, tag in zip(same, gold, strict=True) if tag != OUTSIDE
            )
            if same:
                accepted.append(sum(same) / len(same))
    return TokenMeasures(
        right / tokens if tokens else math.nan,
        float(np.mean(accepted)) if accepted else math.nan,
        inside_right / inside if inside else math.nan,
    )


def _with_label(label: str) -> Keep:
    return lambda _, span: span.label == label


def _with_length(length: int) -> Keep:
    def keep(text: Judged, span: Span) -> bool:
        inside = sum(span.start < end and start < span.end for start, end in text.tokens)
        return min(max(inside, 1), LONGEST) == length

    return keep
