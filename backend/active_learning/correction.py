"""An LLM's labels, corrected by what a tagger knows of the text and we know of the LLM.

Two views of the same token that fail for different reasons: the tagger, which learnt from humans,
gives ``p(tag | text)``; the LLM gave a tag, and how often it says ``given`` where ``tag`` is right
can be counted on texts that humans labelled too. Bayes' rule puts them together::

    p(tag | text, given)  ~  p(tag | text) * p(given | tag)

Combining a model's probabilities with another labeller's answer through a confusion matrix is due
to Kerrigan, Smyth & Steyvers (2021); the matrix and its estimation without gold go back to Dawid &
Skene (1979). A label the LLM tends to invent is believed where the tagger finds it likely, a
reliable one nearly always, and an LLM that knows nothing changes nothing.

A model that learnt from people with the LLM's labels in view (:class:`backend.protocols.Revising`)
errs in yet another way: it knows which words the LLM gets wrong, but has seen few. The two are
joined as equals, by the mean of their logarithms (Genest & Zidek, 1986; for conditional random
fields: Smith, Cohn & Osborne, 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.active_learning.label_loss import tag_places
from backend.active_learning.trainer import IntArray
from backend.domain import Example, LabelScheme
from backend.protocols import FloatArray, Tagging
from backend.text.bio import from_bio, tag_names
from backend.text.decoding import LegalDecoder
from backend.text.tokens import tokenise

_FLOOR = 1e-5
_PRIOR_TOKENS = 5.0
"""Tokens that the assumed confusion counts for, in each row of the table."""

_GUESSED_WEIGHT = 0.1
"""What a token with guessed gold counts for, against one that a human labelled."""

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Corrected:
    """An example with the more likely spans, and how unsure they are.

    ``loss``: negative logarithm of their probability, in nats, mean over tokens; 0 without any.
    ``doubt``: how many of their tags are expected to be wrong.
    """

    example: Example
    loss: float
    doubt: float = 0.0


def confusion(
    human: Sequence[Example],
    llm: Sequence[Example],
    taggings: Sequence[Tagging],
    unchecked: Sequence[Example],
    scheme: LabelScheme,
) -> FloatArray:
    """(n_tags, n_tags): how likely the LLM gives the column's tag where the row's is right.

    Rows sum to 1. Counted on ``human`` and ``llm``, the same texts in the same order, and for a
    tenth on ``unchecked`` LLM labels, where the tagger's ``taggings`` and the table so far say what
    is likely right (expectation maximisation). What is seen rarely stays near the assumption that
    the LLM is right half of the time and misses more than it invents.
    """
    n_tags = len(tag_names(scheme.labels))
    counts = _assumed(n_tags)
    for right, given in zip(human, llm, strict=True):
        np.add.at(counts, (tag_places(right, scheme), tag_places(given, scheme)), 1.0)
    given_tags = [tag_places(example, scheme) for example in unchecked]
    table = counts / counts.sum(axis=1, keepdims=True)
    for _ in range(_ROUNDS if unchecked else 0):
        guessed = counts.copy()
        for tagging, tags in zip(taggings, given_tags, strict=True):
            likely = _GUESSED_WEIGHT * _posterior(tagging, tags, table)  # (n_tokens, n_tags)
            np.add.at(guessed.T, tags, likely)
        table = guessed / guessed.sum(axis=1, keepdims=True)
    return np.asarray(table, dtype=np.float64)


def corrected(
    taggings: Sequence[Tagging],
    llm: Sequence[Example],
    table: FloatArray,
    scheme: LabelScheme,
    revised: Sequence[FloatArray] | None = None,
) -> list[Corrected]:
    """The most likely labels of each text, given the tagger's view and the LLM's.

    ``taggings`` are of the same texts in the same order, by a tagger that did not learn from these
    labels; ``table`` as :func:`confusion` gives it; ``revised``, for each text (n_tokens, n_tags),
    what a model with both in view finds likely.
    """
    names = tag_names(scheme.labels)
    decoder = LegalDecoder(names)
    results = []
    for place, (tagging, example) in enumerate(zip(taggings, llm, strict=True)):
        likely = _posterior(tagging, tag_places(example, scheme), table)
        if revised is not None:
            likely = _pooled(likely, revised[place])
        best = decoder.decode(likely)
        scores = likely[np.arange(len(best)), best]
        spans = from_bio(tokenise(example.text), [names[tag] for tag in best], scores.tolist())
        loss = float(-np.log(np.maximum(scores, _FLOOR)).mean()) if best else 0.0
        doubt = float((1 - scores).sum())
        results.append(Corrected(replace(example, spans=tuple(spans)), loss, doubt))
    return results


def _posterior(tagging: Tagging, given: IntArray, table: FloatArray) -> FloatArray:
    """(n_tokens, n_tags), rows sum to 1."""
    likely = np.maximum(tagging.probabilities, _FLOOR) * table[:, given].T
    return np.asarray(likely / likely.sum(axis=1, keepdims=True), dtype=np.float64)


def _pooled(one: FloatArray, other: FloatArray) -> FloatArray:
    """(n_tokens, n_tags): the logarithmic opinion pool of two views, rows sum to 1."""
    likely = np.sqrt(np.maximum(one, _FLOOR) * np.maximum(other, _FLOOR))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True), dtype=np.float64)


def _assumed(n_tags: int) -> FloatArray:
    """Half right, a third missed, the rest spread over all tags."""
    table = np.full((n_tags, n_tags), 0.02 / n_tags) + 0.5 * np.eye(n_tags)
    table[:, 0] += 0.3
    return np.asarray(_PRIOR_TOKENS * table / table.sum(axis=1, keepdims=True), dtype=np.float64)
