"""``harambee leakage`` from end to end: a model with a planted leak, and recorded probes."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.testing.leaky_llm import LeakyLlm

WORDS = ("ada", "bola", "chidi", "dayo", "efe", "femi", "gozie", "hauwa", "ife", "jide", "kemi")


def sentences(start):
    """Sixty texts of which no two begin alike."""
    return [
        " ".join(f"{WORDS[(n + step) % len(WORDS)]}{start + n}" for step in range(8))
        for n in range(60)
    ]


MEMBERS, CONTROLS = sentences(0), sentences(100)


@pytest.fixture
def run(tmp_path, monkeypatch):
    members, controls = tmp_path / "members.txt", tmp_path / "controls.txt"
    members.write_text("\n".join(MEMBERS))
    controls.write_text("\n".join(CONTROLS))

    def run(server, *more):
        monkeypatch.setenv("HARAMBEE_STORE__DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        out = tmp_path / "report"
        result = CliRunner().invoke(
            app,
            [
                *("leakage", "--members", str(members), "--controls", str(controls)),
                *("--dataset", "DemoNER 2.0", "--families", "demoner", "--out", str(out), *more),
            ],
        )
        written = out / "report.json"
        return result, json.loads(written.read_text()) if written.exists() else {}

    return run


def test_a_planted_leak_is_found_and_its_size_told(run):
    with LeakyLlm(MEMBERS[::2], guess="demoner") as server:
        result, report = run(server)
    assert result.exit_code == 0, result.output
    found = report["results"]
    assert found["is_leaked"]
    assert found["by_heart"]["difference"]["value"] == pytest.approx(0.5)
    assert found["family"]["difference"]["value"] == 0.0
    assert "as known" in result.output


def test_a_model_that_only_guesses_is_not_accused(run):
    with LeakyLlm([], guess="demoner") as server:
        result, report = run(server)
    assert not report["results"]["is_leaked"]
    assert "No sign" in result.output


def test_answers_are_paid_for_once(run):
    with LeakyLlm([]) as server:
        run(server)
        asked = len(server.calls)
        run(server)
        assert len(server.calls) == asked == 3 * (len(MEMBERS) + len(CONTROLS))


def test_a_control_text_of_the_data_set_is_refused(run, tmp_path):
    with LeakyLlm([]) as server:
        result, _ = run(server, "--controls", str(tmp_path / "members.txt"))
        assert result.exit_code == 1
        assert "cannot have seen" in " ".join(result.output.split())
        assert not server.calls


def test_the_recorded_probes_are_reported_both_ways(tmp_path):
    if "HARAMBEE_DATA" not in os.environ:
        pytest.skip("HARAMBEE_DATA is not set: there are no recorded probes")
    folder = Path(os.environ["HARAMBEE_DATA"]) / "data_leakage"
    arguments = ["leakage", "--recordings", str(folder), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    (turbo,) = (
        one
        for one in report["results"]["sources"]
        if (one["model"], one["dataset"]) == ("gpt-4-0125-preview", "masakhaner2")
    )
    assert round(100 * turbo["with_version"]["value"]) == 4
    assert round(100 * turbo["without_version"]["value"]) == 96
    html = (tmp_path / "report.html").read_text()
    assert "without control texts" in html
