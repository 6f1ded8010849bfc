import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.quality.reliability import Bin, expected_calibration_error, reliability_bins

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(ANSWERS)
def test_every_answer_is_in_one_bin_with_its_like(answers):
    bins = reliability_bins(*zip(*answers, strict=True))
    assert sum(each.count for each in bins) == len(answers)
    assert sum(each.right for each in bins) == sum(right for _, right in answers)
    sure = sum(each.count * each.confidence for each in bins)
    assert sure == pytest.approx(sum(confidence for confidence, _ in answers))


@given(ANSWERS)
def test_the_error_is_between_none_and_all(answers):
    assert 0 <= expected_calibration_error(reliability_bins(*zip(*answers, strict=True))) <= 1


def test_full_confidence_in_what_is_half_right_is_half_wrong():
    assert expected_calibration_error(reliability_bins([1.0] * 4, [True, False] * 2)) == 0.5


def test_a_bins_upper_edge_belongs_to_it():
    assert reliability_bins([0.1, 0.2], [True, False]) == [Bin(1, 0.1, 1), Bin(1, 0.2, 0)]


def test_honest_confidence_has_next_to_no_error():
    rng = np.random.default_rng(0)
    sure = rng.random(20_000)
    bins = reliability_bins(sure.tolist(), (rng.random(20_000) < sure).tolist())
    assert expected_calibration_error(bins) < 0.02


def test_without_answers_there_is_no_error():
    assert expected_calibration_error(reliability_bins([], [])) is None
