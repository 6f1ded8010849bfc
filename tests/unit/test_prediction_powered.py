"""Ratios over a collection from few labels: right on the mean, and as sure as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import stdtrit

from backend.errors import InputError
from backend.quality.prediction_powered import Draw, ratio_estimate
from backend.testing.audited_projects import World, audited_project

PROJECTS = 400
NO_PROXIES = np.zeros((1000, 0))


def f1_estimate(world: World, seed: int):
    project = audited_project(world, np.random.default_rng(seed))
    audited = project.audited
    numerators, denominators = 2 * project.right, project.predicted + project.gold
    return project, ratio_estimate(
        numerators[audited], denominators[audited], Draw(audited, project.proxies)
    )


class TestCoverage:
    @pytest.mark.parametrize("f1", [0.5, 0.7, 0.9])
    def test_a_90_percent_interval_holds_the_truth_in_90_percent_of_projects(self, f1):
        """Within 3 binomial errors of 400 draws, and the 1% that is left to the method."""
        world = World(f1, audited=100, empty=0.55, texts=(1000, 1500))

        held = sum(
            project.f1 in estimate.interval
            for project, estimate in (f1_estimate(world, seed) for seed in range(PROJECTS))
        )

        assert abs(held / PROJECTS - 0.9) < 3 * math.sqrt(0.9 * 0.1 / PROJECTS) + 0.01

    def test_useful_proxies_make_it_a_third_narrower(self):
        world = World(0.5, audited=150, empty=0.3, texts=(1000, 1500))

        estimates = [f1_estimate(world, seed)[1] for seed in range(30)]

        widths = [(it.interval.width, it.classical.width) for it in estimates]
        assert np.mean([ours / classical for ours, classical in widths]) < 2 / 3

    def test_useless_proxies_make_it_hardly_wider(self):
        world = World(0.7, audited=100, empty=0.4, texts=(1000, 1500), informative=False)

        estimates = [f1_estimate(world, seed)[1] for seed in range(100)]

        ours = np.mean([estimate.interval.width for estimate in estimates])
        assert ours < 1.05 * np.mean([estimate.classical.width for estimate in estimates])

    def test_strata_that_were_audited_unequally_bias_nothing(self):
        """Easy texts are audited ten times as often; the plain ratio would be far off."""
        rng = np.random.default_rng(4)
        strata = np.repeat(["easy", "hard"], 2000)
        chance = np.where(strata == "easy", 0.9, 0.3)
        held = []
        for _ in range(200):
            denominators = rng.poisson(2, 4000).astype(float)
            numerators = rng.binomial(denominators.astype(int), chance).astype(float)
            audited = np.r_[rng.permutation(2000)[:200], 2000 + rng.permutation(2000)[:20]]
            estimate = ratio_estimate(
                numerators[audited],
                denominators[audited],
                Draw(audited, denominators[:, None], strata),
            )
            held.append(numerators.sum() / denominators.sum() in estimate.interval)

        assert np.mean(held) > 0.9 - 3 * math.sqrt(0.9 * 0.1 / 200) - 0.01


class TestWithoutProxies:
    def test_it_is_the_textbook_ratio_on_the_logit_scale(self):
        rng = np.random.default_rng(1)
        wholes = rng.integers(1, 6, 50).astype(float)
        parts = rng.binomial(wholes.astype(int), 0.6).astype(float)

        estimate = ratio_estimate(parts, wholes, Draw(np.arange(50), NO_PROXIES))

        ratio = parts.sum() / wholes.sum()
        influence = (parts - ratio * wholes) / wholes.mean() * 50 / 49
        error = math.sqrt((influence**2).sum() / 50**2 * (1 - 50 / 1000))
        low = math.log(ratio / (1 - ratio)) - math.log(
            estimate.interval.low / (1 - estimate.interval.low)
        )
        assert estimate.interval.value == pytest.approx(ratio)
        assert estimate.error == pytest.approx(error)
        assert low >= stdtrit(49, 0.95) * error / (ratio * (1 - ratio)) * (1 - 1e-9)
        assert estimate.interval == estimate.classical

    def test_a_proxy_that_knows_everything_leaves_nothing_open(self):
        rng = np.random.default_rng(2)
        wholes = rng.integers(1, 6, 1000).astype(float)
        parts = rng.binomial(wholes.astype(int), 0.6).astype(float)
        audited = rng.permutation(1000)[:60]

        estimate = ratio_estimate(
            parts[audited], wholes[audited], Draw(audited, np.column_stack([parts, wholes]))
        )

        assert estimate.interval.value == pytest.approx(parts.sum() / wholes.sum())
        assert estimate.interval.width < 1e-6


class TestTheEdges:
    def test_an_audit_without_a_mistake_does_not_claim_perfection(self):
        estimate = ratio_estimate(np.full(50, 2), np.full(50, 2), Draw(np.arange(50), NO_PROXIES))

        assert estimate.interval.high == 1.0
        assert estimate.interval.low == pytest.approx(0.05 ** (1 / 50))

    def test_an_audit_without_a_hit_leaves_room_for_some(self):
        estimate = ratio_estimate(np.zeros(50), np.ones(50), Draw(np.arange(50), NO_PROXIES))

        assert (estimate.interval.low, estimate.interval.value) == (0.0, 0.0)
        assert estimate.interval.high == pytest.approx(1 - 0.05 ** (1 / 50))

    def test_when_all_texts_were_audited_nothing_is_open(self):
        parts = np.tile([0.0, 1.0], 500)

        estimate = ratio_estimate(parts, np.ones(1000), Draw(np.arange(1000), NO_PROXIES))

        assert (estimate.interval.low, estimate.interval.high) == (0.5, 0.5)

    def test_nothing_to_find_is_nothing_to_estimate(self):
        assert ratio_estimate(np.zeros(5), np.zeros(5), Draw(np.arange(5), NO_PROXIES)) is None

    def test_one_text_is_too_few(self):
        with pytest.raises(InputError, match="at least two"):
            ratio_estimate([1], [1], Draw([0], NO_PROXIES))

    def test_a_stratum_nobody_audited_is_taken_together_with_another(self):
        strata = np.repeat(["a", "b", "c"], [500, 499, 1])

        estimate = ratio_estimate(
            np.tile([0.0, 1.0], 10), np.ones(20), Draw(np.arange(20) * 50, NO_PROXIES, strata)
        )

        assert estimate.interval.value == pytest.approx(0.5)

    @given(
        counts=arrays(np.int64, (40, 2), elements=st.integers(0, 6)),
        proxies=arrays(np.float64, (80, 3), elements=st.integers(0, 3).map(float)),
        strata=arrays(np.int64, 80, elements=st.integers(0, 3)),
    )
    def test_bounds_are_in_order_and_in_range_whatever_comes(self, counts, proxies, strata):
        wholes = counts.max(axis=1)
        estimate = ratio_estimate(
            counts.min(axis=1), wholes, Draw(np.arange(0, 80, 2), proxies, strata)
        )

        if wholes.any():
            for it in (estimate.interval, estimate.classical):
                assert 0 <= it.low <= it.value + 1e-12 <= it.high + 2e-12 <= 1 + 3e-12
        else:
            assert estimate is None


class TestTheForecast:
    def test_more_labels_bring_the_width_that_was_asked_for(self):
        few = World(0.7, audited=100, empty=0.3, texts=(4000, 4000))
        needed = [100 + f1_estimate(few, seed)[1].more_labels(0.03) for seed in range(20)]
        many = World(0.7, audited=int(np.mean(needed)), empty=0.3, texts=(4000, 4000))

        widths = [f1_estimate(many, seed)[1].interval.width for seed in range(20)]

        assert np.mean(widths) / 2 == pytest.approx(0.03, rel=0.1)

    def test_an_interval_that_is_narrow_enough_needs_none(self):
        estimate = f1_estimate(World(0.9, audited=300, empty=0.1), 0)[1]

        assert estimate.more_labels(0.1) == 0
