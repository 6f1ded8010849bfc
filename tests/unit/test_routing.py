from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.risk_control import Goal
from backend.active_learning.routing import Audit, Queued, plan_routes
from backend.domain import Route, Span
from backend.errors import InputError

GOAL = Goal(wrong=0.05, risk=0.1)
NAME, DATE = Span(0, 5, "PER", 0.95), Span(6, 9, "DATE", 0.95)


def rng():
    return np.random.default_rng(0)


def queue(n, spans=(NAME,), start=0):
    return [Queued(str(number), spans) for number in range(start, start + n)]


def audits(n, spans=(NAME,), gold=(NAME,)):
    return [Audit(Queued(f"audit-{number}", spans), gold) for number in range(n)]


QUEUES = st.lists(
    st.builds(
        Queued,
        st.uuids().map(str),
        st.none() | st.sampled_from([(), (NAME,), (NAME, DATE)]),
        st.floats(0, 1),
        st.sampled_from([None, "zul", "bam"]),
        st.floats(0.1, 9),
        st.booleans(),
    ),
    max_size=12,
)


@given(QUEUES, st.integers(0, 20), st.none() | st.floats(0, 30))
def test_every_task_has_a_route_and_humans_stay_within_the_budget(tasks, n_audits, budget):
    plan = plan_routes(tasks, audits(n_audits), GOAL, rng(), budget)

    humans = [t for t in tasks if plan.routes[t.task_id] in {Route.HUMAN, Route.AUDIT}]
    assert set(plan.routes) == {task.task_id for task in tasks}
    assert plan.price == pytest.approx(sum(task.price for task in humans))
    assert budget is None or plan.price <= budget


@given(QUEUES)
def test_a_task_to_be_audited_is_never_left_to_the_llm(tasks):
    plan = plan_routes(tasks, audits(300), GOAL, rng())

    assert all(plan.routes[task.task_id] is Route.AUDIT for task in tasks if task.blind)


def test_answers_that_audits_prove_right_stand():
    plan = plan_routes(queue(10), audits(400), GOAL, rng())

    assert set(plan.routes.values()) == {Route.LLM}
    assert plan.price == 0
    assert "less than 5% of their claims are wrong" in plan.reason


def test_a_label_that_audits_prove_wrong_goes_to_humans_and_the_others_do_not():
    checked = audits(600) + audits(100, (DATE,), ())

    plan = plan_routes(queue(50) + queue(5, (DATE,), start=50), checked, GOAL, rng())

    by_label = [plan.routes[str(number)] for number in range(55)]
    assert set(by_label[:50]) == {Route.LLM}
    assert set(by_label[50:]) == {Route.HUMAN}


def test_an_empty_answer_is_a_claim_too():
    plan = plan_routes(queue(5, ()), audits(400, (), (NAME,)), GOAL, rng())

    assert set(plan.routes.values()) == {Route.HUMAN}


def test_too_few_audits_leave_everything_to_humans_and_say_so():
    plan = plan_routes(queue(5), audits(20), GOAL, rng())

    assert set(plan.routes.values()) == {Route.HUMAN}
    assert plan.limit is None
    assert "do not prove" in plan.reason


def test_a_task_without_an_answer_is_for_a_human():
    plan = plan_routes([*queue(5), Queued("x", None)], audits(400), GOAL, rng())

    assert plan.routes["x"] is Route.HUMAN


def test_beyond_the_budget_tasks_wait_the_least_doubtful_ones_first():
    sure, unsure = replace(NAME, score=0.99), replace(NAME, score=0.2)
    checked = audits(40, (sure,)) + audits(40, (unsure,), ())

    plan = plan_routes(queue(3, (sure,)) + queue(3, (unsure,), 3), checked, GOAL, rng(), budget=3)

    waiting = {task_id for task_id, route in plan.routes.items() if route is Route.LATER}
    assert waiting == {"0", "1", "2"}


def test_audits_are_paid_for_before_other_labels():
    tasks = [*queue(4), Queued("audited", (NAME,), blind=True)]

    plan = plan_routes(tasks, [], GOAL, rng(), budget=1)

    assert plan.routes["audited"] is Route.AUDIT


def test_the_cheaper_of_two_equally_doubtful_tasks_comes_first():
    dear, cheap = Queued("dear", (NAME,), price=9.0), Queued("cheap", (NAME,), price=2.0)

    plan = plan_routes([dear, cheap], [], GOAL, rng(), budget=9)

    assert (plan.routes["cheap"], plan.routes["dear"]) == (Route.HUMAN, Route.LATER)


def test_what_stands_holds_few_wrong_claims_as_often_as_promised():
    """From confidence to route: an overconfident LLM, one label of which is worse."""
    random = np.random.default_rng(3)

    def answers(n, name):
        for number in range(n):
            label = "DATE" if random.random() < 0.3 else "PER"
            score = random.uniform(0.6, 1)
            right = random.random() < (1 - 0.6 * (1 - score) - 0.3 * (label == "DATE"))
            answer = Queued(f"{name}{number}", (Span(0, 5, label, score),))
            yield Audit(answer, answer.spans if right else ())

    broken = 0
    for _ in range(30):
        pool = list(answers(1500, "q"))
        plan = plan_routes(
            [item.answer for item in pool], list(answers(500, "a")), Goal(0.1, 0.1), random
        )
        stands = [item for item in pool if plan.routes[item.answer.task_id] is Route.LLM]
        broken += bool(stands) and sum(not item.gold for item in stands) / len(stands) > 0.11

    assert broken / 30 <= 0.1


class TestLimits:
    def test_an_empty_queue_has_an_empty_plan(self):
        plan = plan_routes([], audits(5), GOAL, rng())

        assert (plan.routes, plan.price) == ({}, 0.0)

    @pytest.mark.parametrize("spans", [None, (), (NAME,), (NAME,) * 1000])
    def test_one_task_of_any_length(self, spans):
        assert set(plan_routes(queue(1, spans), audits(30), GOAL, rng()).routes) == {"0"}

    def test_no_budget_no_human(self):
        assert set(plan_routes(queue(3), [], GOAL, rng(), budget=0).routes.values()) == {
            Route.LATER
        }

    def test_an_answer_with_far_more_claims_than_usual_is_for_a_human(self):
        many = tuple(Span(i, i + 1, "PER", 0.95) for i in range(40))

        plan = plan_routes([*queue(50), Queued("long", many)], audits(600), GOAL, rng())

        assert plan.routes["long"] is Route.HUMAN

    @pytest.mark.parametrize(("price", "budget"), [(0.0, None), (-1.0, None), (1.0, -1.0)])
    def test_impossible_prices_are_refused(self, price, budget):
        with pytest.raises(InputError, match="prices above 0"):
            plan_routes([Queued("1", None, price=price)], [], GOAL, rng(), budget)
