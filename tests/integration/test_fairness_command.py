"""``harambee fairness`` on files and on a project in a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from typer.testing import CliRunner
from web_backend import WebBackend, raw_task

from backend.cli import app
from backend.domain import Annotation, Span
from backend.quality.holdout import is_held_out

START = datetime(2026, 1, 5, tzinfo=UTC)
NAMES = {"PER": {"known": ["Amina", "Juma"], "new": ["Chukwuemeka", "Oluwaseun"]}}


@pytest.fixture
def fairness(tmp_path):
    def run(*arguments):
        settings = {"HARAMBEE_STORE__DATA_DIR": str(tmp_path / "data")}
        options = ["fairness", "--out", str(tmp_path / "out"), *map(str, arguments)]
        result = CliRunner().invoke(app, options, env=settings)
        return result, " ".join(result.output.split())

    return run


@pytest.fixture
def found(tmp_path):
    return lambda: json.loads((tmp_path / "out" / "report.json").read_text())["results"]


def write(path, rows):
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def gold(count=240):
    for at in range(count):
        name = ("Amina", "Juma")[at % 2]
        yield {
            "text": f"{name} went to Kano {at}",
            "spans": [[0, len(name), "PER"], [len(name) + 9, len(name) + 13, "LOC"]],
            "meta": {
                "dialect": ("north", "south")[at % 3 == 0],
                "source": "radio" if at < 5 else "web",
            },
        }


def worse_in_the_south(rows):
    rng = np.random.default_rng(1)
    for row in rows:
        kept = 0.5 if row["meta"]["dialect"] == "south" else 0.9
        yield row | {"spans": [span for span in row["spans"] if rng.random() < kept]}


@pytest.fixture
def files(tmp_path):
    rows = list(gold())
    return (
        write(tmp_path / "gold.jsonl", rows),
        write(tmp_path / "given.jsonl", worse_in_the_south(rows)),
    )


def test_a_planted_gap_is_told_and_small_slices_are_listed(fairness, found, files):
    result, said = fairness(
        "--gold", files[0], "--predictions", files[1], "--slices", "dialect,source,script"
    )

    assert result.exit_code == 0, said
    assert "predictions: recall on dialect = south is" in said
    listed = found()["slices"]["predictions"]["slices"]
    slices = {(each["key"], each["name"]): each for each in listed}
    assert slices["source", "radio"]["too_small"]
    assert slices["script", "latin"]["too_small"], "there is no rest to compare it with"
    assert not slices["dialect", "north"]["too_small"]


def test_names_that_a_tagger_has_not_learnt_are_found_less(fairness, found, files, tmp_path):
    names = tmp_path / "names.json"
    names.write_text(json.dumps(NAMES), encoding="utf-8")

    result, said = fairness("--gold", files[0], "--train", files[0], "--names", names)

    assert result.exit_code == 0, said
    (recall,) = found()["names"]
    assert recall["places"] == 240
    assert recall["recall"]["known"]["value"] == 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Names swapped: PER" in page


def test_swapped_names_need_a_tagger(fairness, files, tmp_path):
    names = tmp_path / "names.json"
    names.write_text(json.dumps(NAMES), encoding="utf-8")

    result, said = fairness("--gold", files[0], "--predictions", files[1], "--names", names)

    assert result.exit_code == 1
    assert "Give --train FILE" in said


@pytest.mark.parametrize(
    "names", ["", "[]", "{}", '{"PER": {"one": ["Ada"]}}', '{"PER": {"one": [], "two": ["B"]}}']
)
def test_a_file_of_names_that_is_none_is_refused(fairness, files, tmp_path, names):
    (tmp_path / "names.json").write_text(names, encoding="utf-8")

    result, said = fairness(
        "--gold", files[0], "--train", files[0], "--names", tmp_path / "names.json"
    )

    assert result.exit_code == 1
    assert "names" in said


@pytest.mark.parametrize("line", ["{", '{"text": "a"}', '{"text": "a", "spans": [[0, 2, "PER"]]}'])
def test_a_line_that_cannot_be_used_is_named(fairness, files, tmp_path, line):
    (tmp_path / "bad.jsonl").write_text(f"\n{line}\n", encoding="utf-8")

    result, said = fairness("--gold", tmp_path / "bad.jsonl", "--predictions", files[1])

    assert result.exit_code == 1
    assert "line 2 cannot be used" in said


def test_blank_lines_are_passed_over(fairness, files, tmp_path):
    spaced = tmp_path / "spaced.jsonl"
    spaced.write_bytes(files[0].read_bytes().replace(b"\n", b"\r\n \r\n"))

    result, _ = fairness("--gold", spaced, "--predictions", files[1])

    assert result.exit_code == 0, result.output


def test_other_texts_are_no_predictions(fairness, files, tmp_path):
    other = write(tmp_path / "other.jsonl", list(gold(10)))

    result, said = fairness("--gold", files[0], "--predictions", other)

    assert result.exit_code == 1
    assert "same order" in said


def test_a_project_and_files_together_are_refused(fairness, files):
    result, said = fairness("--project", "7", "--gold", files[0])

    assert result.exit_code == 1
    assert "--project ID alone" in said


def test_somebody_has_to_be_judged(fairness):
    result, said = fairness()

    assert result.exit_code == 1
    assert "Who shall be judged?" in said


@pytest.fixture
def project(tmp_path):
    """Labelled tasks with a dialect each, and an LLM that misses places in one."""
    rows = list(gold(600))
    with WebBackend(tmp_path) as backend:
        known = backend.know(number=7)
        raw = [raw_task(at, row["text"]) for at, row in enumerate(rows)]
        for task, row in zip(raw, rows, strict=True):
            task["data"] |= row["meta"]
        backend.remember_tasks(known, *raw)
        notes = []
        for at, row in enumerate(rows):
            person, place = map(tuple, row["spans"])
            south = row["meta"]["dialect"] == "south"
            backend.remember_llm(known, at, *([person] if south else [person, place]))
            spans = (Span(*person), Span(*place))
            notes.append(Annotation(str(at), str(at), spans, "ada", START))
        backend.tasks(known).replace_annotations(notes, START, None)
        yield backend


def test_a_project_is_judged_on_what_is_held_out(fairness, found, project):
    share = project.services.settings.learning.held_out_share
    held_out = sum(is_held_out(row["text"], share) for row in gold(600))

    result, said = fairness("--project", 7, "--slices", "dialect")

    assert result.exit_code == 0, said
    assert "LLM: recall on dialect = south is 50.0 points lower" in said
    slices = found()["slices"]["LLM"]["slices"]
    assert sum(each["texts"] for each in slices) == held_out


def test_a_project_without_labels_is_told_so(fairness, tmp_path):
    with WebBackend(tmp_path) as backend:
        backend.know(number=7)

    result, said = fairness("--project", 7)

    assert result.exit_code == 1
    assert "no accepted labels" in said
