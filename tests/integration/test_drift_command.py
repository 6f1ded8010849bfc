"""``harambee drift`` on a file of labels and on a project in a real store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner
from web_backend import WebBackend, raw_task

from backend.cli import app
from backend.domain import NO_SOURCE, Annotation, SourceKind, Span, Suggestion
from backend.evaluation.label_events import events_of_project, read_events

START = datetime(2026, 1, 5, tzinfo=UTC)
GOLD = ((0, 5, "PER"), (14, 18, "LOC"))


@pytest.fixture
def drift(tmp_path):
    def run(*arguments):
        settings = {"HARAMBEE_STORE__DATA_DIR": str(tmp_path / "data")}
        options = ["drift", "--out", str(tmp_path / "out"), *map(str, arguments)]
        result = CliRunner().invoke(app, options, env=settings)
        return result, " ".join(result.output.split())

    return run


@pytest.fixture
def found(tmp_path):
    return lambda: json.loads((tmp_path / "out" / "report.json").read_text())


def lines(count, change):
    """Labels whose suggestions lose a span more often from ``change`` on."""
    rng = np.random.default_rng(1)
    for at in range(count):
        kept = 0.9 if at < change else 0.4
        yield {
            "at": (START + timedelta(hours=at)).isoformat(),
            "text": "Amina went to Kano",
            "accepted": GOLD,
            "shown": [span for span in GOLD if rng.random() < kept],
            "version": "v1" if at < change else "v2",
        }


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_planted_change_in_a_file_is_told(drift, found, tmp_path):
    events = write(tmp_path / "labels.jsonl", lines(400, 200))

    result, said = drift("--events", events)

    assert result.exit_code == 0, said
    assert "Alarm: suggested spans kept fell" in said
    alarms = found()["results"]["alarms"]
    assert {alarm["measure"] for alarm in alarms} == {
        "suggested spans kept",
        "suggestions accepted",
    }
    assert all(200 < alarm["label"] < 280 for alarm in alarms)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == 2


def test_a_wanted_change_is_left_behind_by_since(drift, found, tmp_path):
    events = write(tmp_path / "labels.jsonl", lines(400, 200))
    change = (START + timedelta(hours=200)).strftime("%Y-%m-%d %H:%M:%S")

    result, said = drift("--events", events, "--since", change)

    assert result.exit_code == 0, said
    assert found()["results"]["alarms"] == []


def test_the_same_seed_makes_the_same_report(drift, tmp_path):
    events = write(tmp_path / "labels.jsonl", lines(150, 100))
    texts = []
    for _ in range(2):
        drift("--events", events)
        texts.append((tmp_path / "out" / "report.html").read_text())

    assert texts[0] == texts[1]


@pytest.mark.parametrize("sign", ["\u2028", "\x85"])
def test_a_text_may_hold_any_sign_that_is_no_line_feed(tmp_path, sign):
    row = {"at": "2026-01-05", "text": f"Kano{sign}Amina", "accepted": [[5, 10, "PER"]]}
    path = tmp_path / "labels.jsonl"
    line = json.dumps(row, ensure_ascii=False)
    path.write_bytes(f"\ufeff{line}\r\n\r\n{line}\r\n".encode())

    assert [event.text for event in read_events(path)] == [row["text"]] * 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 1 is not a label"),
        ("[]", "line 1 is not a label"),
        ('{"at": "monday", "text": "a", "accepted": []}', "line 1 is not a label"),
        ('{"at": "2026-01-05", "text": "a", "accepted": [[0, 2, "PER"]]}', "outside the text"),
        ("", "no label"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(drift, tmp_path, line, told):
    path = tmp_path / "labels.jsonl"
    path.write_text(line, encoding="utf-8")

    result, said = drift("--events", path)

    assert result.exit_code == 1
    assert told in said


@pytest.mark.parametrize("options", [(), ("--project", "7", "--events", "x.jsonl")])
def test_one_source_has_to_be_named(drift, options):
    result, said = drift(*options)

    assert result.exit_code == 1
    assert "Give --project ID or --events FILE.jsonl" in said


@pytest.fixture
def project(tmp_path):
    """Six tasks: the tool shows the LLM's spans for two, nothing for two, older ones for two."""
    with WebBackend(tmp_path) as backend:
        known = backend.know(number=7)
        backend.remember_tasks(known, *[raw_task(n, f"Amina went to Kano {n}") for n in range(6)])
        records = backend.suggestions(known)
        for number in range(6):
            backend.remember_llm(known, number, *GOLD)
        answers = records.by_source(SourceKind.LLM)
        shown = [
            # The queue's order decides the confidence that the tool gets.
            *(replace(answers[str(n)], confidence=0.31) for n in (0, 1)),
            *(Suggestion(str(n), (), 0.5, NO_SOURCE) for n in (2, 3)),
            *(replace(answers[str(n)], spans=()) for n in (4, 5)),
        ]
        records.mark_pushed(shown, records.version_for(shown))
        notes = [
            Annotation(str(n), str(n), (Span(*GOLD[0]),), "ada", START + timedelta(hours=n))
            for n in range(6)
        ]
        backend.tasks(known).replace_annotations(notes, START + timedelta(days=1), None)
        yield backend, known


def test_a_project_tells_what_was_shown_hidden_and_unknown(project):
    backend, known = project

    events = events_of_project(backend.services, known)

    spans = tuple(Span(*span) for span in GOLD)
    assert [event.shown for event in events] == [spans, spans, None, None, None, None]
    assert [event.hidden for event in events] == [None, None, spans, spans, None, None]
    assert {event.version for event in events} == {"harambee-v1"}


def test_a_project_is_reported_on(drift, found, project):
    result, said = drift("--project", 7)

    assert result.exit_code == 0, said
    assert "6 labels" in said
    assert found()["results"]["periods"][0]["accepted"]["value"] == 0.0


def test_a_project_without_labels_is_told_so(drift, tmp_path):
    with WebBackend(tmp_path) as backend:
        backend.know(number=7)

    result, said = drift("--project", 7)

    assert result.exit_code == 1
    assert "Nothing is labelled" in said
