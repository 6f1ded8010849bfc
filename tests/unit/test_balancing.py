from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.balancing import balanced
from backend.composing import slices_in_turn
from backend.domain import NO_SOURCE, Suggestion, Task

POOLS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abc")), max_size=30)
LABELLED = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9))


@given(POOLS, LABELLED)
def test_the_values_are_the_same_and_so_is_the_order_in_a_slice(pool, labelled):
    sure, slices = [value for value, _ in pool], [name for _, name in pool]

    found = balanced(sure, slices, labelled)

    assert sorted(found) == pytest.approx(sorted(sure), abs=2e-6)
    assert len(set(found)) == len(found)
    for name in set(slices):
        mine = [at for at, each in enumerate(slices) if each == name]
        ranked = sorted(mine, key=lambda at: sure[at])
        assert (np.diff(found[ranked]) >= 0).all()


@given(st.lists(st.sampled_from("abc"), max_size=30), LABELLED)
def test_who_has_fewest_labels_is_next(slices, labelled):
    sure = np.linspace(0, 1, len(slices))
    counts, left = Counter(labelled), Counter(slices)

    for at in np.argsort(balanced(sure, slices, labelled), kind="stable"):
        name = slices[at]
        assert counts[name] == min(counts[other] for other in left if left[other])
        counts[name] += 1
        left[name] -= 1


def test_tasks_without_the_entry_are_a_slice_of_their_own():
    dialects = ("north", "north", "south", None)
    tasks = [
        Task(str(at), "text", meta={"dialect": each} if each else {})
        for at, each in enumerate(dialects)
    ]
    shown = [Suggestion(task.id, (), at / 10, NO_SOURCE) for at, task in enumerate(tasks)]

    found = slices_in_turn(tasks, shown, tasks[:1], "dialect")

    order = sorted(found, key=lambda each: each.confidence)
    assert [each.task_id for each in order] == ["3", "2", "0", "1"]
    assert [each.task_id for each in found] == ["0", "1", "2", "3"]
