"""Committees: several taggers of one family that learnt from samples of the same labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.domain import Example, LabelScheme
from backend.protocols import Tagger, TaggerFamily

MEMBERS = 3
"""Beside the serving tagger. More cost more and, with a CRF, hardly order better."""


def committee_of(
    family: TaggerFamily,
    examples: Sequence[Example],
    scheme: LabelScheme,
    rng: np.random.Generator,
    members: int = MEMBERS,
) -> list[Tagger]:
    """``members`` taggers, each trained on a bootstrap sample.

    Query by bagging (Abe & Mamitsuka, 1998). A sample has as many examples as there are, drawn
    with replacement, those with spans and those without apart, so that none is without a span.
    Deterministic for equal input and generator state. Raises
    :class:`~backend.errors.InputError` when the examples hold no span to learn from.
    """
    with_spans = [example for example in examples if example.spans]
    without = [example for example in examples if not example.spans]
    taggers = []
    for _ in range(members):
        sample = [*_resampled(with_spans, rng), *_resampled(without, rng)]
        taggers.append(family.train(sample, scheme, rng))
    return taggers


def _resampled(examples: Sequence[Example], rng: np.random.Generator) -> list[Example]:
    return (
        [examples[i] for i in rng.integers(len(examples), size=len(examples))] if examples else []
    )
