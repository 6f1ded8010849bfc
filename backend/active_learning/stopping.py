"""When to stop labelling: what the rules say, as advice. Nothing here ever stops anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.active_learning.learning_curve import (
    Measurement,
    Prediction,
    f1_deviation,
    predict_gain,
)
from backend.domain import RoundReport, Span
from backend.text.bio import to_bio
from backend.text.tokens import tokenise

STOP_SET = 500
"""Texts on which successive models are compared."""

STABLE_FOR = 3
"""Successive pairs of models that have to agree."""

AHEAD = 100
"""Labels for which the gain is predicted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a team is willing to spend and wants to reach; ``None`` is no limit.

    ``agreement``: kappa from which successive models count as stable; ``gain``: F1 (1.0 is all of
    it) that 100 labels have to bring.
    """

    labels: int | None = None
    minutes: float | None = None
    usd: float | None = None
    agreement: float = 0.99
    gain: float = 0.005


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether the rules advise to stop, and what each has to say."""

    stop: bool
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        verdict = "Stopping is advised" if self.stop else "Labelling on"
        return f"{verdict}: {'; '.join(self.reasons)}." if self.reasons else ""


def stop_set(texts: Iterable[str]) -> list[str]:
    """500 of the texts, the same ones in every round whatever has been labelled since."""
    return sorted(
        set(texts), key=lambda text: hashlib.sha256(text.encode("utf-8", "replace")).digest()
    )[:STOP_SET]


def agreement_on(
    texts: Sequence[str],
    before: Sequence[Sequence[Span]],
    after: Sequence[Sequence[Span]],
) -> float | None:
    """Cohen's kappa (1960) between the tags that two models give to the tokens of a stop set.

    Stabilising predictions, Bloodgood & Vijay-Shanker (2009). In [-1, 1]; 1.0 where both give one
    and the same tag throughout; ``None`` without a token.
    """
    tags = [
        [
            tag
            for text, spans in zip(texts, model, strict=True)
            for tag in to_bio(tokenise(text), spans)[0]
        ]
        for model in (before, after)
    ]
    if not tags[0]:
        return None
    names, codes = np.unique(tags, return_inverse=True)
    one, other = codes.reshape(2, -1)
    counts = [np.bincount(codes, minlength=len(names)) / len(one) for codes in (one, other)]
    by_chance = float(counts[0] @ counts[1])
    if by_chance >= 1.0:
        return 1.0
    return (float((one == other).mean()) - by_chance) / (1.0 - by_chance)


def advise(
    rounds: Sequence[RoundReport], limits: Limits, minutes: float, rng: np.random.Generator
) -> Advice:
    """What the rules say after these rounds (oldest first) and ``minutes`` of annotators' time.

    A limit that is reached advises to stop. Otherwise stopping is advised when the models have
    been stable and further labels are not expected to bring the gain that is wanted, or when one
    of the two speaks for it and the other cannot be measured.
    """
    if not rounds:
        return Advice(stop=False, reasons=())
    spent = _reached(rounds[-1], limits, minutes)
    stable, stability = _stability(rounds, limits.agreement)
    flat, outlook = _outlook(rounds, limits.gain, minutes, rng)
    votes = [vote for vote in (stable, flat) if vote is not None]
    reasons = [*spent, *(reason for reason in (outlook, stability) if reason)]
    return Advice(stop=bool(spent) or (bool(votes) and all(votes)), reasons=tuple(reasons))


def _reached(last: RoundReport, limits: Limits, minutes: float) -> list[str]:
    """The limits that are spent."""
    spent = [
        (last.labels, limits.labels, "labels"),
        (minutes, limits.minutes, "minutes of annotators' time"),
        (float(last.spent_usd), limits.usd, "US dollars for the LLM"),
    ]
    return [
        f"the limit of {limit:g} {unit} is reached ({used:g})"
        for used, limit, unit in spent
        if limit is not None and used >= limit
    ]


def _stability(rounds: Sequence[RoundReport], threshold: float) -> tuple[bool | None, str]:
    known = [each.agreement for each in rounds if each.agreement is not None][-STABLE_FOR:]
    if not known:
        return None, ""
    stable = len(known) == STABLE_FOR and float(np.mean(known)) >= threshold
    last = f"the new tagger agrees with the last one by kappa {known[-1]:.3f}"
    return stable, f"{last}, {STABLE_FOR} rounds with {threshold:g} on average count as stable"


def _outlook(
    rounds: Sequence[RoundReport], wanted: float, minutes: float, rng: np.random.Generator
) -> tuple[bool | None, str]:
    predicted = predict_gain(measurements(rounds), AHEAD, rng)
    if predicted is None:
        return None, ""
    each = minutes / rounds[-1].labels if rounds[-1].labels else 0.0
    return predicted.gain < wanted, gain_in_words(predicted, each * AHEAD)


def measurements(rounds: Sequence[RoundReport]) -> list[Measurement]:
    """The learning curve: what each round's new tagger was worth on the labels held out then."""
    return [
        Measurement(
            each.training,
            each.tagger.f1,
            f1_deviation(
                each.tagger.true_positives, each.tagger.false_positives, each.tagger.false_negatives
            ),
        )
        for each in rounds
        if each.tagger is not None
    ]


def gain_in_words(predicted: Prediction, minutes: float) -> str:
    """The prediction with its interval, in points of F1 (0 to 100) and what it costs."""
    cost = f", which take about {minutes:.0f} minutes" if minutes >= 1 else ""
    return (
        f"{100 * predicted.gain:+.1f} F1 expected from {predicted.labels} more labels to learn from"
        f" (90% interval {100 * predicted.low:+.1f} to {100 * predicted.high:+.1f}){cost}"
    )
