"""Training on parts of the labels: what counts as something to learn from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.trainer import Trainer, hold_a_span
from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.tagger.crf import CrfFamily
from backend.tagger.training_set import tagged_texts

SCHEME = LabelScheme(("PER", "LOC"))
WEIGHTS = st.floats(0, 4) | st.sampled_from([0.5, 1.5, 2.5])


def example(weight: float, label: str = "PER") -> Example:
    return Example("1", "Ada saw us", (Span(0, 3, label),), weight)


@given(weight=WEIGHTS, label=st.sampled_from(["PER", "LOC", "ORG"]))
def test_there_is_something_to_learn_where_training_finds_something(weight, label):
    examples = [example(weight, label), Example("2", "nobody came", ())]

    if hold_a_span(examples, SCHEME):
        assert tagged_texts(examples, SCHEME)
    else:
        with pytest.raises(InputError, match="nothing to learn from"):
            tagged_texts(examples, SCHEME)


def test_labels_that_annotators_were_divided_on_make_no_tagger_by_themselves():
    trainer = Trainer(CrfFamily(), SCHEME, np.random.default_rng(0))

    assert trainer.train_apart([example(0.5)]) is None
