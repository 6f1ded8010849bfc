"""What an annotator's minute buys: doubt per expected second, and the best use of a session.

Values are in [0, 1], (n_texts,), low meaning "ask a human".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.active_learning.strategies.diversity import ranks
from backend.active_learning.strategies.uncertainty import total_entropy
from backend.active_learning.tokens import IntArray
from backend.errors import InputError
from backend.protocols import FloatArray, Pool

BoolArray = npt.NDArray[np.bool_]

SESSION_SECONDS = 3_600.0
_STEPS = 3_600
_CANDIDATES = 4_000
_ENOUGH = 10
_RECENT = 500


def per_minute(pool: Pool, rng: np.random.Generator) -> FloatArray:
    """1 / (1 + the text's total entropy per expected minute).

    Return on investment: Haertel et al. (2008); Settles, Craven & Friedland (2008).
    """
    return 1.0 / (1.0 + 60.0 * information(pool, rng) / _seconds(pool))


@dataclass(frozen=True, slots=True)
class Knapsack:
    """First the texts that together hold most information and fit into a session's time.

    Dynamic programming over the 0-1 knapsack (after KnapsackBALD, 2026), time in steps of 1 / 3600
    of the session, rounded up, over the 4,000 texts with most information per second. The chosen
    ones and then the rest, each by information per second.
    """

    seconds: float = SESSION_SECONDS

    def __call__(self, pool: Pool, rng: np.random.Generator, /) -> FloatArray:
        """See :class:`backend.protocols.Strategy`."""
        values, costs = information(pool, rng), _seconds(pool)
        by_value = np.argsort(-values / costs, kind="stable")
        candidates = by_value[:_CANDIDATES]
        steps = np.ceil(costs[candidates] * (_STEPS / self.seconds)).astype(np.int64)
        chosen = np.zeros(len(values), dtype=bool)
        chosen[candidates] = fill(values[candidates], steps, _STEPS)
        return ranks(np.concatenate([by_value[chosen[by_value]], by_value[~chosen[by_value]]]))


def information(pool: Pool, rng: np.random.Generator) -> FloatArray:
    """(n_texts,), at least 0: the total token entropy, in units of the largest of one token."""
    return 1.0 / total_entropy(pool, rng) - 1.0


def fill(values: FloatArray, weights: IntArray, capacity: int) -> BoolArray:
    """Which items (n_items,) to pack: the largest sum of values within the capacity.

    ``weights`` and ``capacity`` are whole numbers, weights at least 1. Time and memory grow with
    ``n_items * capacity``.
    """
    best = np.zeros(capacity + 1)  # by room: what the items so far are worth at most
    packed = np.zeros((len(values), capacity + 1), dtype=bool)
    for item, (value, weight) in enumerate(zip(values, weights, strict=True)):
        if weight <= capacity:
            with_item = best[: capacity + 1 - weight] + value
            packed[item, weight:] = with_item > best[weight:]
            best[weight:] = np.maximum(best[weight:], with_item)
    chosen = np.zeros(len(values), dtype=bool)
    room = capacity
    for item in reversed(range(len(values))):
        if packed[item, room]:
            chosen[item] = True
            room -= int(weights[item])
    return chosen


def expected_seconds(lengths: IntArray, labelled: IntArray, seconds: FloatArray) -> FloatArray:
    """(n_texts,) how long annotators will take for texts of these many tokens, at least 1.

    From the ``seconds`` they took for ``labelled`` texts' tokens: a line through the medians of
    slopes (Theil, 1950; Sen, 1968), which breaks and lunches do not bend, once there are 10 of
    them with different lengths. Before, 5 seconds and half a second for each token: a guess, of
    which only the proportion matters.
    """
    from scipy.stats import theilslopes  # noqa: PLC0415 - takes long to import

    slope, base = 0.5, 5.0
    usable = np.isfinite(seconds) & (seconds > 0)
    labelled, seconds = labelled[usable][-_RECENT:], seconds[usable][-_RECENT:]
    if len(labelled) >= _ENOUGH and len(np.unique(labelled)) > 1:
        line = theilslopes(seconds, labelled)
        slope = max(0.0, float(line.slope))
        base = float(np.median(seconds - slope * labelled))
    expected: FloatArray = np.maximum(base + slope * lengths, 1.0)
    return expected


def _seconds(pool: Pool) -> FloatArray:
    if pool.seconds is None:
        raise InputError(
            "A strategy that weighs cost needs the seconds that each text is expected to take. "
            "Give the pool seconds, for example from "
            "backend.active_learning.strategies.cost.expected_seconds."
        )
    return np.maximum(pool.seconds, 1e-9)
