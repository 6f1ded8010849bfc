from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.tagger.crf_lattice import Lattice

NUMBERS = st.floats(-8, 8)


@st.composite
def chains(draw, longest=4, most_tags=3):
    """Sequences' scores and a lattice, in which some steps may be forbidden."""
    n_tags = draw(st.integers(1, most_tags))
    lengths = draw(st.lists(st.integers(1, longest), min_size=1, max_size=4))
    scores = draw(arrays(float, (sum(lengths), n_tags), elements=NUMBERS))
    transitions = draw(
        arrays(float, (n_tags, n_tags), elements=st.one_of(NUMBERS, st.just(-np.inf)))
    )
    transitions[:, 0] = np.maximum(transitions[:, 0], -8)  # the first tag may follow all
    starts = draw(arrays(float, n_tags, elements=NUMBERS))
    return starts, transitions, scores, lengths


def path_score(starts, transitions, scores, path):
    steps = sum(transitions[before, after] for before, after in pairwise(path))
    return starts[path[0]] + steps + sum(scores[place, tag] for place, tag in enumerate(path))


def split(values, lengths):
    return np.split(values, np.cumsum(lengths)[:-1])


@given(chains())
@settings(deadline=None, max_examples=200)
def test_it_finds_what_trying_every_path_finds(chain):
    starts, transitions, scores, lengths = chain
    decoded = Lattice(starts, transitions).decode(scores, lengths)

    parts = zip(
        split(scores, lengths),
        split(decoded.best, lengths),
        split(decoded.marginals, lengths),
        decoded.probabilities,
        strict=True,
    )
    for own, best, marginals, probability in parts:
        paths = list(product(range(len(starts)), repeat=len(own)))
        weights = np.array([path_score(starts, transitions, own, path) for path in paths])
        chances = np.exp(weights - weights.max())
        chances /= chances.sum()
        assert path_score(starts, transitions, own, tuple(best)) == pytest.approx(weights.max())
        assert probability == pytest.approx(chances.max(), abs=1e-9)
        for place, tag in product(range(len(own)), range(len(starts))):
            expected = sum(chances[i] for i, path in enumerate(paths) if path[place] == tag)
            assert marginals[place, tag] == pytest.approx(expected, abs=1e-9)


@given(chains(longest=40, most_tags=9))
@settings(deadline=None)
def test_neighbours_in_a_batch_change_nothing(chain):
    starts, transitions, scores, lengths = chain
    lattice = Lattice(starts, transitions)
    together = lattice.decode(scores, lengths)

    for own, best, marginals, probability in zip(
        split(scores, lengths),
        split(together.best, lengths),
        split(together.marginals, lengths),
        together.probabilities,
        strict=True,
    ):
        alone = lattice.decode(own, [len(own)])
        np.testing.assert_array_equal(alone.best, best)
        np.testing.assert_allclose(alone.marginals, marginals, atol=1e-9)
        np.testing.assert_allclose(alone.probabilities, probability, atol=1e-9)


def test_nothing_is_decoded_as_nothing():
    decoded = Lattice(np.zeros(2), np.zeros((2, 2))).decode(np.empty((0, 2)), [])

    assert decoded.best.shape == (0,)
    assert decoded.marginals.shape == (0, 2)
    assert decoded.probabilities.shape == (0,)


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e3, 1e6, 1e300])
def test_scores_of_any_size_give_probabilities(scale):
    scores = scale * np.random.default_rng(0).normal(size=(1_000, 5))
    decoded = Lattice(np.zeros(5), np.zeros((5, 5))).decode(scores, [999, 1])

    np.testing.assert_allclose(decoded.marginals.sum(axis=1), 1)
    assert ((decoded.probabilities >= 0) & (decoded.probabilities <= 1)).all()


def test_a_forbidden_step_is_never_taken_however_likely_its_ends_are():
    starts, steps = np.array([0.0, -np.inf]), np.array([[0.0, -np.inf], [0.0, 0.0]])
    decoded = Lattice(starts, steps).decode(np.array([[0.0, 9.0]] * 3), [3])

    assert decoded.best.tolist() == [0, 0, 0]
    assert decoded.marginals[:, 1].tolist() == [0, 0, 0]
