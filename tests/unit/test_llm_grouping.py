from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Task
from backend.llm.grouping import grouped


def tasks(*texts: str, language: str | None = None) -> list[Task]:
    return [Task(str(number), text, language) for number, text in enumerate(texts)]


def texts_in(groups) -> list[list[str]]:
    return [[task.text for task in group] for group in groups]


def test_tasks_are_grouped_in_their_order():
    assert texts_in(grouped(tasks("a", "b", "c", "d", "e"), 2)) == [["a", "b"], ["c", "d"], ["e"]]


def test_a_group_has_texts_of_one_language():
    mixed = [Task(str(n), f"text {n}", ("hau", "ibo")[n % 2]) for n in range(8)]
    groups = list(grouped(mixed, 4))
    assert [{task.language for task in group} for group in groups] == [{"hau"}, {"ibo"}]


def test_a_group_is_bounded_by_its_characters():
    assert texts_in(grouped(tasks("aaaa", "bbbb", "cccc"), 9, 8)) == [["aaaa", "bbbb"], ["cccc"]]


def test_a_long_or_blank_text_stands_alone():
    groups = texts_in(grouped(tasks("a", "bbbbbbbbb", " ", "c"), 9, 8))
    assert groups == [["bbbbbbbbb"], [" "], ["a", "c"]]


def test_no_more_tasks_are_taken_than_a_group_needs():
    taken = []
    groups = grouped((taken.append(task) or task for task in tasks(*"abcdefgh")), 3)
    next(groups)
    assert len(taken) == 3


@given(st.lists(st.tuples(st.text(max_size=20), st.sampled_from([None, "hau", "ibo"]))))
def test_every_task_is_in_exactly_one_group(drawn):
    given_tasks = [Task(str(n), text, language) for n, (text, language) in enumerate(drawn)]
    found = [task for group in grouped(given_tasks, 3, 30) for task in group]
    assert sorted(found, key=lambda task: int(task.id)) == given_tasks
