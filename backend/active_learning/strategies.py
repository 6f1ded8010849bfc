"""Query strategies: how sure a tagger is of its answer to each text, low meaning "ask a human".

Each reads the probabilities of real tokens only and gives values in [0, 1], which is what
labelling tools order by. A text without tokens has nothing to ask: 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from backend.protocols import FloatArray, Pool, Strategy, Tagging


def margin(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """Lead of the best tag over the second at the text's most doubtful token.

    (n_texts,) in [0, 1]. Scheffer, Decomain & Wrobel (2001), with the minimum over tokens.
    """
    return _for_each(pool.taggings, _smallest_margin)


def mean_entropy(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """One minus the mean token entropy, as a share of the largest possible entropy.

    (n_texts,) in [0, 1]. Settles & Craven (2008) call it token entropy.
    """
    return _for_each(pool.taggings, _certainty)


def least_confidence(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """Probability of the best tag sequence, where the tagger knows it.

    Otherwise the geometric mean of the best tags' probabilities, so that long texts are not
    preferred for their length alone. (n_texts,) in [0, 1]. Culotta & McCallum (2005); the
    normalised form after MNLP, Shen et al. (2018).
    """
    return _for_each(pool.taggings, _sequence_confidence)


def random(pool: Pool, rng: np.random.Generator) -> FloatArray:
    """A random order: the baseline that every other strategy has to beat. (n_texts,) in [0, 1)."""
    return rng.random(len(pool.texts))


def longest(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """More tokens first: the control for strategies that only seem to find doubtful texts.

    (n_texts,) in (0, 1].
    """
    return np.array([1.0 / (1.0 + len(tagging.probabilities)) for tagging in pool.taggings])


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "random": random,
        "longest": longest,
        "margin": margin,
        "mean-entropy": mean_entropy,
        "least-confidence": least_confidence,
    }
)
"""Strategies by the name that the settings use."""

DEFAULT_BY_COST_UNIT: Mapping[str, str] = MappingProxyType(
    {"sentence": "margin", "token": "mean-entropy"}
)
"""Which strategy to use by what a label is paid for."""


def _for_each(taggings: Sequence[Tagging], confidence: Callable[[Tagging], float]) -> FloatArray:
    values = [confidence(tagging) if len(tagging.probabilities) else 1.0 for tagging in taggings]
    return np.clip(np.array(values, dtype=np.float64), 0.0, 1.0)


def _smallest_margin(tagging: Tagging) -> float:
    if tagging.probabilities.shape[1] < 2:
        return 1.0
    two_best = np.partition(tagging.probabilities, -2, axis=1)[:, -2:]  # (n_tokens, 2)
    return float((two_best[:, 1] - two_best[:, 0]).min())


def _certainty(tagging: Tagging) -> float:
    probabilities = tagging.probabilities
    n_tags = probabilities.shape[1]
    if n_tags < 2:
        return 1.0
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropies = -(probabilities * logarithms).sum(axis=1)  # (n_tokens,)
    return float(1.0 - entropies.mean() / np.log(n_tags))


def _sequence_confidence(tagging: Tagging) -> float:
    if tagging.sequence_probability is not None:
        return tagging.sequence_probability
    best = np.maximum(tagging.probabilities.max(axis=1), np.finfo(np.float64).tiny)
    return float(np.exp(np.log(best).mean()))
