"""Batches whose texts differ from each other, by themselves or on top of a measure of doubt.

A batch strategy looks at the whole pool: a text's value depends on the others. Values are in
[0, 1], (n_texts,), low meaning "ask a human"; a strategy with a measure of doubt under it hands
that measure's own values out in the new order, so that they stay comparable with its scores of
other texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.active_learning.cold_start import cold_start_confidence, in_turns
from backend.active_learning.ngrams import embed
from backend.active_learning.tokens import IntArray
from backend.protocols import FloatArray, Pool, Strategy

HEAD = 2_000
"""Texts that are put in order one by one; what comes behind nobody labels before the next round."""

_SOME = 1e-6


def k_center(pool: Pool, rng: np.random.Generator) -> FloatArray:
    """The text farthest from all that are labelled or chosen, again and again.

    Core-set selection, Sener & Savarese (2018), in its greedy form (Gonzalez, 1985).
    """
    points, labelled = _points(pool, rng)
    nearness = _nearness(points, labelled)
    order: list[int] = []
    for _ in range(min(HEAD, len(points))):
        order.append(int(nearness.argmin()))
        nearness = np.maximum(nearness, points @ points[order[-1]])
        nearness[order] = np.inf
    rest = np.setdiff1d(np.arange(len(points)), order)
    return ranks(np.array([*order, *rest[np.argsort(nearness[rest], kind="stable")]], dtype=int))


def clusters(pool: Pool, rng: np.random.Generator) -> FloatArray:
    """Clusters of like texts in turn, as before the first model: see ``cold_start``."""
    return cold_start_confidence(pool.texts, rng)


@dataclass(frozen=True, slots=True)
class Diverse:
    """The most doubtful text that is least like the labelled and the chosen ones, again and again.

    Maximal marginal relevance (Carbonell & Goldstein, 1998) over ranks of ``doubt``; ``weight`` in
    [0, 1] is that of unlikeness. As a query strategy for NER: Shen et al. (2004).
    """

    doubt: Strategy
    weight: float

    def __call__(self, pool: Pool, rng: np.random.Generator, /) -> FloatArray:
        """See :class:`backend.protocols.Strategy`."""
        sure = self.doubt(pool, rng)
        points, labelled = _points(pool, rng)
        head = np.argsort(sure, kind="stable")[:HEAD]
        relevance = 1.0 - ranks(np.argsort(sure, kind="stable"))[head]
        likeness = np.maximum(_nearness(points[head], labelled), 0.0)
        chosen: list[int] = []
        for _ in head:
            value = (1 - self.weight) * relevance - self.weight * likeness
            value[chosen] = -np.inf
            chosen.append(int(value.argmax()))
            likeness = np.maximum(likeness, points[head] @ points[head[chosen[-1]]])
        return _reordered(sure, head[chosen])


@dataclass(frozen=True, slots=True)
class Clustered:
    """The doubtful part of the pool in clusters, visited in turn, most doubtful texts first.

    After Zhdanov (2019): of the ``batch * factor`` most doubtful texts, ``batch`` clusters.
    """

    doubt: Strategy
    batch: int = 50
    factor: int = 10

    def __call__(self, pool: Pool, rng: np.random.Generator, /) -> FloatArray:
        """See :class:`backend.protocols.Strategy`."""
        from sklearn.cluster import KMeans  # noqa: PLC0415 - takes seconds to import

        sure = self.doubt(pool, rng)
        head = np.argsort(sure, kind="stable")[: self.batch * self.factor]
        if len(head) <= self.batch:
            return sure
        points = embed([pool.texts[place] for place in head], rng)
        different = len(np.unique(points.round(6), axis=0))
        groups = KMeans(min(self.batch, different), n_init=1, random_state=int(rng.integers(2**31)))
        doubts = 1.0 - sure[head] + _SOME
        members = groups.fit_predict(points, sample_weight=doubts)
        return _reordered(sure, head[in_turns(members, np.arange(len(head)))])


def ranks(order: Sequence[int] | IntArray) -> FloatArray:
    """(n_texts,) distinct values in [0, 1] that rise along ``order``, a permutation."""
    values = np.empty(len(order))
    values[order] = np.arange(len(order)) / max(1, len(order) - 1)
    return values


def _reordered(sure: FloatArray, first: IntArray) -> FloatArray:
    """The values of ``sure`` handed out anew: the lowest ones along ``first``."""
    values = sure.copy()
    values[first] = np.sort(sure[first])
    return values


def _points(pool: Pool, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """The pool's texts and the labelled ones as points of one space."""
    points = embed([*pool.texts, *pool.labelled], rng)
    return points[: len(pool.texts)], points[len(pool.texts) :]


def _nearness(points: FloatArray, labelled: FloatArray) -> FloatArray:
    """(n_points,): likeness to the most like labelled text, -1 where there is none."""
    if not len(labelled):
        return np.full(len(points), -1.0)
    parts = np.array_split(labelled, max(1, len(labelled) // 1_000))
    nearness: FloatArray = np.max([(points @ part.T).max(axis=1) for part in parts], axis=0)
    return nearness
