"""What further labels would bring: measured on the labels there are, then extrapolated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.active_learning.trainer import Trainer
from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.protocols import silent
from backend.samples import LABELS, sample_texts
from backend.simulation.projection import beyond_sampling, project_curve
from backend.tagger.crf import CrfFamily
from backend.testing.taggers import FakeTaggerFamily

SAMPLES = [example for _, example in sample_texts()]


def projected(examples, targets=(600, 1200), splits=2, family=None, unlabelled=()):
    trainer = Trainer(family or CrfFamily(), LabelScheme(LABELS), np.random.default_rng(0))
    return project_curve(examples, trainer, targets, splits, unlabelled)


@pytest.fixture(scope="module")
def found():
    return projected(SAMPLES)


def test_the_measured_part_grows_to_all_labels_that_are_not_held_out(found):
    assert [at.labels for at in found.seen] == [38, 75, 112, 150, 188, 225]
    assert found.seen[-1].f1.value > found.seen[0].f1.value


def test_more_labels_are_expected_to_bring_more(found):
    once, twice = (at.f1 for at in found.expected)

    assert found.seen[-1].f1.value <= once.value <= twice.value
    assert once.low <= once.value <= once.high


def test_bounds_are_shares(found):
    assert all(0 <= at.f1.low <= at.f1.high <= 1 for at in (*found.seen, *found.expected))


def test_what_the_labels_at_hand_suffice_for_is_measured_and_not_extrapolated():
    found = projected(SAMPLES[:80], targets=(17, 500))

    assert [at.labels for at in found.expected] == [500]
    assert 17 in {at.labels for at in found.seen}


@pytest.mark.parametrize("target", [0, -5])
def test_no_labels_are_no_target(target):
    with pytest.raises(InputError, match=f"{target} is no number of labels"):
        projected(SAMPLES, targets=(300, target))


class Watching(FakeTaggerFamily):
    """Remembers for each training which texts it had read and which it learnt from."""

    def __init__(self, seen=None, read=frozenset()):
        super().__init__()
        self.seen = [] if seen is None else seen
        self.read = read

    def with_texts(self, texts):
        return Watching(self.seen, frozenset(texts))

    def train(self, examples, scheme, rng, progress=silent, start=None):
        self.seen.append((self.read, [example.text for example in examples]))
        return super().train(examples, scheme, rng, progress, start)


class TestWhatTaggersKnow:
    """Of texts that they are judged by: nothing."""

    @given(splits=st.integers(1, 6), labels=st.integers(40, 70), waiting=st.integers(0, 3))
    @settings(max_examples=15, deadline=None)
    def test_no_text_that_is_held_out_is_read_or_learnt(self, splits, labels, waiting):
        family, texts = Watching(), [f"nobody wrote {n}" for n in range(waiting)]
        projected(SAMPLES[:labels], (10,), splits, family, texts)

        own = {example.text for example in SAMPLES[:labels]}
        for read, learnt in family.seen:
            assert set(texts) <= read
            assert set(learnt) <= read
            assert len(own - read) == pytest.approx(len(own) / 4, abs=1)

    def test_each_label_is_held_out_once_before_any_is_twice(self):
        family = Watching()
        projected(SAMPLES[:80], splits=4, family=family)

        own = {example.text for example in SAMPLES[:80]}
        held_out = [own - read for read in {read for read, _ in family.seen}]
        assert len(held_out) == 4
        assert set().union(*held_out) == own
        assert sum(map(len, held_out)) == len(own)


def test_more_labels_of_the_same_sort_make_the_interval_narrower():
    few, many = projected(SAMPLES[:80], splits=4), projected(SAMPLES, splits=4)

    assert many.expected[0].f1.width < few.expected[0].f1.width


class TestWhatOtherLabelsWouldHaveTaught:
    """A part of the variance that resampling the held-out texts does not see."""

    def test_it_is_the_share_that_the_correction_for_cross_validation_gives(self):
        # Four splits of a quarter each: a third as many texts held out as learnt from.
        assert beyond_sampling(112, 112, 4) == pytest.approx(1 + 2 * 4 / 3)

    @given(last=st.integers(1, 500), more=st.integers(0, 5000), splits=st.integers(1, 12))
    def test_it_falls_with_the_labels_to_come_and_is_never_nothing(self, last, more, splits):
        now, then = (beyond_sampling(last, last + by, splits) for by in (more, more + 1))

        assert now > then > 1

    def test_holding_the_same_labels_out_again_makes_it_no_larger(self):
        assert beyond_sampling(112, 300, 8) == beyond_sampling(112, 300, 4)


def test_copies_of_a_text_count_once():
    assert projected([*SAMPLES[:60], *SAMPLES[:60]]).labels == 60


def test_the_same_numbers_come_out_again(found):
    assert projected(SAMPLES) == found


@pytest.mark.parametrize(
    "examples",
    [
        [],
        SAMPLES[:10],
        SAMPLES[:10] * 10,
        [Example(str(n), f"no names {n}", ()) for n in range(60)],
    ],
)
def test_too_few_labels_are_said(examples):
    with pytest.raises(InputError, match="a learning curve needs 40"):
        projected(examples)


def test_labels_that_are_all_alike_end_in_a_flat_curve():
    examples = [Example(str(n), f"Ada saw {n} cows", (Span(0, 3, "PER"),)) for n in range(60)]

    found = projected(examples, targets=(1000,))

    assert found.expected[0].f1.value == pytest.approx(1.0, abs=0.02)
