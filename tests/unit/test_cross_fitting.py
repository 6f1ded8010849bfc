"""No text is tagged by a tagger that has learnt from it, or from a copy of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Example, LabelScheme, Span
from backend.quality.cross_fitting import CrossFit, fold_of
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("PER",))
EXAMPLES = [
    Example(str(n), f"Amina{n} left", (Span(0, 5 + len(str(n)), "PER"),)) for n in range(60)
]
TEXTS = [example.text for example in EXAMPLES] + [f"Juma{n} stayed" for n in range(20)]


@pytest.mark.parametrize("folds", [2, 3])
def test_every_text_is_tagged_once_by_a_tagger_that_never_saw_it(folds):
    family = FakeTaggerFamily()

    tagged = dict(CrossFit(family, SCHEME, folds).tag(EXAMPLES, TEXTS, np.random.default_rng(0)))

    assert sorted(tagged) == list(range(len(TEXTS)))
    assert all(tagging.spans == () for tagging in tagged.values())
    assert len(family.trained_on) == folds


def test_each_training_goes_without_one_part_and_with_all_others():
    family = FakeTaggerFamily()

    list(CrossFit(family, SCHEME, 2).tag(EXAMPLES, TEXTS, np.random.default_rng(0)))

    first, second = (set(examples) for examples in family.trained_on)
    assert first | second == set(EXAMPLES)
    assert not first & second


@given(st.lists(st.text(), max_size=5), st.integers(2, 5))
def test_copies_with_other_white_space_stay_together(words, folds):
    assert fold_of(" ".join(words), folds) == fold_of("\n".join(words), folds)


def test_it_is_possible_only_where_every_rest_has_enough_to_learn_from():
    cross_fit = CrossFit(FakeTaggerFamily(), SCHEME)

    assert cross_fit.is_possible(EXAMPLES, at_least=10)
    assert not cross_fit.is_possible(EXAMPLES, at_least=50)
    assert not cross_fit.is_possible([Example("1", "Juma", ())] * 60, at_least=0)
