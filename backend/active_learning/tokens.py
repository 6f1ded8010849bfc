"""The tokens of many texts in one array, so that a pool is scored without a loop over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.protocols import FloatArray, Tagging

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """``probabilities``: (n_tokens, n_tags), the texts' tokens one after the other.

    ``lengths``: (n_texts,), how many of them belong to each text, none included.
    """

    probabilities: FloatArray
    lengths: IntArray

    @classmethod
    def of(cls, taggings: Sequence[Tagging]) -> Tokens:
        """The tokens of taggings by one tagger, hence with the same tags."""
        parts = [tagging.probabilities for tagging in taggings]
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
        return cls(np.concatenate(parts) if parts else np.zeros((0, 1)), lengths)

    @property
    def n_tags(self) -> int:
        """How many tags each token may have."""
        return int(self.probabilities.shape[1])

    @property
    def owner(self) -> IntArray:
        """(n_tokens,): the position of each token's text."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def sums(self, values: FloatArray) -> FloatArray:
        """(n_texts,) sums of (n_tokens,) values; 0 for a text without tokens."""
        return _sums(self.owner, values, len(self.lengths))

    def means(self, values: FloatArray, empty: float) -> FloatArray:
        """(n_texts,) means of (n_tokens,) values; ``empty`` for a text without tokens."""
        means = self.sums(values) / np.maximum(self.lengths, 1)
        means[self.lengths == 0] = empty
        return means

    def smallest(self, values: FloatArray, empty: float) -> FloatArray:
        """(n_texts,) smallest of (n_tokens,) values; ``empty`` for a text without tokens."""
        found = np.full(len(self.lengths), empty)
        np.minimum.at(found, self.owner, np.minimum(values, empty))
        return found

    def top_sums(self, values: FloatArray, k: int) -> FloatArray:
        """(n_texts,) sums of the ``k`` largest of a text's (n_tokens,) values, or of all."""
        order = np.lexsort((-values, self.owner))
        place = np.arange(len(values)) - np.repeat(
            np.cumsum(self.lengths) - self.lengths, self.lengths
        )
        largest = order[place < k]
        return _sums(self.owner[largest], values[largest], len(self.lengths))

    def entropies(self) -> FloatArray:
        """(n_tokens,) as a share of the largest possible entropy; 0 where there is one tag."""
        return entropies(self.probabilities) / float(np.log(max(2, self.n_tags)))


def entropies(probabilities: FloatArray) -> FloatArray:
    """(n_rows,) entropies in nats of (n_rows, n_tags) probabilities, 0 log 0 being 0."""
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    found: FloatArray = np.maximum(-(probabilities * logarithms).sum(axis=1), 0.0)
    return found


def _sums(owner: IntArray, values: FloatArray, n_texts: int) -> FloatArray:
    return np.bincount(owner, weights=values, minlength=n_texts).astype(np.float64)
