import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score

from backend.errors import InputError
from backend.quality.intervals import (
    Interval,
    bootstrap,
    f1_of,
    mean_interval,
    percentile_interval,
    precision_of,
    recall_of,
    resampled_sums,
    wilson,
)

COUNTS = st.lists(
    st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=30
)  # right, spurious, missed


def share_of(counts):
    return counts[..., 0] / counts[..., 1]


class TestTheStatistics:
    @given(COUNTS)
    def test_they_are_those_of_scikit_learn(self, counts):
        right, spurious, missed = (sum(column) for column in zip(*counts, strict=True))
        gold = [1] * right + [0] * spurious + [1] * missed + [0]
        given_ = [1] * right + [1] * spurious + [0] * missed + [0]
        sums = np.sum(counts, axis=0, dtype=float)
        for ours, theirs in (
            (precision_of, precision_score),
            (recall_of, recall_score),
            (f1_of, f1_score),
        ):
            assert ours(sums) == pytest.approx(theirs(gold, given_, zero_division=0))


class TestTheBootstrap:
    @given(COUNTS, st.integers(0, 5))
    def test_its_bounds_are_reached_by_draws_and_repeatable(self, counts, seed):
        found = bootstrap(counts, f1_of, np.random.default_rng(seed), resamples=200)
        again = bootstrap(counts, f1_of, np.random.default_rng(seed), resamples=200)
        assert found == again
        assert 0 <= found.low <= found.high <= 1
        assert found.value == f1_of(np.sum(counts, axis=0, dtype=float))

    def test_it_agrees_with_scipy(self):
        rng = np.random.default_rng(0)
        counts = rng.poisson((3, 1, 2), size=(120, 3)).astype(float)

        ours = bootstrap(counts, f1_of, rng, resamples=5000)

        theirs = stats.bootstrap(
            tuple(counts.T),
            lambda *columns: f1_of(np.stack([column.sum(-1) for column in columns], -1)),
            paired=True,
            vectorized=False,
            n_resamples=2000,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)

    def test_it_holds_the_true_share_as_often_as_it_says(self):
        rng = np.random.default_rng(7)
        held = 0
        for _ in range(300):
            found = rng.binomial(8, 0.6, size=60)
            counts = np.stack([found, np.full(60, 8)], axis=1)
            held += 0.6 in bootstrap(counts, share_of, rng, level=0.9, resamples=400)
        assert 0.85 <= held / 300 <= 0.95

    def test_equal_texts_leave_no_doubt(self):
        found = bootstrap([(2, 1, 1)] * 5, f1_of, np.random.default_rng(0))
        assert found.width == 0

    def test_sums_do_not_depend_on_how_many_are_drawn_at_once(self, monkeypatch):
        counts = np.arange(12.0).reshape(4, 3)
        whole = resampled_sums(counts, np.random.default_rng(3), 50)
        monkeypatch.setattr("backend.quality.intervals._DRAWS_AT_ONCE", 28)
        assert (resampled_sums(counts, np.random.default_rng(3), 50) == whole).all()

    def test_without_texts_there_is_nothing_to_draw(self):
        with pytest.raises(InputError, match="no text"):
            bootstrap([], f1_of, np.random.default_rng(0))

    def test_draws_without_a_value_are_left_out(self):
        found = percentile_interval(0.5, np.array([0.4, math.nan, 0.6]), level=1.0)
        assert (found.low, found.high) == (0.4, 0.6)
        assert math.isnan(percentile_interval(0.5, np.array([math.nan])).low)


class TestTheMean:
    @given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9), st.sampled_from([0.8, 0.95]))
    def test_it_is_students_interval(self, values, level):
        assume(stats.sem(values) > 0)
        found = mean_interval(values, level)
        expected = stats.t.interval(level, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx(expected)

    def test_one_value_has_no_bounds(self):
        found = mean_interval([0.7])
        assert found.value == 0.7
        assert math.isnan(found.low)

    def test_no_value_has_no_mean(self):
        with pytest.raises(InputError):
            mean_interval([])


class TestWilson:
    @given(st.integers(0, 50), st.integers(1, 50), st.sampled_from([0.5, 0.9, 0.99]))
    def test_it_is_scipys(self, successes, trials, level):
        successes = min(successes, trials)
        theirs = stats.binomtest(successes, trials).proportion_ci(level, "wilson")
        found = wilson(successes, trials, level)
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)

    def test_no_trials_tell_nothing(self):
        found = wilson(0, 0)
        assert math.isnan(found.value)
        assert (found.low, found.high) == (0, 1)


def test_unknown_bounds_are_null_in_json():
    written = json.dumps(Interval(0.5, math.nan, math.nan).as_json(), allow_nan=False)
    assert json.loads(written) == {"value": 0.5, "low": None, "high": None, "level": 0.95}
