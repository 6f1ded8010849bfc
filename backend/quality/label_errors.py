"""Accepted labels that are probably wrong: where a tagger that has not seen them is sure of others.

A token is as believable as the probability that a tagger, trained without its text, gives to its
label (self-confidence), and a text as its least believable token, which is the best of the simple
rankings for token classification (Wang & Mueller, 2022), the default of ``cleanlab``. It is four
lines here, so only a test asks for cleanlab, with pandas behind it, and holds both equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Example, LabelScheme
from backend.protocols import FloatArray, Tagging
from backend.text.bio import OUTSIDE, split_tag, tag_names, to_bio
from backend.text.tokens import tokenise


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is probably wrong.

    ``start``, ``end``: the least believable token; ``given`` and ``expected``: its label and the
    one the tagger holds for most probable, ``None`` for none; ``score`` in [0, 1]: how believable
    what was given is, low means suspect.
    """

    task_id: str
    start: int
    end: int
    given: str | None
    expected: str | None
    score: float


def label_quality(given: Sequence[int], probabilities: FloatArray) -> FloatArray:
    """(n_tokens,) self-confidence in [0, 1] of the given classes.

    ``given``: (n_tokens,) class numbers; ``probabilities``: (n_tokens, n_classes), rows sum to 1.
    """
    return probabilities[np.arange(len(given)), np.asarray(given, dtype=np.int64)]


def suspects(
    examples: Sequence[Example], taggings: Sequence[Tagging], scheme: LabelScheme
) -> list[Suspect]:
    """One for each example in which a token's label is not the most probable one, worst first.

    ``taggings`` are by taggers that have not learnt from the example, and their probabilities are
    over the tokens of :func:`backend.text.tokens.tokenise` and the tags of the scheme. Whether a
    token opens a mention or goes on with it makes no difference to its label.
    """
    found = [
        _worst(example, tagging, scheme)
        for example, tagging in zip(examples, taggings, strict=True)
    ]
    ranked = [suspect for suspect in found if suspect is not None]
    return sorted(ranked, key=lambda suspect: (suspect.score, suspect.task_id))


def _worst(example: Example, tagging: Tagging, scheme: LabelScheme) -> Suspect | None:
    tokens = tokenise(example.text)
    if not tokens or len(tokens) != len(tagging.probabilities):
        return None
    classes = ["", *scheme.labels]
    labels = [split_tag(tag)[1] for tag in tag_names(scheme.labels)]
    probabilities = np.column_stack(
        [
            tagging.probabilities[:, [at for at, label in enumerate(labels) if label == name]].sum(
                axis=1
            )
            for name in classes
        ]
    )
    tags, _ = to_bio(tokens, [span for span in example.spans if span.label in scheme])
    given = [0 if tag == OUTSIDE else classes.index(split_tag(tag)[1]) for tag in tags]
    quality = label_quality(given, probabilities)
    at = int(quality.argmin())
    best = int(probabilities[at].argmax())
    if best == given[at]:
        return None
    return Suspect(
        example.task_id,
        *tokens[at],
        classes[given[at]] or None,
        classes[best] or None,
        float(quality[at]),
    )
