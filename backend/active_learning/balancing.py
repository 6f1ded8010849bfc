"""Slices of the pool in turn, so that people label as much of each as there is need for.

A strategy that asks for the doubtful texts first may leave a dialect, a source or a script behind.
Here each next text is of the slice with the fewest labels so far, those ahead in the queue counted
with them; inside a slice the strategy's order stands.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence

import numpy as np

from backend.protocols import FloatArray

_APART = 1e-6


def balanced(
    confidences: Sequence[float] | FloatArray, slices: Sequence[str], labelled: Mapping[str, int]
) -> FloatArray:
    """The confidences (n_texts,) in [0, 1] handed out anew, the lowest to whoever is next in turn.

    Each is changed by a millionth at most, so that equal ones keep their turns in any queue.
    ``slices``: each text's; ``labelled``: how many texts of each are labelled already.
    """
    sure = np.asarray(confidences, dtype=np.float64)
    waiting: defaultdict[str, deque[int]] = defaultdict(deque)
    for at in np.argsort(sure, kind="stable").tolist():
        waiting[slices[at]].append(at)
    counts = Counter(labelled)
    turns = [(counts[name], name) for name in waiting]
    heapq.heapify(turns)
    order = []
    while turns:
        count, name = turns[0]
        order.append(waiting[name].popleft())
        if waiting[name]:
            heapq.heapreplace(turns, (count + 1, name))
        else:
            heapq.heappop(turns)
    values = np.empty(len(sure))
    places = np.arange(len(sure)) / max(1, len(sure))
    values[order] = (1 - _APART) * np.sort(sure) + _APART * places
    return values
