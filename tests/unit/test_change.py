from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from backend.errors import InputError
from backend.quality.change import Limits, limits_of, ranks, watch

RATE = 0.1
WATCHES = 400
FINITE = st.floats(-1e9, 1e9)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def limits():
    return limits_of(50, 200, RATE, generator(), runs=4000)


class TestTheRateOfFalseAlarms:
    @pytest.mark.parametrize(
        ("draw", "ties"),
        [
            (lambda rng: rng.normal(size=250), False),
            (lambda rng: rng.standard_cauchy(250), False),
            (lambda rng: (rng.random(250) < 0.9).astype(float), True),
            (lambda rng: np.zeros(250), True),
        ],
        ids=["normal", "heavy tails", "yes or no", "always the same"],
    )
    def test_it_is_held_whatever_the_values_are(self, limits, draw, ties):
        rng = generator(1)

        false = sum(watch(draw(rng), limits, rng).alarm is not None for _ in range(WATCHES))

        error = 3.5 * np.sqrt(RATE * (1 - RATE) / WATCHES)
        assert false / WATCHES <= RATE + error
        assert ties or false / WATCHES >= RATE - error

    def test_a_smaller_rate_has_wider_limits(self, limits):
        assert (limits_of(50, 200, RATE / 5, generator(), runs=4000).sums > limits.sums).all()

    @pytest.mark.parametrize("rate", [0.0, 1.0, 1.5, 0.0001])
    def test_a_rate_that_cannot_be_is_refused(self, rate):
        with pytest.raises(InputError, match="false-alarm rate"):
            limits_of(50, 200, rate, generator(), runs=1000)

    @pytest.mark.parametrize(("reference", "length"), [(1, 10), (10, 0)])
    def test_so_is_a_watch_of_nothing(self, reference, length):
        with pytest.raises(InputError, match="at least"):
            limits_of(reference, length, RATE, generator(), runs=1000)


class TestAWatch:
    @pytest.mark.parametrize(("step", "direction"), [(1.5, 1), (-1.5, -1)])
    def test_it_finds_a_change_its_direction_and_where_it_began(self, limits, step, direction):
        rng = generator(2)
        values = rng.normal(size=250)
        values[150:] += step

        found = watch(values, limits, rng)

        assert found.direction == direction
        assert 150 <= found.alarm < 190
        assert 120 <= found.onset <= found.alarm

    def test_a_look_finds_a_small_lasting_change_that_no_sum_does(self, limits):
        rng = generator(9)
        values = (rng.random(250) < 0.9).astype(float)
        values[100:] = rng.random(150) < 0.65
        blind = replace(limits, looks=(), look_rate=0.0)

        found = watch(values, limits, generator(1))

        assert watch(values, blind, generator(1)).alarm is None
        assert found.direction == -1
        assert found.alarm + 1 - limits.reference in limits.looks
        assert 70 <= found.onset <= 130

    @given(st.lists(st.sampled_from([0.0, 1.0]), max_size=60), st.integers(0, 60))
    @settings(max_examples=50)
    def test_watching_on_moves_no_alarm(self, values, end):
        small = Limits(5, 40, RATE, np.full(6, 4.0), (10, 20, 40), 0.02)

        whole, part = (watch(row, small, generator(3)) for row in (values, values[:end]))

        if part.alarm is not None:
            assert (whole.alarm, whole.onset) == (part.alarm, part.onset)
        elif whole.alarm is not None:
            assert whole.alarm >= end

    @given(st.lists(FINITE, max_size=60), st.integers(0, 9))
    @settings(max_examples=50)
    def test_it_says_the_same_of_values_in_any_unit(self, values, seed):
        small = Limits(5, 40, RATE, np.full(6, 4.0))
        scaled = [8.0 * value for value in values]

        ours, theirs = (watch(row, small, generator(seed)) for row in (values, scaled))

        assert (ours.alarm, ours.onset) == (theirs.alarm, theirs.onset)

    @given(st.lists(FINITE, max_size=60), st.integers(0, 60))
    @settings(max_examples=50)
    def test_what_comes_later_changes_no_alarm(self, values, end):
        small = Limits(5, 40, RATE, np.full(6, 4.0))

        def alarm(row):
            padded = [*row, *[0.0] * (len(values) - len(row))]
            return watch(padded, small, generator(3)).alarm

        whole, part = alarm(values), alarm(values[:end])
        assert whole == part or max(whole or 10**9, part or 10**9) >= end

    def test_values_behind_its_end_are_not_looked_at(self, limits):
        values = np.r_[generator(4).normal(size=250), np.full(500, 9.0)]

        found = watch(values, Limits(50, 200, RATE, limits.sums * 9), generator())

        assert (found.watched, found.alarm) == (200, None)

    @pytest.mark.parametrize("count", [0, 1, 50])
    def test_too_few_values_raise_nothing(self, limits, count):
        found = watch(np.zeros(count), limits, generator())

        assert (found.watched, found.alarm, found.onset, found.direction) == (0, None, None, 0)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_value_that_is_no_number_is_refused(self, limits, value):
        with pytest.raises(InputError, match="finite"):
            watch([value], limits, generator())


class TestRanks:
    def test_they_are_uniform_while_nothing_changes(self):
        rng = generator(5)
        drawn = [
            ranks(rng.integers(3, size=9).astype(float), rng.integers(3, size=1).astype(float), rng)
            for _ in range(2000)
        ]

        assert kstest(np.concatenate(drawn), "uniform").pvalue > 0.001

    @given(st.lists(FINITE, min_size=1, max_size=20), st.lists(FINITE, max_size=20))
    def test_they_are_shares(self, first, later):
        found = ranks(np.array(first), np.array(later), generator())

        assert ((found >= 0) & (found <= 1)).all()
