"""What asking an annotator several times tells: is it stable, and is the stable part right?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Span
from backend.evaluation.cells import Answer, Cell, Judged
from backend.evaluation.measures import NOTHING, first_answers, span_counts, tags_of
from backend.evaluation.referral import Referral, refer, tag_entropy
from backend.quality.agreement import (
    fleiss_kappa,
    krippendorff_alpha,
    pairwise_f1,
    pairwise_token_agreement,
    rating_counts,
    span_ratings,
)
from backend.quality.comparison import paired_difference
from backend.quality.intervals import Interval, f1_of, wilson
from backend.quality.reliability import Bin, expected_calibration_error, reliability_bins

FAILED = "failed"
"""The category of every token of a failed answer: two failures do not agree on the text."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far several answers to the same texts agree; NaN where nothing can be said.

    ``kappa`` (Fleiss) and ``alpha`` (Krippendorff) over tokens, ``O`` included; ``span_alpha``
    over places that any answer marks; ``span_f1`` and ``token_share`` between every two answers.
    """

    kappa: float
    alpha: float
    span_alpha: float
    span_f1: float
    token_share: float


@dataclass(frozen=True, slots=True)
class Repetitions:
    """Answers of one annotator that was asked ``asked`` times about each text.

    ``majority``: F1 of the spans that at least half of the answers give; ``gain`` over the first
    answers. ``unanimous``: share of the spans all answers give that is right. ``error`` and
    ``majority_error``: expected calibration error of the share of answers that give a span, over
    all spans that any answer gives and over those of the majority. ``referral``: of first answers,
    where the repetitions differ in most spans; ``referral_by_entropy``: where the entropy of their
    tags is highest.
    """

    asked: int
    majority: float
    gain: Interval
    with_failures: Agreement
    without_failures: Agreement
    unanimous: Interval
    unanimous_spans: int
    bins: tuple[Bin, ...]
    error: float | None
    majority_error: float | None
    referral: Referral
    referral_by_entropy: Referral


def repetitions(cell: Cell, rng_seed: int) -> Repetitions | None:
    """Measure a cell's repetitions; ``None`` where its annotator was asked once."""
    if cell.repetitions < 2:
        return None
    asked, firsts = cell.repetitions, first_answers(cell.answers)
    majority: list[Answer] = [majority_spans(given, asked) for given in cell.answers]
    votes = [
        (span, count, span in text.gold)
        for text, given in zip(cell.texts, cell.answers, strict=True)
        for span, count in _votes(given).items()
    ]
    shown = [(count / asked, right) for _, count, right in votes if 2 * count >= asked]
    all_agree = [right for _, count, right in votes if count == asked]
    bins = reliability_bins([count / asked for _, count, _ in votes], [r for *_, r in votes])
    counts = span_counts(cell.texts, majority)
    before = span_counts(cell.texts, firsts)
    return Repetitions(
        asked=asked,
        majority=float(f1_of(counts.sum(axis=0))),
        gain=paired_difference([counts], [before], np.random.default_rng(rng_seed)),
        with_failures=agreement(cell.texts, cell.answers, failures=True),
        without_failures=agreement(cell.texts, cell.answers, failures=False),
        unanimous=wilson(sum(all_agree), len(all_agree)),
        unanimous_spans=len(all_agree),
        bins=tuple(bins),
        error=expected_calibration_error(bins),
        majority_error=expected_calibration_error(
            reliability_bins([sure for sure, _ in shown], [right for _, right in shown])
        ),
        referral=refer(cell.texts, firsts, cell.answers, rng_seed),
        referral_by_entropy=refer(cell.texts, firsts, cell.answers, rng_seed, tag_entropy),
    )


def majority_spans(answers: Sequence[Answer], asked: int) -> frozenset[Span]:
    """Spans that at least half of so many answers give; where two overlap, the one with more."""
    votes = _votes(answers)
    half = [span for span, count in votes.items() if 2 * count >= asked]
    by_votes = sorted(half, key=lambda span: (-votes[span], span))
    kept: list[Span] = []
    for span in by_votes:
        if not any(span.overlaps(other) for other in kept):
            kept.append(span)
    return frozenset(kept)


def settled_answers(answers: Sequence[Sequence[Answer]]) -> list[Answer]:
    """For each text the spans that more than half of its answers give; its answer if it has one.

    ``None`` where all failed. No two such spans overlap, as no answer has two that do.
    """
    return [
        frozenset(span for span, count in _votes(given).items() if 2 * count > len(given))
        if any(answer is not None for answer in given)
        else None
        for given in answers
    ]


def agreement(
    texts: Sequence[Judged], answers: Sequence[Sequence[Answer]], *, failures: bool
) -> Agreement:
    """Agreement between the answers to each text.

    With ``failures`` a failed answer gives no span and agrees on no token with any other; without,
    it is left out.
    """
    taken = [[answer for answer in given if failures or answer is not None] for given in answers]
    tokens = rating_counts(
        item
        for text, given in zip(texts, taken, strict=True)
        for item in zip(*_token_ratings(text, given), strict=True)
    )
    spans = [[answer or NOTHING for answer in given] for given in taken]
    return Agreement(
        fleiss_kappa(tokens),
        krippendorff_alpha(tokens),
        krippendorff_alpha(
            rating_counts(place for given in spans for place in span_ratings(given))
        ),
        pairwise_f1(spans),
        pairwise_token_agreement(tokens),
    )


def _token_ratings(text: Judged, answers: Sequence[Answer]) -> Iterator[list[str]]:
    for number, answer in enumerate(answers):
        if answer is None:
            yield [f"{FAILED} {number}"] * len(text.tokens)
        else:
            yield tags_of(text, answer)


def _votes(answers: Sequence[Answer]) -> Counter[Span]:
    return Counter(span for answer in answers for span in answer or NOTHING)
