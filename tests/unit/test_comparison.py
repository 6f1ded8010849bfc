import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InputError
from backend.quality.comparison import (
    compare_with_best,
    holm,
    paired_difference,
    permutation_p_value,
)


def annotator(rng, right, texts=60):
    """Counts of somebody who finds each of four spans a text with some probability."""
    found = rng.binomial(4, right, size=texts)
    return np.stack([found, 4 - found, 4 - found], axis=1).astype(float)


def test_a_much_better_annotator_is_found():
    rng = np.random.default_rng(0)
    good, bad = [annotator(rng, 0.9)], [annotator(rng, 0.5)]
    assert permutation_p_value(good, bad, rng) < 0.001
    difference = paired_difference(good, bad, rng)
    assert 0.2 < difference.low < difference.value < difference.high < 0.5


def test_equals_differ_as_seldom_as_the_level_says():
    rng = np.random.default_rng(1)
    found = sum(
        permutation_p_value([annotator(rng, 0.6)], [annotator(rng, 0.6)], rng, swaps=199) <= 0.1
        for _ in range(300)
    )
    assert 0.05 <= found / 300 <= 0.15


def test_the_same_answers_are_no_difference_at_all():
    rng = np.random.default_rng(2)
    same = [annotator(rng, 0.7), annotator(rng, 0.3)]
    assert permutation_p_value(same, same, rng) == 1
    assert paired_difference(same, same, rng).width == 0


def test_languages_weigh_the_same_whatever_their_size():
    rng = np.random.default_rng(3)
    perfect, blank = np.array([[4.0, 0, 0]]), np.array([[0.0, 0, 4]])
    first = [np.repeat(perfect, 500, axis=0), np.repeat(blank, 5, axis=0)]
    second = [np.repeat(blank, 500, axis=0), np.repeat(perfect, 5, axis=0)]
    assert paired_difference(first, second, rng).value == 0


def test_swaps_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch):
    rng = np.random.default_rng(4)
    first, second = [annotator(rng, 0.6)], [annotator(rng, 0.5)]
    whole = permutation_p_value(first, second, np.random.default_rng(5), swaps=99)
    monkeypatch.setattr("backend.quality.comparison._SWAPS_AT_ONCE", 600)
    assert permutation_p_value(first, second, np.random.default_rng(5), swaps=99) == whole


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    by_p = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


def test_holm_is_the_textbooks():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_the_best_is_compared_with_each_other_one():
    rng = np.random.default_rng(6)
    scores = [(name, [annotator(rng, right)]) for name, right in (("a", 0.9), ("b", 0.88))]
    scores.append(("c", [annotator(rng, 0.4)]))
    near, far = compare_with_best(scores, rng)
    assert (near.first, near.second, far.second) == ("a", "b", "c")
    assert far.is_significant()
    assert not near.is_significant()


def test_different_texts_cannot_be_compared():
    rng = np.random.default_rng(7)
    with pytest.raises(InputError, match="same texts"):
        permutation_p_value([np.ones((3, 3))], [np.ones((2, 3))], rng)
