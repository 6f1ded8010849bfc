"""``harambee cost savings`` on a simulation's results, with and without a project's own prices."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner
from web_backend import WebBackend, raw_task

from backend.cli import app
from backend.domain import Annotation

START = datetime(2026, 1, 5, tzinfo=UTC)
ROUTES = {"all-human": 1.0, "llm-only": 0.0, "default": 0.2}
BEST = {"all-human": 0.8, "llm-only": 0.55, "default": 0.75}


@pytest.fixture
def results(tmp_path):
    """A simulation's results, as harambee simulate writes them."""
    curves = [
        {
            "language": "xx",
            "strategy": "default",
            "route": route,
            "points": [
                {
                    "round": at,
                    "texts": 100 * (at + 1),
                    "tokens": 2000 * (at + 1),
                    "human_texts": 100 * (at + 1) * share,
                    "usd": 1.0,
                    "f1": {"value": BEST[route] * (at + 1) / 5, "low": 0, "high": 1, "level": 0.95},
                }
                for at in range(5)
            ],
        }
        for route, share in ROUTES.items()
    ]
    runs = [
        {
            "language": "xx",
            "strategy": "default",
            "route": route,
            "seed": seed,
            "rounds": [
                {"scores": {"f1": BEST[route] * (at + 1) / 5 + 0.01 * (seed - 1)}}
                for at in range(5)
            ],
        }
        for route in ROUTES
        for seed in range(3)
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"curves": curves, "runs": runs}), encoding="utf-8")
    return path


@pytest.fixture
def savings(tmp_path):
    def run(*arguments):
        settings = {"HARAMBEE_STORE__DATA_DIR": str(tmp_path / "data")}
        options = ["cost", "savings", "--out", str(tmp_path / "out"), *map(str, arguments)]
        result = CliRunner().invoke(app, options, env=settings)
        return result, " ".join(result.output.split())

    return run


@pytest.fixture
def found(tmp_path):
    return lambda: json.loads((tmp_path / "out" / "report.json").read_text())["results"]


def test_every_way_has_its_cost_and_what_is_out_of_reach_is_said(savings, found, results, tmp_path):
    result, said = savings("--simulation", results, "--target", 0.6, "--usd-per-hour", 12)

    assert result.exit_code == 0, said
    assert "LLM alone does not reach it (at most 55.0, in" in said
    reached = {each["route"]: each for each in found()["reached"]}
    # 0.6 of 0.8 at 160 texts a fifth: 375 texts, 30 s each, $12 an hour.
    assert reached["all-human"]["bill"]["human"] == pytest.approx(37.5)
    assert reached["llm-only"]["bill"] is None
    assert reached["default"]["savings"] == pytest.approx(37.5 / (8 + 400 * 0.0034))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What 42.45 times rests on" in page
    assert page.count("<svg") == 2


def test_several_seeds_say_how_sure_a_cost_and_a_factor_are(savings, found, results):
    result, said = savings("--simulation", results, "--target", 0.6)

    assert result.exit_code == 0, said
    assert "95% intervals over 3 seeds" in said
    reached = {each["route"]: each for each in found()["reached"]}
    cost = reached["all-human"]["cost"]
    # Each seed is shifted by a hundredth: 6.25 labels, with two degrees of freedom.
    assert cost["low"] < cost["value"] < cost["high"]
    assert cost["high"] - cost["low"] == pytest.approx(2 * 4.303 * 6.25 / 3**0.5 / 12, rel=0.15)
    assert reached["llm-only"]["cost"]["high"] is None
    assert reached["default"]["savings_interval"]["low"] > 1


def test_runs_that_lack_a_seed_of_a_language_give_no_intervals(savings, found, results):
    content = json.loads(results.read_text())
    content["runs"] = [run for run in content["runs"] if run["route"] != "default"]
    results.write_text(json.dumps(content))

    result, said = savings("--simulation", results, "--target", 0.6)

    assert result.exit_code == 0, said
    assert "how sure they are is not known" in said
    assert found()["reached"][0]["cost"]["low"] is None


def test_a_project_brings_its_own_seconds(savings, found, results, tmp_path):
    with WebBackend(tmp_path) as backend:
        known = backend.know(number=7)
        backend.remember_tasks(known, *[raw_task(n, f"text {n}") for n in range(9)])
        notes = [Annotation(str(n), str(n), (), "ada", START, lead_time=45.0) for n in range(9)]
        backend.tasks(known).replace_annotations(notes, START, None)

    result, said = savings("--simulation", results, "--project", 7)

    assert result.exit_code == 0, said
    assert found()["prices"]["seconds_per_text"] == pytest.approx(45)
    assert found()["prices"]["llm_usd_per_text"] == 0.0034


@pytest.mark.parametrize("content", ["", "{}", '{"curves": []}', '{"curves": [{}]}'])
def test_a_file_without_curves_is_refused(savings, tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content, encoding="utf-8")

    result, said = savings("--simulation", path)

    assert result.exit_code == 1
    assert "no learning curves" in said


def test_a_language_that_was_not_simulated_is_told(savings, results):
    result, said = savings("--simulation", results, "--strategy", "random")

    assert result.exit_code == 1
    assert "There are: xx/default" in said


def test_a_price_below_nothing_is_refused(savings, results):
    result, said = savings("--simulation", results, "--usd-per-hour", -1)

    assert result.exit_code == 1
    assert "negative" in said
