"""Labels go to review and come back, in a real store and the in-memory tool."""

from __future__ import annotations

import pytest
from audited_workspace import gold_of, open_audited_workspace

from backend import loop
from backend.domain import ReviewItem, ReviewKind, Span
from backend.laboratory.review import send_to_review
from backend.store.database import Database
from backend.store.reviews import SqlReviewRecords

KIND = ReviewKind.LABEL_ERRORS
TASKS = 6


@pytest.fixture
def work(tmp_path):
    """A project in which everything is labelled."""
    work = open_audited_workspace(tmp_path, TASKS, share=0.0)
    for task in list(work.tool.tasks()):
        work.tool.annotate(task.id, gold_of(task.text))
    return work


@pytest.fixture
def records(work, tmp_path):
    return SqlReviewRecords(Database(f"sqlite:///{tmp_path / 'store.sqlite3'}"), 1)


@pytest.fixture
def send(work, records):
    def send(*task_ids, most=10):
        loop.pull(work)
        items = [ReviewItem(str(task_id), "look again") for task_id in task_ids]
        return send_to_review(work, records, KIND, items, most)

    return send


@pytest.fixture
def label_of(work):
    def label_of(task_id):
        (annotation,) = work.tool.accepted([str(task_id)])
        return annotation

    return label_of


@pytest.fixture
def waiting(work):
    return lambda: [item.task_id for item in work.tool.to_review(KIND)]


def test_the_tool_shows_what_was_sent_in_its_order(send, waiting):
    sent = send(3, 0, 5, most=2)

    assert waiting() == ["3", "0"]
    assert (sent.queue.tasks, sent.later) == (2, 1)


def test_a_corrected_label_leaves_the_queue(work, send, waiting, label_of):
    send(3, 0)
    work.tool.correct(label_of(3).id, [Span(0, 3, "LOC")])

    sent = send(3, 0)

    assert waiting() == ["0"]
    assert (sent.queue.left, sent.reviewed) == (1, 1)


def test_a_confirmed_label_leaves_the_queue_and_makes_room(work, send, waiting, label_of):
    send(3, 0, 5, most=2)
    work.tool.correct(label_of(3).id, label_of(3).spans)

    send(3, 0, 5, most=2)

    assert waiting() == ["0", "5"]


def test_a_reviewed_label_comes_back_only_when_it_changes_once_more(work, send, waiting, label_of):
    send(3)
    work.tool.correct(label_of(3).id, label_of(3).spans)
    send(3)
    send(3)
    assert waiting() == []

    work.tool.correct(label_of(3).id, [])
    send(3)

    assert waiting() == ["3"]


def test_a_deleted_label_is_no_longer_to_be_reviewed(work, send, waiting, label_of):
    send(3, 0)
    work.tool.delete_annotation(label_of(3).id)

    send(3, 0)

    assert waiting() == ["0"]


def test_a_sending_that_was_cut_off_is_done_again(work, send, waiting, monkeypatch):
    def unplugged(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(work.tool, "review", unplugged)
        with pytest.raises(KeyboardInterrupt):
            send(3, 0)

    sent = send(3, 0)

    assert waiting() == ["3", "0"]
    assert sent.reviewed == 0
