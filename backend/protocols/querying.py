"""Which texts a tagger learns most from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backend.domain import Span
from backend.protocols.tagging import FloatArray, Tagging


@dataclass(frozen=True, slots=True)
class Pool:
    """What a query strategy may look at: unlabelled texts and what is known of them.

    ``taggings``: the serving tagger's, one per text. ``labelled``: texts that have labels already.
    ``committee``: for each further member (or dropout pass), its taggings of the same texts.
    ``suggested``: the LLM's spans of each text, ``None`` where it has not answered. ``seconds``:
    (n_texts,), how long an annotator is expected to take. What is empty or ``None`` is not known.
    """

    texts: Sequence[str]
    taggings: Sequence[Tagging]
    labelled: Sequence[str] = ()
    committee: Sequence[Sequence[Tagging]] = ()
    suggested: Sequence[tuple[Span, ...] | None] = ()
    seconds: FloatArray | None = None


class Strategy(Protocol):
    """A query strategy: which texts of a pool teach a tagger most?"""

    def __call__(self, pool: Pool, rng: np.random.Generator, /) -> FloatArray:
        """Confidence (n_texts,) in [0, 1]; the lowest is asked of a human first.

        Raises :class:`~backend.errors.InputError` where the pool lacks what the strategy needs.
        """
