"""Scores of tags for the words of many texts, from a CRF's weights.

A token's score is the sum of what single words and shapes at fixed places contribute, so each
different word's contributions are added up once, and a token only picks theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np
from scipy.sparse import csr_array

from backend.protocols import FloatArray
from backend.tagger.crf_features import (
    EDGE,
    OFFSETS,
    PREFIXES,
    REACH,
    features_by_distance,
    shape,
    shape_features,
)
from backend.tagger.crf_lattice import IntArray
from backend.tagger.crf_lexicon import NO_LEXICON, Lexicon
from backend.tagger.crf_model import CrfWeights

_MOST_WORDS = 2**16


class Emissions:
    """Scores words under one model, and remembers what each word contributed.

    Not to be shared between threads: it is cheap to make. After ``_MOST_WORDS`` different words
    it forgets them and starts anew.
    """

    def __init__(self, weights: CrfWeights, lexicon: Lexicon = NO_LEXICON) -> None:
        self._weights = weights
        self._lexicon = lexicon
        self._rows = _rows_by_offset(weights.rows)
        self._forget()

    def _forget(self) -> None:
        self._words = _Numbers()
        self._shapes = _Numbers()
        self._shape_of_word = np.empty(0, dtype=np.intp)
        self._of_word = np.empty((0, len(OFFSETS), len(self._weights.tags)))
        self._learn([EDGE])

    def scores(self, texts: Sequence[Sequence[str]]) -> FloatArray:
        """(n_tokens, n_tags) in logarithms, the words of one text behind those of the other."""
        if len(self._words) > _MOST_WORDS:
            self._forget()
        self._learn(chain.from_iterable(texts))
        edge = [EDGE] * REACH
        padded = chain(edge, *chain.from_iterable((words, edge) for words in texts))
        numbers = np.array([self._words[word] for word in padded])
        places = np.flatnonzero(numbers)  # EDGE, learned first, is number 0
        scores = self._of_shapes(self._shape_of_word[numbers], places)
        for column, offset in enumerate(OFFSETS):
            scores += self._of_word[numbers[places + offset], column]
        return scores

    def of_features(self, features: Sequence[Sequence[bytes]]) -> FloatArray:
        """(n_tokens, n_tags): what further features of each token add to its scores."""
        return self._sums(features, self._weights.rows)

    def _learn(self, words: Iterable[str]) -> None:
        new = [word for word in dict.fromkeys(words) if word not in self._words]
        shapes = [self._shapes[shape(word)] for word in new]
        features = features_by_distance(new, self._lexicon)
        contributions = [
            self._sums(features[abs(offset)], self._rows[offset]) for offset in OFFSETS
        ]
        self._shape_of_word = np.append(self._shape_of_word, np.array(shapes, dtype=np.intp))
        self._of_word = np.concatenate([self._of_word, np.stack(contributions, axis=1)])
        for word in new:
            self._words[word]  # gives it the number that its row has

    def _of_shapes(self, shapes: IntArray, places: IntArray) -> FloatArray:
        """What the shapes (of padded words) contribute to the words at ``places``."""
        count = len(self._shapes)
        around = [shapes[places + offset] for offset in (-1, 0, 1)]
        keys = (around[0] * count + around[1]) * count + around[2]
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        names = list(self._shapes)
        threes = zip(*(one[first].tolist() for one in around), strict=True)
        features = [shape_features(*(names[number] for number in three)) for three in threes]
        return self._sums(features, self._rows[0])[which]

    def _sums(self, features: Sequence[Sequence[bytes]], rows: Mapping[bytes, int]) -> FloatArray:
        """(n_lists, n_tags): the summed weights of each list of features."""
        known = [[rows[name] for name in names if name in rows] for names in features]
        columns = np.fromiter(chain.from_iterable(known), dtype=np.intp)
        ends = np.cumsum([0, *map(len, known)])
        size = (len(known), len(self._weights.rows))
        sums: FloatArray = (
            csr_array((np.ones(len(columns)), columns, ends), shape=size) @ self._weights.emissions
        ).toarray()
        return sums


class _Numbers(dict[str, int]):
    """Numbers strings 0, 1, ... as they come."""

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number


def _rows_by_offset(rows: Mapping[bytes, int]) -> dict[int, dict[bytes, int]]:
    """The rows of the features of words at each offset, by name without prefix."""
    by_prefix: dict[bytes, dict[bytes, int]] = {prefix: {} for prefix in PREFIXES.values()}
    for name, row in rows.items():
        prefix = name[:2] if name[:2] in by_prefix else b""
        by_prefix[prefix][name[len(prefix) :]] = row
    return {offset: by_prefix[prefix] for offset, prefix in PREFIXES.items()}
