"""Pools of made-up taggings for tests of what looks at a whole pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from backend.domain import Span
from backend.protocols import Pool, Tagging

WORDS = ("amina", "Lagos", "went", "to", "market", "Kano", "in", "rain", "sold", "maize")


def tagging(rows: Sequence[Sequence[float]], sequence_probability: float | None = None) -> Tagging:
    """A tagging with these rows of probabilities and no spans."""
    return Tagging((), np.array(rows, dtype=float).reshape(len(rows), -1), sequence_probability)


def random_tagging(rng: np.random.Generator, n_tokens: int, n_tags: int = 5) -> Tagging:
    """Doubtful here, certain there; with a sequence probability and spans in half of the cases."""
    probabilities = rng.dirichlet(np.full(n_tags, 0.2), size=n_tokens)
    spans = [Span(i, i + 1, "LOC", float(rng.random())) for i in range(0, n_tokens, 3)]
    probability = float(probabilities.max(axis=1).prod()) if rng.random() < 0.5 else None
    return Tagging(tuple(spans), probabilities, probability)


def full_pool(lengths: Sequence[int], seed: int) -> Pool:
    """Texts of these many tokens, with all that any strategy asks for."""
    rng = np.random.default_rng(seed)
    members = [[random_tagging(rng, length) for length in lengths] for _ in range(3)]
    suggested = [None if rng.random() < 0.3 else one.spans[:1] for one in members[0]]
    return Pool(
        texts=[" ".join(rng.choice(WORDS, length)) for length in lengths],
        taggings=members[0],
        labelled=["Amina went to Kano", "rain in Lagos"],
        committee=members[1:],
        suggested=suggested,
        seconds=rng.uniform(1, 60, len(lengths)),
    )


def part(pool: Pool, order: Sequence[int]) -> Pool:
    """The texts at these places, in this order, with what is known of them."""
    assert pool.seconds is not None
    return Pool(
        texts=[pool.texts[i] for i in order],
        taggings=[pool.taggings[i] for i in order],
        labelled=pool.labelled,
        committee=[[member[i] for i in order] for member in pool.committee],
        suggested=[pool.suggested[i] for i in order],
        seconds=pool.seconds[list(order)],
    )


pools = st.builds(full_pool, st.lists(st.integers(0, 8), max_size=9), st.integers(0, 2**32 - 1))
