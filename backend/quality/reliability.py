"""Whether stated confidence is the share of right answers that it claims to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence: how many, how sure on average, and how many right."""

    count: int
    confidence: float
    right: int

    @property
    def share_right(self) -> float:
        """Share of them that is right, in [0, 1]."""
        return self.right / self.count


def reliability_bins(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS
) -> list[Bin]:
    """Answers by confidence in [0, 1], in bins of equal width, open below; empty ones left out."""
    sure = np.asarray(confidences, dtype=np.float64)
    truth = np.asarray(right, dtype=np.bool_)
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    members = [place == at for at in range(bins)]
    return [
        Bin(int(some.sum()), float(sure[some].mean()), int(truth[some].sum()))
        for some in members
        if some.any()
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """Mean distance in [0, 1] of confidence and share right (Naeini et al., 2015).

    ``None`` where there is no answer.
    """
    total = sum(each.count for each in bins)
    if not total:
        return None
    return sum(each.count * abs(each.confidence - each.share_right) for each in bins) / total
