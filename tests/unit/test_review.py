"""Who is sent to review, and who has been reviewed, by nothing but the times of labels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.commands.crowd import to_decide
from backend.commands.label_errors import to_review
from backend.domain import ReviewItem, Sighting, Span, Task
from backend.laboratory.crowd import ProjectCrowd
from backend.laboratory.review import next_turn
from backend.quality.audit import is_audited
from backend.quality.crowd import Marked, aggregate
from backend.quality.crowd_report import adjudication_queue
from backend.quality.label_errors import Suspect

START = datetime(2026, 1, 1, tzinfo=UTC)
IDS = "abcdef"


def at(second):
    return START + timedelta(seconds=second)


def items(ids):
    return [ReviewItem(task_id, f"why {task_id}") for task_id in ids]


def waiting(turn):
    return "".join(item.task_id for item in turn.queue)


def turn(candidates, labelled, seen=None, most=10, done=0):
    times = {task_id: at(second) for task_id, second in labelled.items()}
    return next_turn(items(candidates), times, seen or {}, most, done=done)


class TestNextTurn:
    def test_the_most_urgent_are_sent_first_and_the_rest_is_left_for_later(self):
        found = turn("bca", {"a": 0, "b": 0, "c": 0}, most=2)

        assert (waiting(found), found.later, found.reviewed) == ("bc", 1, 0)

    def test_a_task_that_nobody_has_touched_stays_in_the_queue(self):
        first = turn("ab", {"a": 0, "b": 0})

        assert waiting(turn("ab", {"a": 0, "b": 0}, first.sightings)) == "ab"

    def test_a_task_that_was_submitted_again_leaves_even_if_it_is_still_suspected(self):
        first = turn("ab", {"a": 0, "b": 0})

        second = turn("ab", {"a": 5, "b": 0}, first.sightings)

        assert (waiting(second), second.reviewed) == ("b", 1)

    def test_a_reviewed_task_stays_out(self):
        first = turn("ab", {"a": 0, "b": 0})
        second = turn("ab", {"a": 5, "b": 0}, first.sightings)

        assert waiting(turn("ab", {"a": 5, "b": 0}, second.sightings)) == "b"

    def test_a_reviewed_task_whose_labels_change_again_is_looked_at_anew(self):
        first = turn("a", {"a": 0})
        second = turn("a", {"a": 5}, first.sightings)

        assert waiting(turn("a", {"a": 9}, second.sightings)) == "a"

    def test_a_reviewed_task_is_remembered_while_it_is_no_candidate(self):
        first = turn("a", {"a": 0})
        second = turn("a", {"a": 5}, first.sightings)
        third = turn("b", {"a": 5, "b": 0}, second.sightings)

        assert waiting(turn("ab", {"a": 5, "b": 0}, third.sightings)) == "b"

    def test_a_task_that_waits_no_more_may_be_labelled_without_counting_as_reviewed(self):
        first = turn("ab", {"a": 0, "b": 0})
        second = turn("b", {"a": 0, "b": 0}, first.sightings)

        assert waiting(turn("ab", {"a": 5, "b": 0}, second.sightings)) == "ab"

    def test_the_first_of_the_queue_can_be_said_to_be_right_as_they_are(self):
        labelled = dict.fromkeys("abcd", 0)
        first = turn("dbca", labelled, most=3)

        second = turn("abcd", labelled, first.sightings, most=3, done=2)

        assert (waiting(second), second.reviewed) == ("ac", 2)
        assert waiting(turn("dbca", labelled, second.sightings)) == "ca"

    def test_what_was_not_in_the_queue_is_not_done_with_it(self):
        assert waiting(turn("ab", {"a": 0, "b": 0}, done=2)) == "ab"

    def test_a_task_that_lost_its_labels_is_passed_over_and_forgotten(self):
        found = turn("ab", {"b": 0}, {"a": Sighting(at(0))})

        assert (waiting(found), set(found.sightings)) == ("b", {"b"})

    @given(
        candidates=st.permutations(IDS),
        labelled=st.dictionaries(st.sampled_from(IDS), st.integers(0, 3)),
        seen=st.dictionaries(
            st.sampled_from(IDS),
            st.builds(Sighting, st.integers(0, 3).map(at), st.integers(0, 6), st.booleans()),
        ),
        most=st.integers(0, 6),
    )
    def test_a_second_turn_without_any_change_is_the_same(self, candidates, labelled, seen, most):
        first = turn(candidates, labelled, seen, most)

        assert turn(candidates, labelled, first.sightings, most) == first
        assert len(first.queue) + first.later + first.reviewed == len(labelled)


class TestWhatIsSent:
    TASKS = {str(n): Task(str(n), f"Lagos on trip {n}") for n in range(40)}  # noqa: RUF012 - read only
    SHARE = 0.3

    def blind(self):
        return {key for key, task in self.TASKS.items() if is_audited(task.text, self.SHARE)}

    def test_doubtful_labels_of_audited_texts_stay_out(self):
        suspects = [Suspect(key, 0, 5, None, "LOC", 0.01) for key in self.TASKS]

        sent = to_review(suspects, self.TASKS, self.SHARE)

        assert [item.task_id for item in sent] == [k for k in self.TASKS if k not in self.blind()]
        assert sent[0].reason == "'Lagos' is labelled as nothing, expected LOC (believed 1.0%)"

    def test_contested_texts_go_out_with_what_people_say(self):
        sent = to_decide(self.crowd(), self.TASKS, 0.0)

        assert {item.task_id for item in sent} == set(self.TASKS)
        assert sent[0].reason.startswith("'Lagos': ada LOC, ben nothing; probably ")

    def test_contested_texts_that_are_audited_stay_out_where_the_llm_votes(self):
        sent = to_decide(self.crowd(), self.TASKS, self.SHARE)

        assert {item.task_id for item in sent} == set(self.TASKS) - self.blind()

    def crowd(self):
        said = {"ada": (Span(0, 5, "LOC"),), "ben": ()}
        crowd = aggregate([Marked(key, said) for key in self.TASKS], ("LOC",))
        shared = len(self.TASKS)
        return ProjectCrowd(shared, shared, crowd, (), {}, {}, tuple(adjudication_queue(crowd)))
