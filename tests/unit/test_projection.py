"""What further labels would bring: measured on the labels there are, then extrapolated."""

import numpy as np
import pytest

from backend.active_learning.trainer import Trainer
from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.samples import LABELS, sample_texts
from backend.simulation.projection import project_curve
from backend.tagger.crf import CrfFamily

SAMPLES = [example for _, example in sample_texts()]


def projected(examples, targets=(600, 1200), splits=2):
    trainer = Trainer(CrfFamily(), LabelScheme(LABELS), np.random.default_rng(0))
    return project_curve(examples, trainer, targets, splits)


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


def test_what_is_less_than_there_is_already_is_not_extrapolated():
    assert projected(SAMPLES[:80], targets=(10, 500)).expected[0].labels == 500


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
