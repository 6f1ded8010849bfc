"""What a transformer tries on dev, and which of it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.settings import TaggerSettings
from backend.tagger.search import (
    RATES,
    UNSEARCHED_RATE,
    Choice,
    Trial,
    best_trial,
    carve_dev,
    rates_to_try,
    starts_to_try,
)
from backend.tagger.training_set import TaggedText

SEARCHING = TaggerSettings()


def text(number, tags=("B-LOC", "O")):
    return TaggedText(f"text {number}", [(0, 4), (5, 9)], list(tags), 1)


def about(rate=2e-4, searched_with=100):
    trials = (Trial(rate, "scratch", 0.5, 400, 500),)
    return Choice("base", "trimmed", "cpu", 120, 20, searched_with, trials).about()


@given(st.integers(0, 300))
def test_each_text_is_learnt_from_or_measured_on_and_never_both(count):
    texts = [text(number) for number in range(count)]

    training, dev = carve_dev(texts)

    assert sorted([*training, *dev], key=texts.index) == texts
    assert training or not texts


def test_a_text_keeps_its_side_when_others_come():
    few, many = ([text(number) for number in range(count)] for count in (60, 200))

    assert {one.text for one in carve_dev(few)[1]} <= {one.text for one in carve_dev(many)[1]}


def test_copies_of_a_text_are_on_one_side():
    training, dev = carve_dev([text(number % 50) for number in range(200)])

    assert dev
    assert not {one.text for one in training} & {one.text for one in dev}


def test_without_spans_to_measure_on_all_is_learnt_from():
    texts = [text(0), *(text(number, ("O", "O")) for number in range(1, 100))]

    assert carve_dev(texts) == (texts, [])


def test_a_fixed_rate_is_not_searched_for():
    fixed = TaggerSettings(learning_rate=1e-4)

    assert rates_to_try(fixed, 100, 20, about()) == [1e-4]


def test_rates_are_searched_for_on_dev():
    assert rates_to_try(SEARCHING, 100, 20, {}) == list(RATES)
    assert rates_to_try(SEARCHING, 100, 0, {}) == [UNSEARCHED_RATE]


@pytest.mark.parametrize(("training", "expected"), [(199, [2e-4]), (200, list(RATES))])
def test_a_rate_is_taken_over_until_there_is_twice_as_much(training, expected):
    assert rates_to_try(SEARCHING, training, 20, about(searched_with=100)) == expected


@pytest.mark.parametrize(
    ("settings", "last"),
    [(SEARCHING, about(searched_with=0)), (TaggerSettings(variant="full"), about())],
    ids=["never searched for", "of another variant"],
)
def test_another_rate_is_not_taken_over(settings, last):
    assert rates_to_try(settings, 100, 20, last) == list(RATES)


def test_lora_takes_higher_rates():
    lora = TaggerSettings(variant="lora")

    assert min(rates_to_try(lora, 100, 20, {})) > min(RATES)


@pytest.mark.parametrize(
    ("start", "dev", "has_last", "expected"),
    [
        ("best", 20, True, ["scratch", "last"]),
        ("best", 20, False, ["scratch"]),
        ("best", 0, True, ["scratch"]),
        ("last", 0, True, ["last"]),
        ("last", 20, False, ["scratch"]),
        ("scratch", 20, True, ["scratch"]),
    ],
)
def test_both_starts_are_tried_where_dev_can_tell(start, dev, has_last, expected):
    assert starts_to_try(TaggerSettings(start=start), dev, has_last) == expected


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=6))
def test_the_best_trial_is_the_first_of_the_highest(scores):
    trials = [Trial(1e-4, "scratch", score, 1, 1) for score in scores]

    best = best_trial(trials)

    assert (best.dev_f1 or 0.0) == max(score or 0.0 for score in scores)
    assert all(
        (trial.dev_f1 or 0.0) < (best.dev_f1 or 0.0) for trial in trials[: _at(trials, best)]
    )


def _at(trials, wanted):
    return next(place for place, trial in enumerate(trials) if trial is wanted)
