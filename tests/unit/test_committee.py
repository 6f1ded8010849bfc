import numpy as np
import pytest

from backend.active_learning.committee import committee_of
from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("LOC",))
PLACES = [Example(name, name, (Span(0, len(name), "LOC"),)) for name in ("Kano", "Lagos", "Accra")]
PLAIN = [Example(str(n), f"nothing {n}", ()) for n in range(7)]


def members(examples, seed=0, number=4):
    family = FakeTaggerFamily()
    committee_of(family, examples, SCHEME, np.random.default_rng(seed), number)
    return family.trained_on


def test_each_member_learns_from_as_many_examples_as_there_are():
    assert [len(sample) for sample in members([*PLACES, *PLAIN])] == [10] * 4


def test_members_learn_from_different_samples():
    assert len(set(members([*PLACES, *PLAIN]))) > 1


@pytest.mark.parametrize("seed", range(10))
def test_no_sample_is_without_a_span(seed):
    for sample in members([PLACES[0], *PLAIN], seed):
        assert any(example.spans for example in sample)


def test_the_same_generator_gives_the_same_committee():
    assert members([*PLACES, *PLAIN], 3) == members([*PLACES, *PLAIN], 3)


def test_one_example_makes_members_that_agree():
    assert members(PLACES[:1]) == [tuple(PLACES[:1])] * 4


@pytest.mark.parametrize("examples", [[], PLAIN], ids=["no examples", "no spans"])
def test_without_a_span_there_is_nothing_to_learn(examples):
    with pytest.raises(InputError):
        members(examples)
