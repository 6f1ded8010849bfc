"""What a first tagger takes each word for in texts without labels: a feature for a second one.

A tagger of few labels is often wrong about one occurrence of a word, less often about all of them
together, because other places tell more. So a first tagger reads the texts that nobody has
labelled, and what it takes a word for there on the mean is what the second one is told of that
word (Krishnan & Manning, 2006). It must not learn to believe this more than it may: of the words of
a labelled text it is told what a tagger thinks that has not learnt from that text (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from scipy.sparse import csr_array

from backend.active_learning.trainer import hold_a_span
from backend.domain import Example, LabelScheme
from backend.protocols import FloatArray
from backend.quality.holdout import lot
from backend.text.tokens import tokenise

FOLDS = 2

MOST_TOKENS = 50_000
"""Of so many tokens at most, words are guessed: so what it adds to a training has a bound."""

MOST_LABELLED = 2_000
LEAST_TEXTS = 3
"""Guesses are for few labels: at most so many labelled texts, so many others to each of them."""

_LEAST_COUNT = 2  # a word's own occurrence should not be all that is known of it
_LOT = 3
_STEPS = 4  # in which the share of the likeliest label is told

Guess = tuple[int, int]
"""The number of the label that a word is taken for, 0 for none, and its share in quarters."""


def fold_of(text: str) -> int:
    """The part, from 0 to ``FOLDS - 1``, that a labelled text belongs to, with all its copies."""
    return int(lot(text, _LOT) * FOLDS)


def folds(examples: Sequence[Example], scheme: LabelScheme) -> list[list[Example]]:
    """For each part the examples outside it; none at all if some of these hold no span."""
    rests = [
        [example for example in examples if fold_of(example.text) != fold] for fold in range(FOLDS)
    ]
    return rests if all(hold_a_span(rest, scheme) for rest in rests) else []


def unlabelled(texts: Iterable[str], examples: Sequence[Example]) -> Iterator[str]:
    """Of the texts those to guess on: none of the examples', and as many as the bounds allow.

    None at all where labels are not few. Which they are depends on no order.
    """
    labelled = {example.text for example in examples}
    others = {text for text in texts if text not in labelled}
    if len(labelled) > MOST_LABELLED or len(others) < LEAST_TEXTS * len(labelled):
        return
    tokens = 0
    for text in sorted(others, key=lambda text: (lot(text, _LOT), text)):
        tokens += len(tokenise(text))
        if tokens > MOST_TOKENS:
            return
        yield text


def guesses(
    sentences: Sequence[Collection[str]], probabilities: Sequence[FloatArray]
) -> dict[str, Guess]:
    """What each word, in small letters, is taken for on the mean of its occurrences.

    ``probabilities``: of each sentence, (n_words, n_tags), the tags in the order of
    :func:`~backend.text.bio.tag_names`.
    """
    forms = [word.lower() for word in chain.from_iterable(sentences)]
    if not forms:
        return {}
    number = {form: place for place, form in enumerate(dict.fromkeys(forms))}
    of_token = np.array([number[form] for form in forms], dtype=np.intp)
    tags = np.concatenate(list(probabilities))
    labels = np.hstack([tags[:, :1], tags[:, 1::2] + tags[:, 2::2]])  # (n_tokens, 1 + n_labels)
    places = (of_token, np.arange(len(forms)))
    sums = csr_array((np.ones(len(forms)), places), shape=(len(number), len(forms))) @ labels
    counts = np.bincount(of_token)
    likeliest = sums.argmax(axis=1)
    shares = sums.max(axis=1) / counts
    steps = np.minimum(shares * _STEPS + 1e-9, _STEPS).astype(np.intp)
    found = zip(number, counts.tolist(), likeliest.tolist(), steps.tolist(), strict=True)
    return {form: (label, step) for form, count, label, step in found if count >= _LEAST_COUNT}
