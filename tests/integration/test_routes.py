"""Routes in the live loop: audits on a real store decide which answers stand."""

from dataclasses import replace

import pytest
from audited_workspace import gold_of, open_audited_workspace, text_of

from backend import loop
from backend.domain import Route, Span
from backend.quality.audit import is_audited
from backend.settings import RoutingSettings
from backend.testing.annotators import FakeAnnotator
from backend.text.spans import Mention

TASKS, SHARE = 600, 0.3
AUDITED = [number for number in range(TASKS) if is_audited(text_of(number), SHARE)]


def as_it_is(text):
    return [Mention(text[s.start : s.end], s.label, confidence=0.9) for s in gold_of(text)]


@pytest.fixture
def work(tmp_path):
    """Every text is answered rightly, and people label nearly all that are audited."""
    work = open_audited_workspace(tmp_path, TASKS, SHARE)
    return replace(work, annotator=FakeAnnotator(as_it_is))


def label(work, numbers, spans_of=gold_of, lead_time=None):
    for number in numbers:
        work.tool.annotate(str(number), spans_of(text_of(number)))


def test_before_any_audit_humans_label_everything(work):
    report = loop.begin(work)

    routes = work.tasks.routes()
    assert set(routes.values()) == {Route.HUMAN, Route.AUDIT}
    assert {int(task_id) for task_id, route in routes.items() if route is Route.AUDIT} == set(
        AUDITED
    )
    assert report.routing.startswith(f"{TASKS - len(AUDITED)} human, {len(AUDITED)} audit: ")


def test_answers_that_audits_prove_right_stand_and_come_last_in_the_tool(work):
    loop.begin(work)
    label(work, AUDITED[:-5])

    loop.play_round(work)

    routes = work.tasks.routes()
    served = work.tool.suggestions(work.tool.version)
    standing = {task_id for task_id, route in routes.items() if route is Route.LLM}
    assert standing == {str(n) for n in range(TASKS)} - {str(n) for n in AUDITED}
    assert min(served[task_id].confidence for task_id in standing) > max(
        served[str(number)].confidence for number in AUDITED[-5:]
    )


def test_answers_that_audits_prove_wrong_do_not(work):
    loop.begin(work)
    label(work, AUDITED, lambda text: (Span(0, 1, "LOC"),))

    loop.play_round(work)

    assert Route.LLM not in work.tasks.routes().values()


def test_labels_made_with_the_answer_in_view_prove_nothing(work):
    loop.begin(work)
    label(work, [number for number in range(TASKS) if number not in AUDITED][:300])

    loop.play_round(work)

    assert Route.LLM not in work.tasks.routes().values()


def test_when_the_minutes_are_spent_the_rest_waits(work):
    work = replace(work, routing=RoutingSettings(human_minutes=0.0))

    loop.begin(work)

    assert set(work.tasks.routes().values()) == {Route.LATER}
