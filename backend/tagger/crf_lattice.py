"""Best path and marginals of many sequences together, in a linear chain of tags.

Sequences are walked side by side, longest first, one token of each at a time, so a step is one
operation on arrays however many they are, and no place is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.protocols import FloatArray

IntArray = npt.NDArray[np.intp]

_LEAST = -500.0
"""A tag this much (in logarithms) behind the best of its token counts as this much behind.

Keeps the sums of the forward algorithm above the smallest number there is.
"""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What is known of every token and sequence, in the order they came.

    ``best``: (n_tokens,) tag numbers; ``marginals``: (n_tokens, n_tags), rows sum to 1;
    ``probabilities``: (n_sequences,) of the best paths.
    """

    best: IntArray
    marginals: FloatArray
    probabilities: FloatArray


class Lattice:
    """A chain of tags with a score for each step.

    starts: (n_tags,), transitions: (n_tags, n_tags), from the row's tag to the column's, both in
    logarithms; ``-inf`` forbids, but every tag needs one that may follow it, and one must be
    allowed to start.
    """

    def __init__(self, starts: FloatArray, transitions: FloatArray) -> None:
        self._starts = starts
        self._steps = transitions
        self._start_factors = np.exp(starts)
        self._step_factors = np.exp(transitions)

    def decode(self, scores: FloatArray, lengths: Sequence[int]) -> Decoded:
        """Viterbi (1967) and forward-backward (Baum et al., 1970) for every sequence.

        scores: (n_tokens, n_tags), one sequence behind the other, ``lengths`` tokens each (none
        of them 0).
        """
        order = _Order(lengths)
        packed = scores[order.tokens]
        best, path_scores = self._best_paths(packed, order)
        marginals, all_paths = self._marginals(packed, order)
        probabilities = np.exp(np.minimum(path_scores - all_paths, 0.0))
        return Decoded(order.back(best), order.back(marginals), probabilities)

    def _best_paths(self, scores: FloatArray, order: _Order) -> tuple[IntArray, FloatArray]:
        """The best tags (n_tokens,), packed, and the score of each sequence's path."""
        reached = np.empty_like(scores)
        came_from = np.zeros(scores.shape, dtype=np.intp)
        into = np.ascontiguousarray(self._steps.T)  # (n_tags now, n_tags before)
        reached[order.first] = scores[order.first] + self._starts
        for before, now in order.steps():
            paths = reached[before, None, :] + into  # (n_active, n_tags now, n_tags before)
            came_from[now] = paths.argmax(axis=2)
            reached[now] = paths.max(axis=2) + scores[now]
        best = reached.argmax(axis=1)  # so far right for the last tokens
        for before, now in reversed(order.steps()):
            best[before] = np.take_along_axis(came_from[now], best[now, None], axis=1)[:, 0]
        return best, reached[order.last].max(axis=1)

    def _marginals(self, scores: FloatArray, order: _Order) -> tuple[FloatArray, FloatArray]:
        """Marginals (n_tokens, n_tags), packed, and the log-sum over the paths of each sequence."""
        highest = scores.max(axis=1, keepdims=True)
        factors = np.exp(np.maximum(scores - highest, _LEAST))
        ahead = factors.copy()
        ahead[order.first] *= self._start_factors
        sums = np.empty_like(highest)
        sums[order.first] = _normalise(ahead[order.first])
        for before, now in order.steps():
            ahead[now] *= ahead[before] @ self._step_factors
            sums[now] = _normalise(ahead[now])
        behind = np.ones_like(scores)
        for before, now in reversed(order.steps()):
            behind[before] = (behind[now] * factors[now]) @ self._step_factors.T
            _normalise(behind[before])
        marginals = ahead * behind
        _normalise(marginals)
        return marginals, order.sums((np.log(sums) + highest)[:, 0])


def _normalise(rows: FloatArray) -> FloatArray:
    """Divide rows by their sums, in place; returns the sums (n_rows, 1)."""
    sums: FloatArray = rows.sum(axis=1, keepdims=True)
    rows /= sums
    return sums


class _Order:
    """Where the tokens of sequences lie when the sequences are walked side by side.

    Packed, the first tokens of all sequences come first, then the second tokens of those that
    have one, and so on; longer sequences stand before shorter ones, so that the sequences of a
    step are the first of those of the step before.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        sizes = np.asarray(lengths, dtype=np.intp)
        self._begins = np.cumsum(sizes) - sizes
        ranked = np.argsort(-sizes, kind="stable")
        longest = int(sizes.max(initial=0))
        active = np.searchsorted(-sizes[ranked], -np.arange(longest), side="left")
        bounds = np.concatenate([[0], np.cumsum(active)])
        self._slices = [slice(begin, end) for begin, end in pairwise(bounds.tolist())]
        self.tokens = np.concatenate(
            [np.empty(0, dtype=np.intp)]
            + [self._begins[ranked[:count]] + step for step, count in enumerate(active)]
        )
        """Which token each packed place holds."""
        self.last = np.empty_like(ranked)
        self.last[ranked] = bounds[sizes[ranked] - 1] + np.arange(len(sizes))
        """The packed place of each sequence's last token."""

    @property
    def first(self) -> slice:
        """The packed places of the first tokens of all sequences."""
        return self._slices[0] if self._slices else slice(0, 0)

    def steps(self) -> list[tuple[slice, slice]]:
        """From front to back: packed places of tokens, and of those that follow each of them."""
        return [
            (slice(before.start, before.start + now.stop - now.start), now)
            for before, now in pairwise(self._slices)
        ]

    def back(self, packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Packed values, in the order the tokens came."""
        values = np.empty_like(packed)
        values[self.tokens] = packed
        return values

    def sums(self, packed: FloatArray) -> FloatArray:
        """The sum over each sequence's tokens."""
        if not len(packed):
            return packed
        return np.add.reduceat(self.back(packed), self._begins)
