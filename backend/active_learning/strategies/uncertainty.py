"""Uncertainty sampling: how sure the tagger is of its answer to each text, by itself.

Values are confidences in [0, 1], (n_texts,), low meaning "ask a human". A text without tokens has
nothing to ask: 1.0. A value depends on its own text alone, whatever else is in the pool.
"""

from __future__ import annotations

import numpy as np

from backend.active_learning.tokens import Tokens
from backend.protocols import FloatArray, Pool

TOP_K = 3
_LEAST = np.finfo(np.float64).tiny


def random(pool: Pool, rng: np.random.Generator) -> FloatArray:
    """A random order: the baseline that every other strategy has to beat."""
    return rng.random(len(pool.texts))


def longest(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """More tokens first: the control for strategies that only seem to find doubtful texts."""
    return 1.0 / (1.0 + Tokens.of(pool.taggings).lengths.astype(np.float64))


def mean_entropy(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """One minus the mean token entropy, as a share of the largest possible one.

    "Token entropy" of Settles & Craven (2008).
    """
    tokens = Tokens.of(pool.taggings)
    return _bounded(1.0 - tokens.means(tokens.entropies(), empty=0.0))


def max_entropy(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """One minus the largest token entropy: :func:`top_entropy` with one token."""
    tokens = Tokens.of(pool.taggings)
    return _bounded(tokens.smallest(1.0 - tokens.entropies(), empty=1.0))


def total_entropy(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """1 / (1 + the sum of the token entropies): long texts come first.

    "Total token entropy" of Settles & Craven (2008), brought into (0, 1].
    """
    tokens = Tokens.of(pool.taggings)
    return 1.0 / (1.0 + tokens.sums(tokens.entropies()))


def top_entropy(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """One minus the sum of the three largest token entropies, as a share of its largest value.

    Between the largest (k = 1) and the total entropy of Settles & Craven (2008): several doubtful
    tokens count, and a long text of certain ones is not diluted by them.
    """
    tokens = Tokens.of(pool.taggings)
    return _bounded(1.0 - tokens.top_sums(tokens.entropies(), TOP_K) / TOP_K)


def margin(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """Lead of the best tag over the second at the text's most doubtful token.

    Scheffer, Decomain & Wrobel (2001), with the minimum over tokens.
    """
    tokens = Tokens.of(pool.taggings)
    if tokens.n_tags < 2:
        return np.ones(len(tokens.lengths))
    two_best = np.partition(tokens.probabilities, -2, axis=1)[:, -2:]  # (n_tokens, 2)
    return _bounded(tokens.smallest(two_best[:, 1] - two_best[:, 0], empty=1.0))


def least_confidence(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """Probability of the best tag at the text's most doubtful token.

    Lewis & Gale (1994) for each token, with the minimum over tokens.
    """
    tokens = Tokens.of(pool.taggings)
    return _bounded(tokens.smallest(tokens.probabilities.max(axis=1, initial=0.0), empty=1.0))


def sequence_probability(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """Probability of the best tag sequence, 1 - P(sequence) being the doubt: long texts come first.

    Culotta & McCallum (2005). Where the tagger knows no such probability, the product of its best
    tags' probabilities, as if they were independent.
    """
    return np.exp(_log_sequence_probabilities(pool))


def mnlp(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """The sequence probability's geometric mean over the tokens, so that length does not count.

    Maximum normalised log-probability, Shen et al. (2018).
    """
    lengths = Tokens.of(pool.taggings).lengths
    return np.exp(_log_sequence_probabilities(pool) / np.maximum(lengths, 1))


def _log_sequence_probabilities(pool: Pool) -> FloatArray:
    """(n_texts,) of the best sequence; from the tokens where unknown, or too small for a float."""
    tokens = Tokens.of(pool.taggings)
    best = np.maximum(tokens.probabilities.max(axis=1, initial=0.0), _LEAST)
    known = np.array([tagging.sequence_probability or 0.0 for tagging in pool.taggings])
    from_tokens = np.minimum(tokens.sums(np.log(best)), 0.0)
    logarithms = np.log(known, out=from_tokens, where=known > 0)
    return np.where(tokens.lengths > 0, np.minimum(logarithms, 0.0), 0.0)


def _bounded(values: FloatArray) -> FloatArray:
    """Without the rounding errors that leave [0, 1]."""
    return np.clip(values, 0.0, 1.0)
