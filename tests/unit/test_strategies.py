import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.strategies import (
    DEFAULT_BY_COST_UNIT,
    STRATEGIES,
    least_confidence,
    longest,
    margin,
    mean_entropy,
    random,
)
from backend.protocols import Pool, Tagging
from backend.settings import SuggestionSettings


def tagging(rows, sequence_probability=None):
    return Tagging((), np.array(rows, dtype=float).reshape(len(rows), -1), sequence_probability)


def ask(strategy, taggings, seed=0):
    """The confidences of a pool of these taggings."""
    return strategy(Pool([""] * len(taggings), taggings), np.random.default_rng(seed))


NOTHING = Tagging((), np.zeros((0, 5)), 1.0)
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
DOUBT = {name: STRATEGIES[name] for name in ("margin", "mean-entropy", "least-confidence")}
every_measure_of_doubt = pytest.mark.parametrize("strategy", DOUBT.values(), ids=DOUBT)


@every_strategy
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 5)), max_size=5), st.integers(0, 2**32 - 1)
)
def test_each_text_gets_one_confidence_between_0_and_1(strategy, shapes, seed):
    rng = np.random.default_rng(seed)
    taggings = [
        Tagging((), rng.dirichlet(np.full(n_tags, 0.2), size=n_tokens))
        for n_tokens, n_tags in shapes
    ]

    confidence = ask(strategy, taggings)

    assert confidence.shape == (len(taggings),)
    assert confidence.dtype == np.float64
    assert ((confidence >= 0) & (confidence <= 1)).all()


@every_measure_of_doubt
def test_a_doubtful_text_comes_before_a_certain_one(strategy):
    doubtful, certain = tagging([[0.4, 0.35, 0.25]], 0.4), tagging([[0.98, 0.01, 0.01]], 0.98)

    confidence = ask(strategy, [certain, doubtful])

    assert confidence[1] < confidence[0]


@every_measure_of_doubt
def test_a_text_without_tokens_is_never_asked_first(strategy):
    assert ask(strategy, [NOTHING]).tolist() == [1.0]


@every_strategy
def test_an_empty_pool_has_no_confidences(strategy):
    assert ask(strategy, []).shape == (0,)


@every_measure_of_doubt
def test_full_certainty_is_1(strategy):
    assert ask(strategy, [tagging([[0.0, 1.0], [1.0, 0.0]])]).tolist() == [1.0]


@every_measure_of_doubt
def test_a_tagger_with_one_tag_is_certain(strategy):
    assert ask(strategy, [tagging([[1.0], [1.0]])]).tolist() == [1.0]


@every_strategy
def test_a_thousand_doubtful_tokens_do_not_underflow_to_nonsense(strategy):
    confidence = ask(strategy, [tagging([[0.5, 0.5]] * 1000)])

    assert np.isfinite(confidence).all()


def test_margin_looks_at_the_most_doubtful_token():
    assert ask(margin, [tagging([[0.9, 0.1, 0.0], [0.5, 0.2, 0.3]])]) == pytest.approx([0.2])


def test_mean_entropy_is_a_share_of_the_largest_entropy():
    even, sure = [0.25] * 4, [1.0, 0.0, 0.0, 0.0]

    assert ask(mean_entropy, [tagging([even]), tagging([even, sure])]) == pytest.approx([0.0, 0.5])


def test_least_confidence_takes_the_sequence_probability_where_there_is_one():
    assert ask(least_confidence, [tagging([[0.9, 0.1]] * 2, 0.7)]) == pytest.approx([0.7])


def test_least_confidence_does_not_depend_on_length_otherwise():
    short, long = tagging([[0.8, 0.2]]), tagging([[0.8, 0.2]] * 30)

    assert ask(least_confidence, [short, long]) == pytest.approx([0.8, 0.8])


def test_every_strategy_of_the_settings_exists():
    choices = SuggestionSettings.model_fields["strategy"].annotation.__args__

    assert set(choices) == set(STRATEGIES)


def test_every_default_exists():
    assert set(DEFAULT_BY_COST_UNIT.values()) <= set(STRATEGIES)


def test_longest_asks_for_the_text_with_most_tokens():
    short, long = tagging([[1.0, 0.0]]), tagging([[1.0, 0.0]] * 3)

    assert ask(longest, [short, long, NOTHING]).argsort().tolist() == [1, 0, 2]


def test_random_gives_another_order_with_another_seed():
    taggings = [NOTHING] * 20

    assert ask(random, taggings, 1).tolist() == ask(random, taggings, 1).tolist()
    assert ask(random, taggings, 1).tolist() != ask(random, taggings, 2).tolist()
