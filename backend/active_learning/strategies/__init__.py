"""Query strategies by name: which texts of a pool teach a tagger most?

Each module holds one idea: ``uncertainty`` (of the tagger by itself), ``disagreement`` (of
several), ``diversity`` (of a batch) and ``cost`` (of an annotator's time).
``docs/active-learning.md`` compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from backend.active_learning.strategies import cost, disagreement, diversity, uncertainty
from backend.errors import InputError
from backend.protocols import Strategy

DEFAULT_BY_COST_UNIT: Mapping[str, str] = MappingProxyType(
    {"sentence": "top-entropy", "token": "mean-entropy", "minute": "per-minute"}
)
"""Which strategy to use by what a label is paid for."""

POINTWISE: Mapping[str, Strategy] = MappingProxyType(
    {
        "random": uncertainty.random,
        "longest": uncertainty.longest,
        "margin": uncertainty.margin,
        "least-confidence": uncertainty.least_confidence,
        "sequence-probability": uncertainty.sequence_probability,
        "mnlp": uncertainty.mnlp,
        "mean-entropy": uncertainty.mean_entropy,
        "max-entropy": uncertainty.max_entropy,
        "total-entropy": uncertainty.total_entropy,
        "top-entropy": uncertainty.top_entropy,
        "vote-entropy": disagreement.vote_entropy,
        "committee-kl": disagreement.mutual_information,
        "bald": disagreement.mutual_information,
        "llm-disagreement": disagreement.llm_disagreement,
        "per-minute": cost.per_minute,
    }
)
"""Strategies whose value of a text depends on what is known of that text alone."""

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "default": POINTWISE[DEFAULT_BY_COST_UNIT["sentence"]],
        **POINTWISE,
        "k-center": diversity.k_center,
        "clusters": diversity.clusters,
        "margin-diverse": diversity.Diverse(uncertainty.margin, weight=0.3),
        "entropy-diverse": diversity.Diverse(uncertainty.top_entropy, weight=0.3),
        "margin-clusters": diversity.Clustered(uncertainty.margin),
        "knapsack": cost.Knapsack(),
    }
)
"""All strategies by the name that the settings use."""

BAGGED = frozenset({"vote-entropy", "committee-kl"})
"""Strategies that need a ``Pool.committee`` of several taggers."""

COMMITTEE = BAGGED | {"bald"}
"""Strategies that need a ``Pool.committee``: for ``bald``, of one network with dropout."""

TIMED = frozenset({"per-minute", "knapsack"})
"""Strategies that need ``Pool.seconds``."""


def resolve(name: str, cost_unit: str) -> str:
    """The strategy's own name: ``default`` is what suits the unit that labels are paid by.

    Raises :class:`~backend.errors.InputError` for a name or a unit that there is not.
    """
    if name == "default" and cost_unit in DEFAULT_BY_COST_UNIT:
        return DEFAULT_BY_COST_UNIT[cost_unit]
    if name == "default" or name not in STRATEGIES:
        wrong = f"cost unit {cost_unit!r}" if name == "default" else f"query strategy {name!r}"
        known = DEFAULT_BY_COST_UNIT if name == "default" else STRATEGIES
        raise InputError(f"There is no {wrong}. Choose one of: {', '.join(known)}.")
    return name
