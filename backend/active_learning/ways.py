"""The ways of using LLM labels beside human ones, and which to take by their scores.

The way with the best strict span F1 in cross-validation is taken; at equal F1 the one that uses
the LLM less. Labels as they are have to be better than corrected ones by more than a standard error
(Breiman et al., 1984), and so has a share of these to be better than a larger one: a mistake there
costs more than it can bring, as the surest labels teach least.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.quality.intervals import f1_of, resampled_sums
from backend.quality.span_f1 import SpanPair, span_scores

_RESAMPLES = 500


class Mix(enum.StrEnum):
    """A way of using LLM labels beside human ones, from the least to the most trusting."""

    NONE = "none"
    CORRECTED = "corrected"
    AS_GIVEN = "as-given"


@dataclass(frozen=True, slots=True)
class Way:
    """What enters of the LLM's labels: ``share`` in (0, 1] of the corrected ones, surest first."""

    mix: Mix
    share: float = 1.0

    def __str__(self) -> str:
        part = "" if self.share == 1 else f"{self.share:.0%} "
        return f"{part}{self.mix.value}"


NONE, CORRECTED, AS_GIVEN = map(Way, Mix)


def preferred(pairs: Mapping[Way, Sequence[SpanPair]], rng: np.random.Generator) -> Way:
    """The way to take, by the human and found spans of the same texts in each way.

    ``pairs`` holds at least none of the labels and all of them corrected.
    """
    f1 = {way: span_scores(found).f1 for way, found in pairs.items()}

    def leads(one: Way, other: Way) -> bool:
        gain = f1[one] - f1[other]
        return gain > 0 and gain > _standard_error(pairs[one], pairs[other], rng)

    shares = sorted((way for way in pairs if way.mix is Mix.CORRECTED), key=lambda way: -way.share)
    best = max(shares, key=lambda way: f1[way])
    share = next(way for way in shares if not leads(best, way))
    modest = share if f1[share] > f1[NONE] else NONE
    return AS_GIVEN if AS_GIVEN in pairs and leads(AS_GIVEN, modest) else modest


def _standard_error(
    one: Sequence[SpanPair], other: Sequence[SpanPair], rng: np.random.Generator
) -> float:
    """Of the difference between two F1 on the same texts, by bootstrap over these."""
    counts = np.array([[*_counts(a), *_counts(b)] for a, b in zip(one, other, strict=True)])
    sums = resampled_sums(counts, rng, _RESAMPLES)
    return float(np.std(f1_of(sums[:, :3]) - f1_of(sums[:, 3:])))


def _counts(pair: SpanPair) -> tuple[int, int, int]:
    scores = span_scores([pair])
    return scores.true_positives, scores.false_positives, scores.false_negatives
