"""The best legal tag sequence when a model scores each token by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from backend.text.bio import legal_starts, legal_transitions

FloatArray = npt.NDArray[np.float64]


class LegalDecoder:
    """Viterbi decoding (1967) under the IOB2 rules: ``I-X`` only after ``B-X`` or ``I-X``."""

    def __init__(self, tags: Sequence[str]) -> None:
        self._tags = tuple(tags)
        self._may_start = legal_starts(tags)
        self._may_follow = legal_transitions(tags)
        self._start_cost = np.where(self._may_start, 0.0, -np.inf)
        self._step_cost = np.where(self._may_follow, 0.0, -np.inf)

    def decode(self, probabilities: FloatArray) -> list[int]:
        """Positions of the tags with the largest product of ``probabilities``.

        probabilities: (n_tokens, n_tags). Only legal sequences are considered, and a tag with
        probability 0 is only taken where nothing else is legal.
        """
        if not len(probabilities):
            return []
        likeliest = probabilities.argmax(axis=1)
        if self._is_legal(likeliest):  # nothing can be better, and nearly all texts end here
            return [int(tag) for tag in likeliest]
        scores = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
        best = scores[0] + self._start_cost  # (n_tags,)
        came_from = np.empty(probabilities.shape, dtype=np.intp)
        for token in range(1, len(scores)):
            paths = best[:, None] + self._step_cost  # (n_tags before, n_tags now)
            came_from[token] = paths.argmax(axis=0)
            best = paths.max(axis=0) + scores[token]
        path = [int(best.argmax())]
        for token in range(len(scores) - 1, 0, -1):
            path.append(int(came_from[token, path[-1]]))
        return path[::-1]

    def _is_legal(self, path: npt.NDArray[np.intp]) -> bool:
        return bool(self._may_start[path[0]] and self._may_follow[path[:-1], path[1:]].all())
