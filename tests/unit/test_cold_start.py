import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.active_learning.cold_start import cold_start_confidence


def first(texts, number, seed=0):
    confidence = cold_start_confidence(texts, np.random.default_rng(seed))
    return [texts[position] for position in np.argsort(confidence)[:number]]


GROUPS = {
    "rain": [f"rainy season brings heavy rain to farm {number}" for number in range(40)],
    "vote": [f"the parliament voted on election law {number}" for number in range(10)],
    "goal": [f"striker scored a goal in football match {number}" for number in range(4)],
}


def test_the_first_texts_cover_what_is_there():
    texts = [text for group in GROUPS.values() for text in group]

    asked = first(texts, 27)

    assert all(set(asked) & set(group) for group in GROUPS.values())


def test_texts_with_names_come_before_like_texts_without():
    named = [f"mother went to Kumasi {number}" for number in range(20)]
    plain = [text.lower() for text in named]

    confidence = cold_start_confidence([*plain, *named], np.random.default_rng(0))

    assert confidence[20:].mean() < confidence[:20].mean() - 0.2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=12))
def test_ranks_are_distinct_and_between_0_and_1(texts):
    confidence = cold_start_confidence(texts, np.random.default_rng(0))

    assert confidence.shape == (len(texts),)
    assert len(set(confidence)) == len(texts)
    assert ((confidence >= 0) & (confidence <= 1)).all()


def test_empty_texts_come_last():
    texts = ["", "Lagos is large", " \n", "Accra is on the coast", "Dakar has a port"]

    confidence = cold_start_confidence(texts, np.random.default_rng(0))

    assert confidence[[0, 2]].min() > confidence[[1, 3, 4]].max()


def test_the_same_seed_gives_the_same_order():
    texts = GROUPS["rain"] + GROUPS["vote"]

    assert first(texts, 50, seed=3) == first(texts, 50, seed=3)


@pytest.mark.parametrize("number", [1, 2, 3, 60])
def test_equal_texts_are_ranked_too(number):
    confidence = cold_start_confidence(["Lagos"] * number, np.random.default_rng(0))

    assert len(set(confidence)) == number


def test_no_texts_have_no_order():
    assert cold_start_confidence([], np.random.default_rng(0)).shape == (0,)
