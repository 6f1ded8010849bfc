from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.live_routing import (
    audits_of,
    in_routed_order,
    in_words,
    minutes_left,
    queued_tasks,
)
from backend.active_learning.risk_control import Goal
from backend.active_learning.routing import plan_routes
from backend.domain import (
    Annotation,
    LabelScheme,
    Route,
    Source,
    SourceKind,
    Span,
    Suggestion,
    Task,
)
from backend.quality.audit import is_audited

SCHEME = LabelScheme(("PER",))
LLM = Source(SourceKind.LLM, "fake", "v1")
SHARE = 0.3
TASKS = [Task(str(number), f"Amina went {number} times", "zul") for number in range(40)]
AUDITED = [task for task in TASKS if is_audited(task.text, SHARE)]


def answer(task, confidence=0.8):
    return Suggestion(task.id, (Span(0, 5, "PER", confidence),), confidence, LLM)


def note(task, spans=(), lead_time=None):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Annotation(f"a{task.id}", task.id, spans, "Wanjiru", now, lead_time=lead_time)


class TestTheQueue:
    def test_tasks_carry_their_answers_and_whether_they_are_audited(self):
        queued = queued_tasks(TASKS, {"3": answer(TASKS[3])}, [], SHARE)

        assert [item.task_id for item in queued] == [task.id for task in TASKS]
        assert queued[3].spans == answer(TASKS[3]).spans
        assert queued[4].spans is None
        assert {item.task_id for item in queued if item.blind} == {task.id for task in AUDITED}

    def test_prices_are_minutes_and_long_texts_cost_more(self):
        short, long = Task("1", "word " * 3), Task("2", "word " * 300)
        labelled = [(Task(str(n), "word " * n), note(TASKS[0], (), 2.0 * n)) for n in range(5, 40)]

        prices = [item.price for item in queued_tasks([short, long], {}, labelled, 0)]

        assert prices == pytest.approx([6 / 60, 600 / 60], rel=0.1)

    def test_an_empty_pool_is_an_empty_queue(self):
        assert queued_tasks([], {}, [], SHARE) == []


class TestAudits:
    def test_only_texts_drawn_for_the_audit_and_labelled_blind_count(self):
        labelled = [(task, note(task)) for task in TASKS]
        answers = {task.id: answer(task) for task in TASKS}
        blind = {task.id for task in TASKS} - {AUDITED[0].id}

        audits = audits_of(labelled, answers, blind, SCHEME, SHARE)

        assert [item.answer.task_id for item in audits] == [task.id for task in AUDITED[1:]]

    def test_impossible_spans_of_the_tool_are_no_gold(self):
        task = AUDITED[0]
        labelled = [(task, note(task, (Span(0, 5, "PER"), Span(2, 999, "PER"))))]

        (audit,) = audits_of(labelled, {task.id: answer(task)}, {task.id}, SCHEME, SHARE)

        assert audit.gold == (Span(0, 5, "PER"),)


class TestTheBudget:
    def test_what_annotators_have_spent_is_taken_off(self):
        labelled = [(task, note(task, (), 90.0)) for task in TASKS[:4]]
        labelled.append((TASKS[5], note(TASKS[5])))

        assert minutes_left(10.0, labelled) == pytest.approx(4.0)

    def test_it_is_never_less_than_nothing_and_may_be_without_limit(self):
        assert minutes_left(1.0, [(TASKS[0], note(TASKS[0], (), 900.0))]) == 0
        assert minutes_left(None, []) is None


class TestTheOrder:
    @given(
        st.lists(st.tuples(st.floats(0, 1), st.sampled_from([*Route, None])), max_size=10),
    )
    def test_answers_that_stand_come_last_and_nothing_else_changes_place(self, items):
        suggestions = [answer(Task(str(n), ""), value) for n, (value, _) in enumerate(items)]
        routes = {str(n): way for n, (_, way) in enumerate(items) if way}

        ordered = in_routed_order(suggestions, routes)

        def side(stands):
            return [
                (before.confidence, after.confidence)
                for before, after in zip(suggestions, ordered, strict=True)
                if (routes.get(before.task_id) is Route.LLM) == stands
            ]

        first, last = side(False), side(True)
        assert all(0 <= item.confidence <= 1 for item in ordered)
        if last:
            assert all(after <= 0.9 for _, after in first)
            assert all(after >= 0.9 for _, after in last)
        for part in (first, last):
            assert sorted(part) == sorted(part, key=lambda pair: (pair[1], pair[0]))

    def test_where_nothing_stands_all_stay_as_they_are(self):
        suggestions = [answer(task) for task in TASKS]

        ordered = in_routed_order(suggestions, {"0": Route.HUMAN})

        assert [replace(item, route=None) for item in ordered] == suggestions

    def test_each_carries_its_route_or_none(self):
        ordered = in_routed_order([answer(task) for task in TASKS], {"0": Route.LATER})

        routes = {item.task_id: item.route for item in ordered}
        assert routes == {task.id: Route.LATER if task.id == "0" else None for task in TASKS}


def test_a_plan_is_told_in_numbers_and_with_its_reason():
    plan = plan_routes(queued_tasks(TASKS, {}, [], SHARE), [], Goal(), np.random.default_rng(0))

    told = in_words(plan)

    assert told.startswith(f"{len(TASKS) - len(AUDITED)} human, {len(AUDITED)} audit: ")
    assert told.endswith("humans label everything")
    assert in_words(plan_routes([], [], Goal(), np.random.default_rng(0))).startswith("nothing")
