import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cost.savings import HUMANS, HYBRID, Point, Prices, bill_to_reach, savings
from backend.cost.uncertainty import (
    Measured,
    costs_to_reach,
    reach,
    seed_heights,
    text_heights,
)
from backend.quality.intervals import mean_interval

PRICES = Prices(usd_per_hour=12, seconds_per_text=30, llm_usd_per_text=0.01)
LABELS = np.array([100.0, 200.0, 300.0, 400.0, 500.0])
RISING = {HUMANS: 0.85 - 0.6 * (LABELS / 50) ** -0.5, HYBRID: 0.83 - 0.6 * (LABELS / 50) ** -0.6}
SHARES = {HUMANS: 1.0, HYBRID: 0.2}
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def curve(heights, share=1.0):
    return [
        Point(texts, share * texts, at + 1, float(f1))
        for at, (texts, f1) in enumerate(zip(LABELS, heights, strict=False))
    ]


def seeds_of(heights, rng, seeds):
    """F1 by seed: some of the luck is common to a seed's rounds."""
    return heights + rng.normal(0, 0.01, (seeds, 1)) + rng.normal(0, 0.015, (seeds, len(heights)))


def experiment(rng, seeds):
    by_seed = {route: seeds_of(heights, rng, seeds) for route, heights in RISING.items()}
    curves = {route: curve(found.mean(axis=0), SHARES[route]) for route, found in by_seed.items()}
    return Measured("made up", curves, seed_heights(by_seed, rng, draws=500))


class TestADrawnCurve:
    @given(SCORES, st.floats(0, 1))
    def test_it_costs_what_the_measured_one_would(self, scores, target):
        points = curve(scores[: len(LABELS)])

        (cost,) = costs_to_reach(points, np.array([[p.f1 for p in points]]), HUMANS, target, PRICES)

        found = bill_to_reach(points, HUMANS, target, PRICES)
        assert cost == pytest.approx(math.inf if found is None else found.total)

    @given(SCORES, st.floats(0, 1), st.floats(0, 1))
    def test_a_higher_f1_never_costs_less(self, scores, one, other):
        points = curve(scores[: len(LABELS)])
        heights = np.array([[point.f1 for point in points]])

        less, more = (
            costs_to_reach(points, heights, HUMANS, target, PRICES)[0]
            for target in sorted((one, other))
        )

        assert less <= more + 1e-9


class TestSeeds:
    def test_the_band_of_each_round_is_students_interval(self):
        rng = np.random.default_rng(0)
        found = seeds_of(RISING[HUMANS], rng, 4)

        drawn = seed_heights({HUMANS: found}, rng, draws=200_000)[HUMANS]

        wanted = [mean_interval(column) for column in found.T]
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        assert low == pytest.approx([it.low for it in wanted], abs=0.002)
        assert high == pytest.approx([it.high for it in wanted], abs=0.002)

    def test_routes_that_share_their_luck_move_together(self):
        rng = np.random.default_rng(0)
        luck = rng.normal(0, 0.05, (5, 1))
        by_seed = {route: heights + luck for route, heights in RISING.items()}

        drawn = seed_heights(by_seed, rng)

        moved = {route: (drawn[route] - RISING[route])[:, 0] for route in RISING}
        assert moved[HUMANS] == pytest.approx(moved[HYBRID])

    def test_one_seed_says_nothing(self):
        assert seed_heights({HUMANS: RISING[HUMANS][None, :]}, np.random.default_rng(0)) == {}

    def test_the_intervals_hold_the_truth_about_as_often_as_they_say(self):
        rng = np.random.default_rng(7)
        target, runs = 0.6, 150
        truth = {route: curve(heights, SHARES[route]) for route, heights in RISING.items()}
        cost = bill_to_reach(truth[HUMANS], HUMANS, target, PRICES).total
        factor = savings(truth, HYBRID, target, PRICES)

        held = np.zeros(2)
        for _ in range(runs):
            measured = experiment(rng, seeds=5)
            held[0] += cost in reach(measured, HUMANS, target, PRICES).cost
            held[1] += factor in reach(measured, HYBRID, target, PRICES).factor

        assert (held / runs >= 0.9).all()


class TestTexts:
    def test_texts_that_are_all_alike_leave_nothing_open(self):
        counts = np.tile(np.array([3.0, 1.0, 1.0]), (2, 20, 1))

        drawn = text_heights({HUMANS: counts}, np.random.default_rng(0), draws=50)[HUMANS]

        assert drawn.shape == (50, 2)
        assert drawn == pytest.approx(0.75)

    def test_both_curves_are_judged_on_the_same_texts(self):
        rng = np.random.default_rng(0)
        counts = rng.integers(0, 3, (1, 30, 3)).astype(float)

        drawn = text_heights({HUMANS: counts, HYBRID: counts}, rng)

        assert (drawn[HUMANS] == drawn[HYBRID]).all()


class TestReaching:
    def test_an_f1_near_the_end_of_the_curve_may_not_be_reached_at_all(self):
        measured = experiment(np.random.default_rng(1), seeds=5)
        best = measured.curves[HUMANS][-1].f1

        found = reach(measured, HUMANS, best - 0.001, PRICES)

        assert found.bill is not None
        assert math.isfinite(found.cost.low)
        assert math.isinf(found.cost.high)
        assert 0.3 < found.share < 0.9

    def test_an_f1_out_of_reach_has_neither_cost_nor_interval(self):
        found = reach(experiment(np.random.default_rng(1), 5), HUMANS, 0.95, PRICES)

        assert found.bill is None
        assert math.isnan(found.cost.value)
        assert math.isnan(found.cost.low)
        assert found.share == 0

    def test_without_draws_the_value_stands_alone(self):
        measured = Measured("one seed", {HUMANS: curve(RISING[HUMANS])})

        found = reach(measured, HUMANS, 0.5, PRICES)

        assert found.cost.value == found.bill.total
        assert math.isnan(found.cost.low)
        assert math.isnan(found.share)

    def test_humans_save_nothing_on_themselves(self):
        found = reach(experiment(np.random.default_rng(1), 5), HUMANS, 0.6, PRICES)

        assert found.factor.value == 1
        assert math.isnan(found.factor.low)
