"""Texts as points: weighted character n-grams, which see through rich morphology.

They need no tokeniser and no model. scikit-learn is imported late, because that takes seconds and
most processes never need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.protocols import FloatArray

CHARACTERS = 300
"""How much of a text speaks for it."""

_DIMENSIONS = 64
_FIT_TEXTS = 5_000


def counter() -> Any:
    """A vectoriser of texts into counts of hashed n-grams of 2 to 4 characters inside words."""
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415

    return HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=2**14, alternate_sign=False, norm=None
    )


def weights() -> Any:
    """A transformer of counts into TF-IDF weights (Sparck Jones, 1972), rows of length 1."""
    from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415

    return TfidfTransformer(sublinear_tf=True)


def embed(texts: Sequence[str], rng: np.random.Generator) -> FloatArray:
    """(n_texts, 64): TF-IDF n-grams in few dimensions; rows of length 1, or 0 for empty texts.

    Latent semantic analysis (Deerwester et al., 1990), by a randomised decomposition of a sample
    of 5,000 texts; up to 64 texts keep all dimensions. The scalar product of two rows is the
    texts' likeness, in [-1, 1].
    """
    from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415

    if not texts:
        return np.zeros((0, 1))
    counts = counter().transform([text[:CHARACTERS] for text in texts])
    sample = np.sort(rng.permutation(len(texts))[:_FIT_TEXTS])
    weighted = weights().fit(counts[sample]).transform(counts)
    if len(sample) > _DIMENSIONS:
        seed = int(rng.integers(2**31))
        _, _, axes = randomized_svd(weighted[sample], _DIMENSIONS, n_iter=2, random_state=seed)
        points = weighted @ axes.T
    else:
        points = weighted.toarray()
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    directions: FloatArray = points / np.where(lengths > 0, lengths, 1.0)
    return directions
