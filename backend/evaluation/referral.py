"""What it is worth to let a person correct the texts that answers disagree on most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf

import numpy as np
import numpy.typing as npt

from backend.evaluation.cells import Answer, Judged
from backend.evaluation.measures import NOTHING, span_counts, tags_of
from backend.quality.intervals import f1_of

SHARES = (0.2, 0.4)
"""Shares of texts that are given to a person."""

RANDOM_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Referral:
    """F1 after a person corrected a share of the texts without error.

    By share: of the texts with most disagreement, and on average of as many at random.
    """

    before: float
    chosen: Mapping[float, float]
    random: Mapping[float, float]

    def gain(self, share: float) -> float:
        """F1 that the choice is worth."""
        return self.chosen[share] - self.random[share]


def refer(
    texts: Sequence[Judged],
    shown: Sequence[Answer],
    doubts: Sequence[Sequence[Answer]],
    rng_seed: int,
    disagreement: Callable[[Judged, Sequence[Answer]], float] | None = None,
) -> Referral:
    """Correct the ``shown`` answers where ``doubts`` (several answers a text) differ most.

    ``disagreement``: how far answers to a text differ, :func:`span_differences` by default. Needs
    no gold to choose by.
    """
    measure = disagreement or span_differences
    rng = np.random.default_rng(rng_seed)
    counts = span_counts(texts, shown)
    mended = span_counts(texts, [text.gold for text in texts]) - counts
    unlike = np.array(
        [measure(text, answers) for text, answers in zip(texts, doubts, strict=True)],
        dtype=np.float64,
    )
    # Equal disagreement in a random order, so that the order of a file decides nothing.
    order = np.lexsort((rng.random(len(texts)), -unlike))
    orders = [rng.permutation(len(texts)) for _ in range(RANDOM_DRAWS)]
    total = counts.sum(axis=0)

    def after(chosen: npt.NDArray[np.int64], share: float) -> float:
        corrected = chosen[: round(share * len(texts))]
        return float(f1_of(total + mended[corrected].sum(axis=0)))

    return Referral(
        float(f1_of(total)),
        {share: after(order, share) for share in SHARES},
        {share: float(np.mean([after(each, share) for each in orders])) for share in SHARES},
    )


def span_differences(_: Judged, answers: Sequence[Answer]) -> float:
    """Spans that one of two answers has and the other has not, over every two answers.

    What may have to be corrected, whatever the text's length.
    """
    return sum(
        len((one or NOTHING) ^ (other or NOTHING)) for one, other in combinations(answers, 2)
    )


def tag_entropy(text: Judged, answers: Sequence[Answer]) -> float:
    """Shannon entropy in nats of what the answers call each token, added up over the text.

    Failed answers say nothing of any token; a text with no other is in doubt before all others.
    """
    tags = [tags_of(text, answer) for answer in answers if answer is not None]
    if not tags:
        return inf
    counts = (np.array(list(Counter(token).values())) for token in zip(*tags, strict=True))
    shares = (count / len(tags) for count in counts)
    return float(sum(-(share * np.log(share)).sum() for share in shares))
