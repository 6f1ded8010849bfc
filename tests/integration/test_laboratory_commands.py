"""``harambee audit``, ``crowd`` and ``label-errors`` on a project in a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from scripted_http import ScriptedServer
from typer.testing import CliRunner
from web_backend import WebBackend, raw_task

from backend.cli import app
from backend.domain import Annotation, Span
from backend.quality.audit import is_audited

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho")


def text_of(number):
    return f"{NAMES[number % 6]} visited Lagos on trip {number}"


def gold_of(number):
    name = NAMES[number % 6]
    at = len(name) + len(" visited ")
    return Span(0, len(name), "PER"), Span(at, at + 5, "LOC")


@pytest.fixture
def project(tmp_path):
    """A project of 400 tasks that an LLM has answered; gives the backend and the project."""
    with WebBackend(tmp_path) as backend:
        known = backend.know(number=7)
        backend.remember_tasks(known, *[raw_task(n, text_of(n)) for n in range(400)])
        for number in range(400):
            person, place = gold_of(number)
            found = (person, place) if number % 3 else (person,)
            spans = [(span.start, span.end, span.label) for span in found]
            backend.remember_llm(known, number, *spans)
        yield backend, known


@pytest.fixture
def run(tmp_path):
    def run(*arguments, **environment):
        settings = {"HARAMBEE_STORE__DATA_DIR": str(tmp_path / "data")} | environment
        return CliRunner().invoke(app, [*arguments, "--project", "7"], env=settings)

    return run


def label(project, numbers, spans_of=gold_of, by="ada", seconds=12.0):
    backend, known = project
    notes = [
        Annotation(
            f"{number}{by}", str(number), tuple(spans_of(number)), by, START, lead_time=seconds
        )
        for number in numbers
    ]
    standing = [note for _, told in backend.tasks(known).annotated() for note in told]
    moment = START + timedelta(minutes=1 + len(standing))
    backend.tasks(known).replace_annotations([*standing, *notes], moment, None)


def said(result):
    return " ".join(result.output.split())


class TestAudit:
    def test_it_says_how_good_the_llm_is_and_how_sure_that_is(self, project, run):
        label(project, [n for n in range(400) if is_audited(text_of(n), 0.2)])

        result = run("audit", HARAMBEE_AUDIT__SHARE="0.2")

        assert result.exit_code == 0, result.output
        assert "agreement" not in said(result)
        assert "LLM gpt-6-luna" in said(result)
        assert "100.0 (" in said(result)
        assert "audited texts are labelled, of 400 texts in all" in said(result)

    def test_the_same_as_a_report(self, project, run, tmp_path):
        label(project, [n for n in range(400) if is_audited(text_of(n), 0.2)])

        result = run("audit", "--out", str(tmp_path / "out"), HARAMBEE_AUDIT__SHARE="0.2")

        assert result.exit_code == 0, result.output
        content = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
        (llm,) = content["results"]["sources"]
        assert 0.6 < llm["scores"]["recall"]["interval"]["value"] < 1
        assert set(llm["by_label"]) == {"PER", "LOC"}
        assert "<table" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    def test_before_any_label_it_says_what_to_do(self, project, run):
        assert "label some of them" in said(run("audit"))

    def test_without_an_audit_it_says_how_to_have_one(self, project, run):
        result = run("audit", HARAMBEE_AUDIT__SHARE="0")

        assert result.exit_code == 1
        assert "audit.share is 0" in result.stderr


class TestCrowd:
    def test_it_compares_annotators_and_lists_what_they_disagree_on(self, project, run):
        for by in ("ada", "ben", "cid"):
            label(project, range(40), by=by)
        label(project, range(40), spans_of=lambda number: [], by="idle", seconds=1.0)

        result = run("crowd", "--contested", "2")

        assert result.exit_code == 0, result.output
        rows = {line.split()[0]: line for line in result.output.splitlines() if line.split()}
        assert "suspect" in rows["idle"]
        assert "suspect" not in rows["ada"]
        assert "40 tasks are labelled, 40 of them by several people" in said(result)
        assert "/projects/7/data?task=" in result.output
        assert "'Lagos': ada LOC, ben LOC, cid LOC, idle nothing; probably LOC" in said(result)

    def test_the_llm_can_be_judged_beside_them(self, project, run):
        for by in ("ada", "ben"):
            label(project, range(40), by=by)

        assert "LLM" in said(run("crowd", "--llm"))
        assert "LLM" not in said(run("crowd"))

    def test_the_same_as_a_report(self, project, run, tmp_path):
        for by in ("ada", "ben", "<b>cid</b>"):
            label(project, range(40), by=by)
        label(project, range(40), spans_of=lambda number: [], by="idle")

        result = run("crowd", "--llm", "--out", str(tmp_path / "out"))

        assert result.exit_code == 0, result.output
        page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert "<svg" in page
        assert "<b>cid</b>" not in page
        assert "idle is suspect" in page
        content = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
        found = content["results"]
        assert content["provenance"]["model"] == "gpt-6-luna"
        assert {one["name"]: one["spammer"] for one in found["annotators"]}["idle"]
        assert len(found["agreement"]) == 10
        assert len(found["queue"]) == 40
        place = found["queue"][0]["places"][0]
        assert place["votes"]["idle"] == "nothing"
        assert sum(place["probabilities"].values()) == pytest.approx(1)

    def test_one_annotator_cannot_be_compared(self, project, run):
        label(project, range(10))

        assert "annotators cannot be compared" in said(run("crowd"))

    def test_without_a_label_there_is_nobody_to_judge(self, project, run):
        result = run("crowd")

        assert result.exit_code == 1
        assert "nobody to judge" in result.stderr


class TestNames:
    @pytest.fixture
    def label_studio(self):
        server = ScriptedServer()
        server.answer = lambda *request: (200, [{"id": "ada", "email": "ada@example.org"}])
        yield server
        server.stop()

    def crowd(self, run, server):
        settings = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": "a" * 40}
        return run("crowd", "--contested", "0", **settings)

    def test_annotators_go_by_what_the_tool_calls_them(self, project, run, label_studio):
        for by in ("ada", "ben"):
            label(project, range(20), by=by)

        told = said(self.crowd(run, label_studio))

        assert "ada@example.org" in told
        assert " ben " in told
        assert label_studio.paths() == {"/api/users/": 1}

    def test_they_go_by_their_ids_where_the_tool_does_not_say(self, project, run, label_studio):
        label_studio.answer = lambda *request: (403, {"detail": "not for you"})
        label(project, range(20))

        result = self.crowd(run, label_studio)

        assert result.exit_code == 0, result.output
        assert "go by their ids" in said(result)
        assert " ada " in said(result)


class TestLabelErrors:
    def test_a_planted_error_comes_first_with_its_task_and_a_reason(self, project, run):
        label(project, range(200), lambda n: gold_of(n)[:1] if n == 17 else gold_of(n))

        result = run("label-errors", "--most", "1")

        assert result.exit_code == 0, result.output
        line = result.output.splitlines()[-1]
        assert "/projects/7/data?task=17 " in line
        assert "'Lagos' is labelled as nothing, expected LOC" in line

    def test_the_same_as_a_report(self, project, run, tmp_path):
        label(project, range(200), lambda n: gold_of(n)[:1] if n == 17 else gold_of(n))

        result = run("label-errors", "--out", str(tmp_path / "out"))

        assert result.exit_code == 0, result.output
        content = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
        worst = content["results"]["suspects"][0]
        assert (worst["task_id"], worst["given"], worst["expected"]) == ("17", None, "LOC")
        page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert "/projects/7/data?task=17" in page
        assert text_of(17) in page

    def test_too_few_labels_are_said_to_be_too_few(self, project, run):
        label(project, range(5))

        result = run("label-errors")

        assert result.exit_code == 1
        assert "too few" in result.stderr

    def test_sending_needs_a_token_and_says_which(self, project, run):
        result = run("label-errors", "--send", "5")

        assert result.exit_code == 1
        assert "LABEL_STUDIO_API_KEY" in result.stderr

    @pytest.mark.parametrize("command", ["label-errors", "crowd"])
    def test_done_without_a_new_queue_is_refused(self, project, run, command):
        result = run(command, "--done", "5")

        assert result.exit_code == 1
        assert "--done 5 --send 100" in result.stderr
