"""Did values change at some place among them? A test of all places at once.

What stands before a place is compared with all behind it, by ranks, for every place in turn; the
largest difference, in its standard deviations, is compared with those that the same values show in
random orders (permutation test of a change point of unknown place; Pettitt, 1979). While the order
of the values means nothing, the p-value holds exactly, however they are distributed and however
many are equal. It takes a whole stretch of values at once, so it finds small lasting changes that
sums from value to value miss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from backend.protocols import FloatArray

SHORTEST = 20
"""The last so many values, or tenth of all if that is more, count as one stretch."""
_ENOUGH = 10
_FIRST = 100
_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The likeliest place of a change: the first value behind it, and 1 for a rise, -1 for a fall.

    ``p_value`` in (0, 1]: how often chance makes a difference as large at any place.
    """

    place: int
    direction: int
    p_value: float


def change_point(
    values: FloatArray, stable: int, level: float, rng: np.random.Generator
) -> ChangePoint:
    """Look for a change behind the first ``stable`` values.

    ``values``: (n,), more than ``stable`` and at least 2. ``level`` in (0, 1): the p-value that
    matters, which says how many orders have to be tried; far above it few do (Besag & Clifford,
    1991).
    """
    count = len(values)
    ranked = rankdata(values)
    ranked -= ranked.mean()
    shortest = min(max(SHORTEST, count // 10), count - stable)
    places = np.arange(max(1, stable), count - shortest + 1)
    deviation = ranked.std()
    if not deviation:
        return ChangePoint(int(places[0]), 1, 1.0)
    ranked /= deviation
    scale = np.sqrt(count / (places * (count - places)))

    def differences(rows: FloatArray) -> FloatArray:
        return np.asarray(-np.cumsum(rows, axis=-1)[..., places - 1] * scale, dtype=np.float64)

    seen = differences(ranked)
    at = int(np.abs(seen).argmax())
    highest = abs(seen[at])
    orders = math.ceil(_ENOUGH / level)
    as_large = tried = 0
    while tried < orders and as_large < _ENOUGH:
        size = min(max(_FIRST, tried), max(1, _AT_ONCE // count), orders - tried)
        rows = rng.permuted(np.broadcast_to(ranked, (size, count)), axis=1)
        hits = np.flatnonzero(np.abs(differences(rows)).max(axis=1) >= highest - 1e-9)
        if as_large + len(hits) >= _ENOUGH:
            tried += int(hits[_ENOUGH - as_large - 1]) + 1
            as_large = _ENOUGH
        else:
            tried += size
            as_large += len(hits)
    p_value = as_large / tried if as_large == _ENOUGH else (as_large + 1) / (tried + 1)
    return ChangePoint(int(places[at]), 1 if seen[at] > 0 else -1, p_value)
