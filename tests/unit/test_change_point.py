import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.quality.change_point import change_point

LEVEL = 0.05
FINITE = st.floats(-1e9, 1e9)


def generator(seed=0):
    return np.random.default_rng(seed)


def changed(rng, step, at=200, count=400):
    values = rng.normal(size=count)
    values[at:] += step
    return values


class TestThePValue:
    @pytest.mark.parametrize(
        "draw",
        [
            lambda rng: rng.standard_cauchy(120),
            lambda rng: (rng.random(120) < 0.9).astype(float),
            lambda rng: rng.integers(3, size=120).astype(float),
        ],
        ids=["heavy tails", "yes or no", "few values"],
    )
    def test_it_is_small_as_seldom_as_it_says(self, draw):
        rng = generator(1)

        found = np.array([change_point(draw(rng), 40, LEVEL, rng).p_value for _ in range(400)])

        for level in (0.05, 0.2):
            error = 3.5 * np.sqrt(level * (1 - level) / len(found))
            assert (found <= level).mean() <= level + error

    def test_values_that_are_all_equal_have_not_changed(self):
        assert change_point(np.ones(50), 10, LEVEL, generator()).p_value == 1

    @given(st.lists(FINITE, min_size=12, max_size=60), st.integers(1, 10))
    @settings(max_examples=50)
    def test_it_is_a_share_and_the_place_lies_behind_the_stable_ones(self, values, stable):
        found = change_point(np.array(values), stable, LEVEL, generator())

        assert 0 < found.p_value <= 1
        assert stable <= found.place < len(values)

    @given(st.lists(FINITE, min_size=12, max_size=60), st.integers(0, 9))
    @settings(max_examples=50)
    def test_it_is_the_same_in_any_unit(self, values, seed):
        ours, theirs = (
            change_point(np.array(row), 5, LEVEL, generator(seed))
            for row in (values, [8.0 * value for value in values])
        )

        assert ours == theirs


class TestAChange:
    @pytest.mark.parametrize(("step", "direction"), [(0.6, 1), (-0.6, -1)])
    def test_it_is_found_with_its_direction_and_place(self, step, direction):
        found = change_point(changed(generator(2), step), 100, 0.001, generator())

        assert found.p_value <= 0.001
        assert found.direction == direction
        assert 170 <= found.place <= 230

    def test_a_fall_turned_round_is_a_rise(self):
        values = changed(generator(3), 0.5)

        rise, fall = (change_point(row, 100, LEVEL, generator()) for row in (values, -values))

        assert (rise.place, rise.direction) == (fall.place, -fall.direction)
