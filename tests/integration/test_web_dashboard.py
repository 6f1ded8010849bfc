"""The pages for people, whatever titles, labels and messages come from outside."""

import re
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from web_backend import CONFIG, WebBackend, raw_task

from backend.domain import (
    Answer,
    JobKind,
    JobState,
    Outcome,
    PaidCall,
    Rejection,
    RoundReport,
    Route,
    Source,
    SourceKind,
    Span,
    SpanScores,
    Suggestion,
    Task,
    Usage,
)
from backend.store.money import SqlLedger
from backend.store.rounds import SqlRoundRecords
from backend.store.tasks import SqlTaskRecords
from backend.web.dashboard import HEIGHT, WIDTH, learning_curves

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture
def backend(tmp_path):
    with WebBackend(tmp_path) as backend:
        yield backend


def play(backend, project, *rounds):
    records = SqlRoundRecords(backend.services.database, project.id)
    for report in rounds:
        records.keep(report)


FIRST = RoundReport(0, labels=0, preferred=SourceKind.LLM)
SECOND = RoundReport(
    1, labels=50, training=40, held_out=10, tagger=SpanScores(5, 5, 5), llm=SpanScores(6, 4, 4),
    shown=SpanScores(6, 4, 4), model=1, promoted=True, reason="first tagger", reordered=37,
    llm_labels=150, mixture="150 LLM labels as-given: as the settings say",
)  # fmt: skip
THIRD = RoundReport(
    2, labels=100, training=80, held_out=20, tagger=SpanScores(8, 2, 2), llm=SpanScores(6, 4, 4),
    shown=SpanScores(8, 2, 2), model=2, promoted=False, reason="held-out F1 would fall",
)  # fmt: skip


class TestProjects:
    def test_without_a_project_it_says_how_to_connect_one(self, backend):
        page = backend.client.get("/")

        assert page.status_code == 200
        assert "harambee label-studio connect" in page.text

    def test_a_project_shows_tasks_version_answers_spend_and_what_waits(self, backend):
        project = backend.know(12, name="Habari za Kisumu")
        backend.remember_tasks(project, raw_task(1, "Kisumu"), raw_task(2, "Thandi"))
        backend.suggestions(project).serve("harambee-v4")
        failed = Answer("1", Outcome.REFUSED, rejected=(Rejection("x", "PER", "not there"),))
        backend.suggestions(project).keep_answer(failed)
        ledger = SqlLedger(backend.services.database, Decimal(5))
        call = PaidCall(project.id, "openai", "gpt-6-luna", "entities-v1", ("1",))
        ledger.settle(ledger.reserve(call, Decimal("0.5")), "refused", Usage(1, 1), Decimal("0.25"))
        backend.services.inbox(project.id).put("ANNOTATION_CREATED", ["1"], ["1"])

        text = visible(backend.client.get("/").text)

        assert "Habari za Kisumu project 12, serving harambee-v4" in text
        assert "0 of 2 tasks labelled" in text
        assert "1 refused; 1 mentions rejected; $0.2500 of $5.00 spent; 1 changes waiting" in text

    def test_every_project_has_a_section(self, backend):
        backend.know(1, name="Hausa")
        backend.know(2, name="Yorùbá")

        page = backend.client.get("/").text

        assert page.count("<section>") == 2
        assert "Yorùbá" in page

    def test_rounds_show_scores_and_why_a_tagger_was_not_promoted(self, backend):
        play(backend, backend.know(), FIRST, SECOND, THIRD)

        text = visible(backend.client.get("/").text)

        assert "1 50 150 10 50.0 60.0 60.0 yes 37 $0.0000 first tagger" in text
        assert "2 100 0 20 80.0 60.0 80.0 no 0 $0.0000 held-out F1 would fall" in text
        assert "Learnt from 150 LLM labels as-given: as the settings say." in text

    def test_what_the_last_round_advises_is_said(self, backend):
        play(backend, backend.know(), FIRST, replace(SECOND, advice="Labelling on: +0.4 F1."))

        assert "Labelling on: +0.4 F1." in visible(backend.client.get("/").text)

    def test_jobs_show_how_far_they_are_and_why_they_failed(self, backend):
        project = backend.know()
        jobs = backend.services.jobs
        jobs.enqueue(JobKind.LEARN, project.id)
        jobs.finish(jobs.claim([JobKind.LEARN], 60), JobState.FAILED, "No token is set.")
        jobs.enqueue(JobKind.BEGIN, project.id)
        jobs.report(jobs.claim([JobKind.BEGIN], 60), 40, 100, "scoring the pool")

        text = visible(backend.client.get("/").text)

        assert "failed No token is set." in text
        assert "running scoring the pool 40/100" in text


class TestLearningCurve:
    def test_two_measured_rounds_are_drawn_inside_the_picture(self, backend):
        play(backend, backend.know(), SECOND, THIRD)

        svg = picture(backend.client.get("/").text)

        lines = {line[0].text: line.get("points") for line in svg.findall("polyline")}
        assert lines["tagger"] == f"{WIDTH / 2},{HEIGHT / 2} {WIDTH:.1f},{HEIGHT * 0.2:.1f}"
        assert set(lines) == {"tagger", "LLM", "shown"}

    def test_one_round_is_no_curve(self, backend):
        play(backend, backend.know(), FIRST)

        assert "<svg" not in backend.client.get("/").text

    def test_a_source_that_was_never_measured_has_no_line(self, backend):
        without_llm = [RoundReport(n, labels=n, tagger=SpanScores(1, 1, 1)) for n in (1, 2)]
        play(backend, backend.know(), *without_llm)

        svg = picture(backend.client.get("/").text)

        assert [line[0].text for line in svg.findall("polyline")] == ["tagger"]

    def test_points_stay_in_the_picture_for_the_worst_and_the_best_scores(self):
        rounds = [
            RoundReport(0, labels=0, tagger=SpanScores(0, 1, 1)),
            RoundReport(1, labels=10, tagger=SpanScores(1, 0, 0)),
        ]

        tagger = learning_curves(rounds)[0]

        assert tagger.points == f"0.0,{HEIGHT:.1f} {WIDTH:.1f},0.0"

    def test_rounds_without_labels_divide_by_nothing(self):
        assert [curve.points for curve in learning_curves([FIRST])] == ["", "", ""]


class TestSuggestionsOfATask:
    def test_both_sources_are_shown_with_model_and_prompt(self, backend):
        project = backend.know(3)
        backend.remember_llm(project, 8, (0, 6, "PER"), (20, 26, "LOC"))
        tagged = Suggestion("8", (Span(0, 6, "LOC"),), 0.31, Source(SourceKind.TAGGER, "crf-2"))
        backend.suggestions(project).keep([tagged])

        text = visible(backend.client.get("/projects/3/tasks/8").text)

        assert "llm gpt-6-luna entities-v1 0.70 PER 0–6, LOC 20–26" in text
        assert "tagger crf-2 – 0.31 LOC 0–6" in text

    def test_who_is_to_label_it_is_said_while_it_is_queued(self, backend):
        project = backend.know(3)
        tasks = SqlTaskRecords(backend.services.database, project.id)
        tasks.replace_tasks([Task("8", "Amina went")])
        tasks.set_routes({"8": Route.LATER})

        assert "Route: later." in visible(backend.client.get("/projects/3/tasks/8").text)
        assert "Route" not in visible(backend.client.get("/projects/3/tasks/9").text)

    def test_an_answer_without_spans_says_none(self, backend):
        backend.remember_llm(backend.know(3), 8)

        assert "0.70 none" in visible(backend.client.get("/projects/3/tasks/8").text)

    def test_a_task_nobody_has_answered_says_so(self, backend):
        backend.know(3)

        page = backend.client.get("/projects/3/tasks/8")

        assert page.status_code == 200
        assert "Nobody has suggested anything" in page.text

    def test_a_project_that_is_not_connected_is_not_found(self, backend):
        page = backend.client.get("/projects/3/tasks/8")

        assert page.status_code == 404
        assert "not connected" in page.json["error"]

    @pytest.mark.parametrize("task", ["x", "<b>", "..%2f..%2fetc", "-1", "1.5"])
    def test_an_id_that_is_no_number_is_not_found(self, backend, task):
        backend.know(3)

        assert backend.client.get(f"/projects/3/tasks/{task}").status_code == 404


class TestHostileValues:
    def test_titles_reasons_messages_and_labels_are_text_on_the_overview(self, backend):
        project = backend.know(1, name=HOSTILE)
        play(backend, project, RoundReport(0, reason=HOSTILE))
        jobs = backend.services.jobs
        jobs.enqueue(JobKind.LEARN, project.id)
        jobs.finish(jobs.claim([JobKind.LEARN], 60), JobState.FAILED, HOSTILE)

        page = backend.client.get("/").text

        assert "<script>" not in page
        assert page.count(ESCAPED) == 3
        assert "{{7*7}}" in page

    def test_titles_labels_and_models_are_text_on_a_tasks_page(self, backend):
        project = backend.know(1, CONFIG, name=HOSTILE)
        source = Source(SourceKind.LLM, HOSTILE, HOSTILE)
        backend.suggestions(project).keep([Suggestion("1", (Span(0, 1, HOSTILE),), 0.5, source)])

        page = backend.client.get("/projects/1/tasks/1").text

        assert "<script>" not in page
        assert page.count(ESCAPED) == 5


def visible(page):
    """The text of a page, its white space collapsed."""
    body = page.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def picture(page):
    """The drawing of a page, as XML."""
    return ET.fromstring(page[page.index("<svg") : page.index("</svg>") + len("</svg>")])
