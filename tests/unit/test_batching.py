"""Batches hold every row once, stay within their budget, and pad a row by what it is alone."""

from hypothesis import given
from hypothesis import strategies as st

from backend.tagger.batching import (
    WIDTH_STEP,
    equal_width_batches,
    length_buckets,
    padded,
    width_of,
)

LENGTHS = st.lists(st.integers(0, 60), max_size=60)
BUDGETS = st.integers(1, 300)


@given(LENGTHS, BUDGETS)
def test_buckets_hold_everything_once_within_the_token_budget(lengths, budget):
    buckets = length_buckets(lengths, budget)

    assert sorted(item for bucket in buckets for item in bucket) == list(range(len(lengths)))
    assert all(
        len(bucket) * max(lengths[item] for item in bucket) <= budget or len(bucket) == 1
        for bucket in buckets
    )


@given(LENGTHS, BUDGETS)
def test_batches_of_one_width_hold_everything_once_within_the_token_budget(lengths, budget):
    batches = equal_width_batches(lengths, budget)

    assert sorted(item for batch in batches for item in batch) == list(range(len(lengths)))
    for batch in batches:
        (width,) = {width_of(lengths[item]) for item in batch}
        assert len(batch) * width <= budget or len(batch) == 1


@given(st.integers(0, 500))
def test_a_width_is_the_least_multiple_that_holds_the_row(length):
    assert 0 <= width_of(length) - length < WIDTH_STEP
    assert width_of(length) % WIDTH_STEP == 0


def test_rows_are_filled_to_the_longest():
    assert padded([[1], [1, 2, 3], []], filler=0) == [[1, 0, 0], [1, 2, 3], [0, 0, 0]]


def test_rows_are_filled_to_a_multiple_of_the_step():
    assert padded([[1], [1, 2, 3]], filler=0, step=4) == [[1, 0, 0, 0], [1, 2, 3, 0]]
    assert padded([[1, 2]], filler=0, step=2) == [[1, 2]]
