"""Does a confidence of 0.8 mean right in 8 cases of 10? Diagram, error and likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.protocols import FloatArray

BoolArray = npt.NDArray[np.bool_]

BINS = 10
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of like confidence: their mean confidence, the share that is right, how many."""

    confidence: float
    accuracy: float
    count: int


def reliability(confidence: FloatArray, right: BoolArray, bins: int = BINS) -> list[Bin]:
    """The reliability diagram (DeGroot & Fienberg, 1983): bins of equal width, empty ones left out.

    ``confidence``: (n_answers,) in [0, 1]; ``right``: (n_answers,).
    """
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=confidence, minlength=bins)
    hits = np.bincount(place, weights=right.astype(np.float64), minlength=bins)
    return [
        Bin(float(sums[i] / counts[i]), float(hits[i] / counts[i]), int(counts[i]))
        for i in np.flatnonzero(counts)
    ]


def calibration_error(confidence: FloatArray, right: BoolArray, bins: int = BINS) -> float:
    """Expected calibration error in [0, 1] (Naeini, Cooper & Hauskrecht, 2015); 0.0 for no answers.

    The mean distance between confidence and accuracy in a bin of the diagram, by its answers.
    """
    diagram = reliability(confidence, right, bins)
    apart = sum(each.count * abs(each.confidence - each.accuracy) for each in diagram)
    return float(apart / max(1, len(confidence)))


def negative_log_likelihood(confidence: FloatArray, right: BoolArray) -> float:
    """Mean -log of the probability given to what turned out, in nats; 0.0 for no answers."""
    given = np.where(right, confidence, 1.0 - confidence)
    return float(-np.log(np.maximum(given, _LEAST)).mean()) if len(given) else 0.0
