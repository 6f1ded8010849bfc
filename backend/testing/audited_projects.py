"""Simulated projects whose truth is known, to see whether an audit's intervals hold it.

A text is easy or hard for everybody, and that is where the errors cluster: in an LLM and in a
tagger alike. Texts hold no mention, one, or several. A mention is missed, or found with wrong
bounds, which is a miss and a false alarm at once; false alarms come by themselves too. Some
mistakes both make alike, so that their agreement is not always right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.protocols import FloatArray

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class World:
    """What projects of one kind are like.

    ``f1``: what the LLM is worth, about; ``proxy_f1``: the tagger; ``empty``: share of texts
    without a mention; ``audited``: human labels; ``texts``: from, to. ``informative``: whether the
    tagger's spans have anything to do with these texts at all.
    """

    f1: float
    audited: int
    empty: float
    proxy_f1: float = 0.7
    texts: tuple[int, int] = (2000, 5000)
    informative: bool = True


@dataclass(frozen=True, slots=True)
class AuditedProject:
    """One project. (n_texts,) counts of each text: right, predicted, gold.

    ``proxies``: (n_texts, 3), as from :func:`backend.quality.audit.agreement_proxies`;
    ``audited``: places of the texts that people labelled.
    """

    right: FloatArray
    predicted: FloatArray
    gold: FloatArray
    proxies: FloatArray
    audited: IntArray

    @property
    def f1(self) -> float:
        """The true F1 of the LLM over all texts of the project."""
        return float(2 * self.right.sum() / (self.predicted.sum() + self.gold.sum()))


def audited_project(world: World, rng: np.random.Generator) -> AuditedProject:
    """Draw a project of that kind, its models' spans and its audit."""
    texts = int(rng.integers(world.texts[0], world.texts[1] + 1))
    difficulty = rng.beta(1.2, 1.2, texts)
    mentions = 1 + rng.negative_binomial(1.2, 0.45, texts)
    mentions[rng.random(texts) < world.empty] = 0
    text = np.repeat(np.arange(texts), mentions)

    def per_text(chosen: npt.NDArray[np.bool_]) -> IntArray:
        return np.bincount(text[chosen], minlength=texts)

    draws = rng.random(len(text))
    llm_misses = draws < _error(world.f1, difficulty)[text]
    llm_moves = llm_misses & (rng.random(len(text)) < 0.5)
    alarms = rng.poisson(_error(world.f1, difficulty) / 2)
    right = per_text(~llm_misses)
    predicted = right + per_text(llm_moves) + alarms

    alike = rng.random(len(text)) < 0.3
    own_draws = np.where(alike, draws, rng.random(len(text)))
    tagger_misses = own_draws < _error(world.proxy_f1, difficulty)[text]
    tagger_moves = tagger_misses & (rng.random(len(text)) < 0.5)
    same_moves = llm_moves & tagger_moves & (rng.random(len(text)) < 0.4)
    tagger_alarms = rng.poisson(_error(world.proxy_f1, difficulty) / 2)
    same_alarms = np.minimum(rng.binomial(alarms, 0.2), rng.binomial(tagger_alarms, 0.5))
    agreed = per_text(~llm_misses & ~tagger_misses) + per_text(same_moves) + same_alarms
    tagged = per_text(~tagger_misses) + per_text(tagger_moves) + tagger_alarms
    proxies = np.column_stack([agreed, predicted - agreed, tagged - agreed]).astype(np.float64)
    return AuditedProject(
        right.astype(np.float64),
        predicted.astype(np.float64),
        mentions.astype(np.float64),
        proxies if world.informative else rng.permutation(proxies),
        rng.permutation(texts)[: world.audited].astype(np.int64),
    )


def _error(f1: float, difficulty: FloatArray) -> FloatArray:
    """(n_texts,) chance that a mention goes wrong: about ``1 - f1`` on the mean."""
    return np.clip(2 * (1 - f1) * difficulty, 0, 0.97)
