import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.active_learning.learning_curve import Measurement, f1_deviation, predict_gain
from backend.active_learning.stopping import (
    STOP_SET,
    Limits,
    advise,
    agreement_on,
    measurements,
    stop_set,
)
from backend.domain import RoundReport, Span, SpanScores

LAGOS = Span(0, 5, "LOC")
TEXT = "Lagos is far from Kano"


def rng():
    return np.random.default_rng(0)


def curve(a, b, c, labels=(50, 100, 200, 400, 800), deviation=0.005):
    return [Measurement(n, a - b * n**-c, deviation) for n in labels]


def round_of(number, labels, f1, **changes):
    right = round(1000 * f1)
    scores = SpanScores(right, 1000 - right, 1000 - right)
    values = {"labels": labels, "training": labels, "tagger": scores} | changes
    return RoundReport(number, **values)


RISING = [round_of(n, 50 * n, f1) for n, f1 in enumerate((0.3, 0.45, 0.54, 0.6), start=1)]
FLAT = [round_of(n, 500 * n, f1) for n, f1 in enumerate((0.798, 0.8, 0.8, 0.8), start=1)]


def judged(rounds, limits=None, minutes=0.0):
    return advise(rounds, limits or Limits(), minutes, rng())


class TestAgreement:
    def test_models_that_say_the_same_agree_fully(self):
        assert agreement_on([TEXT], [(LAGOS,)], [(LAGOS,)]) == pytest.approx(1.0)

    def test_models_that_find_nothing_agree_fully(self):
        assert agreement_on([TEXT], [()], [()]) == 1.0

    def test_it_is_no_better_than_chance_where_one_model_finds_nothing(self):
        assert agreement_on([TEXT], [(LAGOS,)], [()]) == pytest.approx(0.0)

    def test_another_label_is_another_tag(self):
        assert agreement_on([TEXT], [(LAGOS,)], [(Span(0, 5, "PER"),)]) < 1

    def test_nothing_can_be_said_without_a_token(self):
        assert agreement_on([], [], []) is None
        assert agreement_on([" "], [()], [()]) is None

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=8))
    def test_it_is_the_same_both_ways_and_at_most_1(self, found):
        one = [(LAGOS,) if first else () for first, _ in found]
        other = [(LAGOS,) if second else () for _, second in found]
        texts = [TEXT] * len(found)

        forth, back = agreement_on(texts, one, other), agreement_on(texts, other, one)

        assert forth == pytest.approx(back)
        assert -1 <= forth <= 1 + 1e-12

    @given(st.lists(st.text(max_size=4)), st.randoms())
    def test_the_stop_set_does_not_depend_on_the_order(self, texts, shuffler):
        shuffled = list(texts)
        shuffler.shuffle(shuffled)

        assert stop_set(shuffled) == stop_set(texts)
        assert set(stop_set(texts)) == set(texts)

    def test_the_stop_set_hardly_changes_when_texts_come(self):
        texts = [f"text {n}" for n in range(2000)]

        before, after = set(stop_set(texts)), set(stop_set([*texts, "new"]))

        assert len(before) == STOP_SET
        assert len(before - after) <= 1


class TestPredictedGain:
    @given(
        a=st.floats(0.5, 0.95), b=st.floats(0.5, 3), c=st.floats(0.3, 1.5), more=st.integers(1, 500)
    )
    @settings(max_examples=40)
    def test_a_power_law_is_found_again(self, a, b, c, more):
        predicted = predict_gain(curve(a, b, c), more, rng())

        assert predicted.gain == pytest.approx(b * (800**-c - (800 + more) ** -c), abs=0.004)

    @given(b=st.floats(0.5, 3), c=st.floats(0.3, 1.5), more=st.integers(1, 500))
    @settings(max_examples=40)
    def test_a_curve_that_flattens_nowhere_is_found_again_where_that_is_asked(self, b, c, more):
        predicted = predict_gain(curve(1.0, b, c), more, rng(), plateau=False)

        assert predicted.gain == pytest.approx(b * (800**-c - (800 + more) ** -c), abs=0.004)

    @given(st.lists(st.floats(0, 0.9), min_size=3, max_size=8), st.integers(1, 1000))
    @settings(max_examples=40)
    def test_without_a_plateau_the_gain_stays_within_bounds(self, scores, more):
        measured = [Measurement(40 * n, f1, 0.02) for n, f1 in enumerate(scores, start=1)]

        predicted = predict_gain(measured, more, rng(), plateau=False)

        assert 0 <= predicted.low <= predicted.high <= 1
        assert 0 <= predicted.gain <= 1

    @given(
        st.lists(st.floats(0, 1), min_size=3, max_size=8),
        st.floats(0, 0.2),
        st.integers(1, 1000),
    )
    @settings(max_examples=40)
    def test_whatever_was_measured_the_gain_is_no_loss_and_at_most_all(
        self, scores, deviation, more
    ):
        measured = [Measurement(40 * n, f1, deviation) for n, f1 in enumerate(scores, start=1)]

        predicted = predict_gain(measured, more, rng())

        assert 0 <= predicted.low <= predicted.high <= 1
        assert 0 <= predicted.gain <= 1

    @given(st.integers(1, 300), st.integers(1, 300))
    def test_more_labels_never_bring_less(self, one, other):
        gains = [
            predict_gain(curve(0.8, 2, 0.5), more, rng()).gain for more in sorted((one, other))
        ]

        assert gains == sorted(gains)

    def test_a_smaller_held_out_set_makes_a_wider_interval(self):
        narrow = predict_gain(curve(0.8, 2, 0.5, deviation=0.005), 100, rng())
        wide = predict_gain(curve(0.8, 2, 0.5, deviation=0.05), 100, rng())

        assert wide.high - wide.low > narrow.high - narrow.low

    def test_a_curve_that_falls_promises_nothing(self):
        assert predict_gain(curve(0.5, -1, 0.5), 100, rng()).gain == 0.0

    @pytest.mark.parametrize("labels", [(), (50,), (50, 100), (50, 50, 100), (0, 50, 100)], ids=str)
    def test_fewer_than_three_sizes_predict_nothing(self, labels):
        measured = [Measurement(n, 0.5, 0.01) for n in labels]

        assert predict_gain(measured, 100, rng()) is None

    def test_the_same_rounds_and_generator_give_the_same_prediction(self):
        assert predict_gain(curve(0.8, 2, 0.5), 9, rng()) == predict_gain(
            curve(0.8, 2, 0.5), 9, rng()
        )

    @given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
    def test_the_deviation_of_f1_is_a_positive_share(self, right, wrong, missed):
        assert 0 < f1_deviation(right, wrong, missed) <= 1

    def test_without_spans_to_find_anything_is_possible(self):
        assert f1_deviation(0, 0, 0) == 1.0


class TestAdvice:
    def test_before_the_first_round_there_is_none(self):
        assert str(judged([])) == ""

    def test_one_round_alone_says_nothing(self):
        advice = judged(RISING[:1])

        assert (advice.stop, str(advice)) == (False, "")

    def test_a_rising_curve_says_to_label_on_with_an_interval(self):
        advice = judged(RISING)

        assert not advice.stop
        assert str(advice).startswith("Labelling on: +")
        assert "from 100 more labels" in str(advice)
        assert "interval" in str(advice)

    def test_a_flat_curve_says_to_stop(self):
        assert judged(FLAT).stop

    def test_a_flat_curve_is_not_enough_while_the_models_still_change(self):
        changing = [*FLAT, round_of(5, 2500, 0.8, agreement=0.7)]

        assert not judged(changing).stop

    def test_models_that_have_stayed_the_same_for_three_rounds_say_to_stop(self):
        stable = [round_of(n, 100, 0.8, agreement=0.995) for n in range(1, 4)]

        assert judged(stable).stop
        assert not judged(stable[:2]).stop

    def test_stable_models_are_not_enough_while_the_curve_rises(self):
        stable = [
            round_of(each.number, each.labels, each.tagger.f1, agreement=1.0) for each in RISING
        ]

        assert not judged(stable).stop

    def test_the_minutes_that_labels_take_are_said(self):
        assert "take about 50 minutes" in str(judged(RISING, minutes=100.0))

    @pytest.mark.parametrize(
        ("limits", "named"),
        [
            (Limits(labels=200), "200 labels"),
            (Limits(minutes=30), "30 minutes"),
            (Limits(usd=1.5), "1.5 US dollars"),
        ],
    )
    def test_a_limit_that_is_reached_says_to_stop_whatever_the_curve(self, limits, named):
        rounds = [*RISING[:3], round_of(4, 200, 0.6, spent_usd="1.5")]

        advice = judged(rounds, limits, minutes=30.0)

        assert advice.stop
        assert named in str(advice)

    def test_a_limit_that_is_not_reached_says_nothing(self):
        assert judged(RISING, Limits(labels=201, minutes=31, usd=2), 30.0) == judged(
            RISING, minutes=30.0
        )

    @given(
        st.lists(
            st.tuples(st.integers(0, 500), st.floats(0, 1), st.none() | st.floats(-1, 1)),
            max_size=6,
        )
    )
    @settings(max_examples=40)
    def test_there_is_advice_for_any_history(self, history):
        rounds = [
            round_of(number, labels, f1, agreement=kappa)
            for number, (labels, f1, kappa) in enumerate(history, start=1)
        ]

        advice = judged(rounds)

        assert not advice.stop or advice.reasons

    def test_rounds_without_a_tagger_are_no_part_of_the_curve(self):
        assert measurements([RoundReport(1, training=50), RISING[1]])[0].labels == 100
