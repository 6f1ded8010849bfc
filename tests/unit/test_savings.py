import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cost.savings import (
    HUMANS,
    Point,
    Prices,
    bill,
    bill_to_reach,
    implied_human_usd,
    savings,
    swings,
    usual_seconds,
)
from backend.errors import InputError

PRICES = Prices(
    usd_per_hour=12,
    seconds_per_text=30,
    llm_usd_per_text=0.01,
    gpu_usd_per_hour=2,
    gpu_seconds_per_round=360,
    audit_share=0.1,
)
HUMAN = [Point(100, 100, 1, 0.5), Point(200, 200, 2, 0.6), Point(300, 300, 3, 0.7)]
HYBRID = [Point(100, 20, 1, 0.5), Point(200, 40, 2, 0.65)]
CURVES = {HUMANS: HUMAN, "default": HYBRID}
AMOUNTS = st.floats(0.01, 100)


class TestABill:
    def test_humans_pay_no_llm_and_no_audit_of_it(self):
        found = bill(HUMAN[1], HUMANS, PRICES)

        assert (found.human, found.llm, found.audit) == (pytest.approx(20), 0, 0)
        assert found.gpu == pytest.approx(0.4)

    def test_an_llm_is_paid_for_every_text_and_audited(self):
        found = bill(HYBRID[1], "default", PRICES)

        assert found.human == pytest.approx(4)
        assert found.llm == pytest.approx(2)
        assert found.audit == pytest.approx(2)
        assert found.total == pytest.approx(found.human + found.llm + found.gpu + found.audit)

    @pytest.mark.parametrize("wrong", [-1.0, math.inf, math.nan])
    def test_prices_that_cannot_be_are_refused(self, wrong):
        with pytest.raises(InputError, match="usd_per_hour"):
            replace(PRICES, usd_per_hour=wrong)


class TestReaching:
    def test_between_rounds_it_is_on_the_line(self):
        found = bill_to_reach(HUMAN, HUMANS, 0.55, PRICES)

        assert found.human == pytest.approx(15)

    @pytest.mark.parametrize(("target", "human"), [(0.3, 10), (0.5, 10), (0.7, 30)])
    def test_at_rounds_and_below_the_first_it_is_theirs(self, target, human):
        assert bill_to_reach(HUMAN, HUMANS, target, PRICES).human == pytest.approx(human)

    @pytest.mark.parametrize("curve", [[], HYBRID])
    def test_what_is_not_reached_has_no_bill(self, curve):
        assert bill_to_reach(curve, "default", 0.66, PRICES) is None

    def test_a_curve_that_falls_again_has_reached_it(self):
        curve = [*HYBRID, Point(300, 60, 3, 0.4)]

        assert bill_to_reach(curve, "default", 0.65, PRICES) == bill(HYBRID[1], "default", PRICES)

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0, 1), st.floats(0, 1))
    def test_more_never_costs_less(self, scores, one, other):
        curve = [Point(10 * n, 10 * n, n, f1) for n, f1 in enumerate(scores, 1)]
        bills = [bill_to_reach(curve, HUMANS, target, PRICES) for target in sorted((one, other))]

        if None in bills:
            assert bills[1] is None
        else:
            assert bills[0].total <= bills[1].total + 1e-9


class TestSavings:
    def test_it_is_one_cost_over_the_other(self):
        assert savings(CURVES, "default", 0.5, replace(PRICES, gpu_usd_per_hour=0)) == (
            pytest.approx(10 / (2 + 1 + 1))
        )

    def test_of_what_is_not_reached_there_are_none(self):
        assert math.isnan(savings(CURVES, "default", 0.7, PRICES))

    @given(AMOUNTS)
    def test_a_currency_changes_nothing(self, rate):
        money = ("usd_per_hour", "llm_usd_per_text", "gpu_usd_per_hour")
        other = replace(PRICES, **{name: rate * getattr(PRICES, name) for name in money})

        assert savings(CURVES, "default", 0.6, other) == pytest.approx(
            savings(CURVES, "default", 0.6, PRICES)
        )

    def test_dearer_llms_save_less_and_dearer_humans_more(self):
        found = {swing.price: swing for swing in swings(CURVES, "default", 0.6, PRICES)}

        assert found["llm_usd_per_text"].halved > found["llm_usd_per_text"].doubled
        assert found["usd_per_hour"].halved < found["usd_per_hour"].doubled
        assert set(found) == {
            "usd_per_hour",
            "seconds_per_text",
            "llm_usd_per_text",
            "gpu_usd_per_hour",
            "gpu_seconds_per_round",
            "audit_share",
        }

    def test_what_costs_nothing_swings_nothing(self):
        free = replace(PRICES, gpu_usd_per_hour=0)

        assert "gpu_usd_per_hour" not in {s.price for s in swings(CURVES, "default", 0.6, free)}

    def test_free_work_saves_without_end(self):
        free = Prices(seconds_per_text=30, llm_usd_per_text=0)

        assert savings(
            {HUMANS: HUMAN, "llm-only": [Point(9, 0, 1, 0.9)]}, "llm-only", 0.5, free
        ) == (math.inf)


class TestSecondsOfALabel:
    def test_a_tab_left_open_hardly_counts(self):
        times = [20.0, 30.0, 40.0] * 20

        assert usual_seconds([*times, 86400.0]) < 1.1 * usual_seconds(times)

    @given(st.lists(st.floats(1, 1000), min_size=1, max_size=50))
    def test_it_lies_among_the_times(self, times):
        assert min(times) - 1e-9 <= usual_seconds(times) <= max(times) + 1e-9

    @given(st.lists(st.floats(1, 1000), min_size=1, max_size=50), st.floats(0.1, 10))
    def test_it_has_their_unit(self, times, unit):
        assert usual_seconds([unit * it for it in times]) == pytest.approx(
            unit * usual_seconds(times)
        )

    @pytest.mark.parametrize("times", [[], [None], [0.0, -1.0, None], [np.inf]])
    def test_without_times_nothing_is_known(self, times):
        assert usual_seconds(times) is None


def test_the_papers_factor_asks_for_dear_humans():
    assert implied_human_usd(0.0092) == pytest.approx(0.39, abs=0.005)
    assert implied_human_usd(0.0162) == pytest.approx(0.69, abs=0.005)
