from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import full_pool, part, pools, random_tagging, tagging

from backend.active_learning.strategies import (
    COMMITTEE,
    DEFAULT_BY_COST_UNIT,
    POINTWISE,
    STRATEGIES,
    TIMED,
    resolve,
)
from backend.active_learning.strategies.cost import Knapsack, expected_seconds, fill
from backend.active_learning.strategies.disagreement import label_loss_confidence
from backend.active_learning.strategies.diversity import Clustered, Diverse
from backend.active_learning.strategies.uncertainty import margin
from backend.domain import Span
from backend.errors import InputError
from backend.protocols import Pool, Tagging
from backend.settings import SuggestionSettings

NOTHING = Tagging((), np.zeros((0, 5)), 1.0)
DOUBTFUL, CERTAIN = tagging([[0.4, 0.35, 0.25]], 0.4), tagging([[0.98, 0.01, 0.01]], 0.98)
OF_THE_TAGGER_ALONE = (
    "margin", "least-confidence", "sequence-probability", "mnlp",
    "mean-entropy", "max-entropy", "total-entropy", "top-entropy",
)  # fmt: skip


def by_name(names):
    return pytest.mark.parametrize("strategy", [STRATEGIES[n] for n in names], ids=list(names))


every_strategy = by_name(STRATEGIES)
every_measure_of_doubt = by_name(OF_THE_TAGGER_ALONE)


def ask(strategy, pool, seed=0):
    if not isinstance(pool, Pool):
        pool = Pool([""] * len(pool), pool)
    return strategy(pool, np.random.default_rng(seed))


def in_order(strategy, pool, seed=0):
    return ask(strategy, pool, seed).argsort(kind="stable").tolist()


class TestEveryStrategy:
    @every_strategy
    @settings(max_examples=20)
    @given(pool=pools)
    def test_each_text_gets_one_confidence_between_0_and_1(self, strategy, pool):
        confidence = ask(strategy, pool)

        assert confidence.shape == (len(pool.texts),)
        assert confidence.dtype == np.float64
        assert ((confidence >= 0) & (confidence <= 1)).all()

    @every_strategy
    @settings(max_examples=10)
    @given(pool=pools)
    def test_the_generator_alone_decides_what_is_left_open(self, strategy, pool):
        assert ask(strategy, pool, 3).tolist() == ask(strategy, pool, 3).tolist()

    @every_strategy
    def test_an_empty_pool_has_no_confidences(self, strategy):
        assert ask(strategy, full_pool([], 0)).shape == (0,)

    @every_strategy
    @pytest.mark.parametrize("length", [0, 1, 1000])
    def test_one_text_of_any_length_has_one(self, strategy, length):
        confidence = ask(strategy, full_pool([length], 0))

        assert confidence.shape == (1,)
        assert np.isfinite(confidence).all()

    @every_strategy
    def test_texts_without_any_token_break_nothing(self, strategy):
        assert np.isfinite(ask(strategy, full_pool([0, 0, 0], 0))).all()

    @every_strategy
    def test_a_pool_of_copies_is_put_in_some_order(self, strategy):
        pool = part(full_pool([5, 4], 1), [0] * 70)

        assert np.isfinite(ask(strategy, pool)).all()


class TestStrategiesThatLookAtEachTextByItself:
    @by_name([name for name in POINTWISE if name != "random"])
    @settings(max_examples=20)
    @given(pool=pools, seed=st.integers(0, 2**32 - 1))
    def test_neither_order_nor_company_changes_a_value(self, strategy, pool, seed):
        order = np.random.default_rng(seed).permutation(len(pool.texts))[: seed % 5 + 1].tolist()

        np.testing.assert_allclose(
            ask(strategy, part(pool, order)), ask(strategy, pool)[order], rtol=0, atol=1e-12
        )


class TestMeasuresOfDoubt:
    @every_measure_of_doubt
    def test_a_doubtful_text_comes_before_a_certain_one(self, strategy):
        assert in_order(strategy, [CERTAIN, DOUBTFUL]) == [1, 0]

    @every_measure_of_doubt
    def test_a_text_without_tokens_is_never_asked_first(self, strategy):
        assert ask(strategy, [NOTHING, random_tagging(np.random.default_rng(0), 3)])[0] == 1.0

    @every_measure_of_doubt
    def test_full_certainty_is_1(self, strategy):
        assert ask(strategy, [tagging([[0.0, 1.0], [1.0, 0.0]])] * 3).tolist() == [1.0] * 3

    @every_measure_of_doubt
    def test_a_tagger_with_one_tag_is_certain(self, strategy):
        assert ask(strategy, [tagging([[1.0], [1.0]])]).tolist() == [1.0]

    @by_name([n for n in OF_THE_TAGGER_ALONE if n not in {"sequence-probability"}])
    def test_a_thousand_doubtful_tokens_are_still_told_from_more_doubtful_ones(self, strategy):
        doubtful, more = tagging([[0.6, 0.4]] * 1000), tagging([[0.55, 0.45]] * 1000)

        assert in_order(strategy, [doubtful, more]) == [1, 0]

    @every_measure_of_doubt
    @given(seed=st.integers(0, 2**32 - 1), n_tokens=st.integers(1, 6), share=st.floats(0.05, 1.0))
    def test_sharper_probabilities_never_make_a_text_more_doubtful(
        self, strategy, seed, n_tokens, share
    ):
        flat = np.random.default_rng(seed).dirichlet(np.ones(4), size=n_tokens)
        sharp = share * np.eye(4)[flat.argmax(axis=1)] + (1 - share) * flat

        values = ask(strategy, [tagging(flat), tagging(sharp)])

        assert values[1] >= values[0] - 1e-12

    def test_margin_looks_at_the_most_doubtful_token(self):
        assert ask(margin, [tagging([[0.9, 0.1, 0.0], [0.5, 0.2, 0.3]])]) == pytest.approx([0.2])

    def test_least_confidence_looks_at_the_most_doubtful_token(self):
        found = ask(STRATEGIES["least-confidence"], [tagging([[0.9, 0.1], [0.6, 0.4]], 0.1)])

        assert found == pytest.approx([0.6])

    def test_mean_entropy_is_a_share_of_the_largest_entropy(self):
        even, sure = [0.25] * 4, [1.0, 0.0, 0.0, 0.0]

        found = ask(STRATEGIES["mean-entropy"], [tagging([even]), tagging([even, sure])])

        assert found == pytest.approx([0.0, 0.5])

    def test_top_entropy_counts_several_doubtful_tokens_and_no_certain_ones(self):
        even, sure = [0.5, 0.5], [1.0, 0.0]
        one, two, diluted = [even], [even] * 2, [even] * 2 + [sure] * 50

        found = ask(STRATEGIES["top-entropy"], [tagging(one), tagging(two), tagging(diluted)])

        assert found == pytest.approx([2 / 3, 1 / 3, 1 / 3])

    def test_the_sequence_probability_is_taken_where_the_tagger_knows_it(self):
        found = ask(STRATEGIES["sequence-probability"], [tagging([[0.9, 0.1]] * 2, 0.7)])

        assert found == pytest.approx([0.7])

    def test_mnlp_does_not_depend_on_length(self):
        short, long = tagging([[0.8, 0.2]]), tagging([[0.8, 0.2]] * 30)

        assert ask(STRATEGIES["mnlp"], [short, long]) == pytest.approx([0.8, 0.8])

    @pytest.mark.parametrize("name", ["sequence-probability", "total-entropy", "longest"])
    def test_some_prefer_long_texts_by_their_nature(self, name):
        short, long = tagging([[0.8, 0.2]]), tagging([[0.8, 0.2]] * 30)

        assert in_order(STRATEGIES[name], [short, long]) == [1, 0]


class TestCommittees:
    def disagreeing(self):
        agree = [tagging([[0.9, 0.1]])] * 3
        differ = [tagging([[0.9, 0.1]]), tagging([[0.1, 0.9]]), tagging([[0.2, 0.8]])]
        voices = list(zip(agree, differ, strict=True))
        return Pool(["", ""], voices[0], committee=voices[1:])

    @by_name(sorted(COMMITTEE))
    def test_members_that_agree_leave_no_doubt_and_others_do(self, strategy):
        values = ask(strategy, self.disagreeing())

        assert values[0] == pytest.approx(1.0)
        assert values[1] < 0.9

    @by_name(sorted(COMMITTEE))
    def test_doubt_that_all_members_share_is_no_disagreement(self, strategy):
        unsure = tagging([[0.5, 0.5]])

        assert ask(strategy, Pool([""], [unsure], committee=[[unsure]])) == pytest.approx([1.0])

    @by_name(sorted(COMMITTEE))
    def test_without_a_committee_it_is_said_what_to_give(self, strategy):
        with pytest.raises(InputError, match="committee"):
            ask(strategy, [DOUBTFUL])

    @by_name(sorted(COMMITTEE))
    def test_members_that_see_other_tokens_are_refused(self, strategy):
        pool = Pool([""], [DOUBTFUL], committee=[[tagging([[0.5, 0.3, 0.2]] * 2)]])

        with pytest.raises(InputError, match="different tokens"):
            ask(strategy, pool)


class TestTheLlmAgainstTheTagger:
    LAGOS, KANO = Span(0, 5, "LOC"), Span(9, 13, "LOC")

    def pool(self, *suggested):
        found = replace(DOUBTFUL, spans=(self.LAGOS,))
        return Pool([""] * len(suggested), [found] * len(suggested), suggested=suggested)

    def test_the_less_they_agree_the_earlier_a_text_is_asked(self):
        pool = self.pool((self.LAGOS,), (self.KANO,), (self.LAGOS, self.KANO))

        assert in_order(STRATEGIES["llm-disagreement"], pool) == [1, 2, 0]

    def test_what_the_llm_has_not_answered_is_judged_by_the_margin(self):
        pool = self.pool(None)

        assert ask(STRATEGIES["llm-disagreement"], pool) == ask(margin, pool)

    def test_without_an_llm_it_is_said_what_to_do(self):
        with pytest.raises(InputError, match=r"llm\.provider"):
            ask(STRATEGIES["llm-disagreement"], [DOUBTFUL])


@given(st.lists(st.floats(0, 1e6), max_size=8))
def test_a_larger_loss_is_asked_earlier(losses):
    confidence = label_loss_confidence(np.array(losses))

    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert (np.diff(confidence[np.argsort(losses)]) <= 0).all()


def test_a_text_without_a_label_to_doubt_comes_last():
    assert label_loss_confidence(np.array([np.nan, 2.0])).argsort().tolist() == [1, 0]


class TestDiversity:
    RAIN = tuple(f"heavy rain on the farm {number}" for number in range(20))
    GOALS = tuple(f"the striker scored goals {number}" for number in range(20))

    def pool(self, **changes):
        texts = [*self.RAIN, *self.GOALS]
        sure = np.linspace(0.1, 0.8, 40)
        return Pool(texts, [tagging([[(1 + s) / 2, (1 - s) / 2]]) for s in sure], **changes)

    @by_name(["k-center", "clusters"])
    def test_both_topics_are_among_the_first_texts(self, strategy):
        first = in_order(strategy, self.pool())[:8]

        assert min(first) < 20 <= max(first)

    def test_k_center_goes_far_from_what_is_labelled(self):
        assert in_order(STRATEGIES["k-center"], self.pool(labelled=self.RAIN))[0] >= 20

    @pytest.mark.parametrize(
        "strategy", [Diverse(margin, 0.5), Clustered(margin, batch=4, factor=10)]
    )
    def test_doubtful_copies_of_one_topic_make_room_for_another(self, strategy):
        assert max(in_order(margin, self.pool())[:4]) < 20
        assert max(in_order(strategy, self.pool())[:4]) >= 20

    @pytest.mark.parametrize(
        "strategy", [Diverse(margin, 0.5), Clustered(margin, batch=4, factor=5)]
    )
    def test_the_values_are_those_of_the_doubt_under_it(self, strategy):
        pool = self.pool()

        assert sorted(ask(strategy, pool)) == sorted(ask(margin, pool))

    def test_without_weight_only_doubt_counts(self):
        pool = self.pool(labelled=self.RAIN)

        assert in_order(Diverse(margin, 0.0), pool) == in_order(margin, pool)


class TestCost:
    @by_name(sorted(TIMED))
    def test_of_two_equally_doubtful_texts_the_quicker_one_is_asked(self, strategy):
        pool = Pool(["", ""], [DOUBTFUL] * 2, seconds=np.array([60.0, 6.0]))

        assert in_order(strategy, pool) == [1, 0]

    @by_name(sorted(TIMED))
    def test_without_seconds_it_is_said_what_to_give(self, strategy):
        with pytest.raises(InputError, match="seconds"):
            ask(strategy, [DOUBTFUL])

    def test_a_session_is_filled_where_the_best_ratio_would_waste_it(self):
        rows = [[[0.5, 0.5]] * n for n in (6, 10)]
        pool = Pool(["", ""], [tagging(row) for row in rows], seconds=np.array([55.0, 100.0]))

        assert in_order(STRATEGIES["per-minute"], pool) == [0, 1]
        assert in_order(Knapsack(seconds=100.0), pool) == [1, 0]

    @given(
        st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6)), max_size=7), st.integers(0, 15)
    )
    def test_no_other_choice_that_fits_is_worth_more(self, items, capacity):
        values = np.array([value for value, _ in items], dtype=float)
        weights = np.array([weight for _, weight in items], dtype=np.int64)
        choices = (np.arange(2 ** len(items))[:, None] >> np.arange(len(items))) & 1
        fitting = choices[choices @ weights <= capacity]

        chosen = fill(values, weights, capacity)

        assert weights[chosen].sum() <= capacity
        assert values[chosen].sum() == (fitting @ values).max()

    @given(st.floats(1, 30), st.floats(0, 5), st.lists(st.integers(1, 60), min_size=1, max_size=9))
    def test_seconds_follow_what_annotators_took(self, base, each, lengths):
        seen = np.arange(1, 41)

        expected = expected_seconds(np.array(lengths), seen, base + each * seen)

        wanted = np.maximum(base + each * np.array(lengths), 1.0)
        np.testing.assert_allclose(expected, wanted, rtol=1e-6, atol=1e-6)

    def test_a_lunch_break_bends_nothing(self):
        seen, took = np.arange(1, 41), 2.0 * np.arange(1, 41)
        took[7] = 3600.0

        assert expected_seconds(np.array([10]), seen, took) == pytest.approx([20.0], rel=0.05)

    @pytest.mark.parametrize(
        "took", [[], [np.nan] * 20, [9.0] * 5, [0.0] * 20], ids=["no", "unknown", "few", "zero"]
    )
    def test_a_longer_text_is_expected_to_take_longer_before_anything_is_known(self, took):
        short, long = expected_seconds(
            np.array([1, 100]), np.arange(len(took)), np.array(took, dtype=float)
        )

        assert 1.0 <= short < long


class TestNames:
    def test_every_strategy_of_the_settings_exists(self):
        choices = SuggestionSettings.model_fields["strategy"].annotation.__args__

        assert set(choices) <= set(STRATEGIES)

    @pytest.mark.parametrize("unit", DEFAULT_BY_COST_UNIT)
    def test_every_default_exists(self, unit):
        assert resolve("default", unit) in STRATEGIES

    def test_a_name_stands_for_itself_whatever_is_paid_for(self):
        assert resolve("mnlp", "token") == "mnlp"

    @pytest.mark.parametrize(("name", "unit"), [("guess", "token"), ("default", "page")])
    def test_an_unknown_name_is_refused_with_the_known_ones(self, name, unit):
        with pytest.raises(InputError, match="Choose one of"):
            resolve(name, unit)

    def test_random_gives_another_order_with_another_seed(self):
        pool = full_pool([1] * 20, 0)

        assert in_order(STRATEGIES["random"], pool, 1) != in_order(STRATEGIES["random"], pool, 2)
