"""The commands that look into a project, on one of Argilla: a real store, no Argilla running."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner
from web_backend import NOWHERE, WebBackend

from argilla_pipeline.kind import ARGILLA
from argilla_pipeline.schema import Schema
from backend.cli import app
from backend.domain import Annotation, LabelScheme, Span, Task
from backend.quality.audit import is_audited

START = datetime(2026, 1, 1, tzinfo=UTC)
DATASET = "6f1c8c7e-0000-4000-8000-000000000007"
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho")
TASKS = 90
SHARE = "0.3"


def text_of(number):
    return f"{NAMES[number % 6]} visited Lagos on trip {number} ."


def gold_of(number):
    name = NAMES[number % 6]
    at = len(name) + len(" visited ")
    return Span(0, len(name), "PER"), Span(at, at + 5, "LOC")


@pytest.fixture
def project(tmp_path):
    """A dataset of Argilla that two people have labelled, and that an LLM has answered."""
    with WebBackend(tmp_path) as backend:
        schema = Schema("text", "spans", "question", LabelScheme(("PER", "LOC")))
        known = backend.services.projects.register(ARGILLA, DATASET, schema.to_text(), "names")
        tasks = [
            Task(f"record-{n}", text_of(n), None, {"dialect": "a" if n % 2 else "b"})
            for n in range(TASKS)
        ]
        backend.tasks(known).replace_tasks(tasks)
        notes = [
            Annotation(f"{n}{by}", f"record-{n}", spans, by, START + timedelta(hours=n))
            for n in range(TASKS)
            for by, spans in (
                ("ada", gold_of(n)),
                ("ben", gold_of(n)[:1] if n == 17 else gold_of(n)),
            )
        ]
        backend.tasks(known).replace_annotations(notes, START + timedelta(days=9), None)
        for n in range(TASKS):
            spans = [(span.start, span.end, span.label) for span in gold_of(n)[: 1 + n % 2]]
            backend.remember_llm(known, f"record-{n}", *spans)
        yield known


@pytest.fixture
def run(tmp_path, project):
    def run(*arguments, **environment):
        settings = {
            "HARAMBEE_STORE__DATA_DIR": str(tmp_path / "data"),
            "HARAMBEE_LEARNING__MIN_LABELS": "10",
            "HARAMBEE_LEARNING__HELD_OUT_SHARE": SHARE,
            "HARAMBEE_AUDIT__SHARE": SHARE,
            "ARGILLA_API_URL": NOWHERE,
            "ARGILLA_API_KEY": "owner.apikey",
        } | environment
        result = CliRunner().invoke(app, [*arguments, "--project", str(project.id)], env=settings)
        return result, " ".join(result.output.split())

    return run


def results_in(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))["results"]


def test_label_errors_are_listed_with_a_search_for_their_record(run):
    result, said = run("label-errors", "--most", "1")

    assert result.exit_code == 0, said
    line = result.output.splitlines()[-1]
    assert line.startswith(f"{NOWHERE}/dataset/{DATASET}/annotation-mode?page=1&status=submitted")
    assert "&search=Sipho_visited_Lagos_on_trip_17_.~text" in line
    assert "'Lagos' is labelled as nothing, expected LOC" in line


def test_contested_tasks_are_listed_with_a_search_for_their_record(run):
    result, said = run("crowd")

    assert result.exit_code == 0, said
    assert "90 tasks are labelled, 90 of them by several people" in said
    assert "&search=Sipho_visited_Lagos_on_trip_17_.~text" in result.output
    assert "'Lagos': ada LOC, ben nothing; probably" in said


def test_slices_are_compared_on_what_is_held_out(run, tmp_path):
    result, said = run(
        "fairness", "--slices", "dialect", "--fewest", "5", "--out", str(tmp_path / "out")
    )

    assert result.exit_code == 0, said
    assert "dialect" in said


def test_labels_are_watched_over_time(run, tmp_path):
    result, said = run("drift", "--out", str(tmp_path / "out"))

    assert result.exit_code == 0, said
    assert results_in(tmp_path / "out")


def test_the_blind_audit_counts_what_was_labelled_without_a_suggestion(run):
    audited = sum(is_audited(text_of(n), float(SHARE)) for n in range(TASKS))

    result, said = run("audit")

    assert result.exit_code == 0, said
    assert f"{audited} of {audited} audited texts are labelled, of 90 texts in all" in said
    assert "LLM gpt-6-luna" in said


def test_the_llm_and_the_people_are_evaluated_on_what_is_held_out(run, tmp_path):
    result, said = run("evaluate", "--out", str(tmp_path / "out"))

    assert result.exit_code == 0, said
    assert "gpt-6-luna" in (tmp_path / "out" / "report.json").read_text(encoding="utf-8")


def test_costs_are_added_up_for_the_project(run):
    result, said = run("cost", "report")

    assert result.exit_code == 0, said


def test_before_an_audit_it_is_told_how_to_push_to_argilla(run):
    result, _ = run("audit", HARAMBEE_AUDIT__SHARE="0")

    assert result.exit_code == 1
    assert "push again with harambee-argilla push" in " ".join(result.stderr.split())


def test_sending_to_an_argilla_that_does_not_answer_says_so(run):
    result, _ = run("label-errors", "--send", "10")

    assert result.exit_code == 1
    assert "Argilla" in result.stderr
