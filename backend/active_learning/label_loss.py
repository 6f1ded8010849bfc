"""Which labels a tagger that has not seen them finds unlikely: there a label is likely wrong.

A tagger that learnt a wrong label thinks it right, so each label is judged by one that did not
learn it: cross-fitting, as in confident learning (Northcutt, Jiang & Chuang, 2021). For texts that
an LLM labelled this finds what a human should look at better than a tagger's doubt about its own
answer does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from backend.active_learning.trainer import IntArray, Trainer, folds_of
from backend.domain import Example, LabelScheme
from backend.protocols import FloatArray, Tagging
from backend.text.bio import tag_names, to_bio
from backend.text.tokens import tokenise

FOLDS = 2
"""Taggers trained to judge labels. Two together cost as much as one training on all labels."""

HUMAN_WEIGHT = 3
"""How much more a human's label weighs than an LLM's where both are taken as they are."""

_FLOOR = 1e-6


def label_loss(tagging: Tagging, example: Example, scheme: LabelScheme) -> float:
    """Negative logarithm of the probability that a tagger gives an example's labels, >= 0.

    In nats, summed over tokens by the tagger's probabilities for each; a tag that the tagger holds
    for impossible costs 14. ``tagging`` is of ``example.text``.
    """
    tags = tag_places(example, scheme)
    given = tagging.probabilities[np.arange(len(tags)), tags]  # (n_tokens,)
    return float(-np.log(np.clip(given, _FLOOR, 1.0)).sum())


def cross_fitted_loss(
    human: Sequence[Example], llm: Sequence[Example], trainer: Trainer, folds: int = FOLDS
) -> FloatArray:
    """Loss (n_llm,) of each LLM label under a tagger that learnt from everything but its fold.

    Copies of a text share a fold, so that none speaks for another. Where the rest holds nothing to
    learn from, each span costs 1: then all that is known is how much there is to check.
    """
    weighty = [replace(example, weight=HUMAN_WEIGHT * example.weight) for example in human]
    fold = folds_of([example.text for example in llm], folds, trainer.rng)
    losses = np.array([float(len(example.spans)) for example in llm])
    for number in range(folds):
        inside = np.flatnonzero(fold == number).tolist()
        others = [example for example, of in zip(llm, fold, strict=True) if of != number]
        if inside and (tagger := trainer.train_apart([*weighty, *others])):
            taggings = tagger.tag([llm[place].text for place in inside])
            losses[inside] = [
                label_loss(tagging, llm[place], trainer.scheme)
                for place, tagging in zip(inside, taggings, strict=True)
            ]
    return losses


def tag_places(example: Example, scheme: LabelScheme) -> IntArray:
    """(n_tokens,): each token's tag as its place in :func:`~backend.text.bio.tag_names`."""
    places = {tag: place for place, tag in enumerate(tag_names(scheme.labels))}
    spans = [span for span in example.spans if span.label in scheme]
    tags, _ = to_bio(tokenise(example.text), spans)
    return np.array([places[tag] for tag in tags], dtype=np.int64)
