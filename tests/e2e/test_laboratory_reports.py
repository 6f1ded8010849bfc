"""The reports on drift, fairness and cost in a real browser: drawn, whole and legible."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from browsing import show_height, start_browser
from selenium.webdriver.common.by import By
from test_evaluation_report import BLANK_BYTES, CONTRAST, LEAST_CONTRAST
from typer.testing import CliRunner

from backend.cli import app

pytestmark = pytest.mark.e2e

KEEP_PICTURES = "HARAMBEE_SCREENSHOTS" in os.environ
GOLD = [[0, 5, "PER"], [14, 18, "LOC"]]
CUT = """
return [...document.querySelectorAll('figure svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 2 || box.right > frame.right + 2;
  }).map(text => text.textContent);
});
"""


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def labels():
    """Suggestions that become worse after the 300th label, in the south most of all."""
    rng = np.random.default_rng(1)
    for at in range(600):
        south = at % 4 == 0
        kept = 0.9 - 0.35 * (at >= 300) - 0.3 * south
        spans = [span for span in GOLD if rng.random() < kept]
        yield {
            "at": (datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=2 * at)).isoformat(),
            "text": "Amina went to Kano",
            "accepted": GOLD,
            "shown": spans,
            "spans": spans,
            "meta": {"dialect": "south" if south else "north"},
        }


def curves():
    for route, best, share in (("all-human", 0.8, 1), ("default", 0.76, 0.2), ("llm-only", 0.6, 0)):
        yield {
            "language": "xx",
            "strategy": "default",
            "route": route,
            "points": [
                {
                    "round": at,
                    "texts": 100 * (at + 1),
                    "human_texts": 100 * (at + 1) * share,
                    "f1": {"value": best * (1 - 0.5 ** (at + 1))},
                }
                for at in range(6)
            ],
        }


def runs():
    """The curves by seed."""
    rng = np.random.default_rng(2)
    for each in curves():
        for seed in range(5):
            luck = rng.normal(0, 0.012, len(each["points"])) + rng.normal(0, 0.006)
            scores = [point["f1"]["value"] for point in each["points"]] + luck
            rounds = [{"scores": {"f1": float(f1)}} for f1 in scores]
            yield {key: each[key] for key in ("language", "strategy", "route")} | {
                "seed": seed,
                "rounds": rounds,
            }


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=["drift", "fairness", "cost"])
def page(request, browser, tmp_path_factory):
    """A report, opened; gives its name and the browser."""
    folder = tmp_path_factory.mktemp(request.param)
    given = list(labels())
    events = write(folder / "labels.jsonl", given)
    gold = write(folder / "gold.jsonl", [row | {"spans": GOLD} for row in given])
    (folder / "results.json").write_text(
        json.dumps({"curves": list(curves()), "runs": list(runs())})
    )
    commands = {
        "drift": ["drift", "--events", events],
        "fairness": [
            "fairness", "--gold", gold, "--predictions", events, "--slices", "dialect,length"
        ],
        "cost": ["cost", "savings", "--simulation", folder / "results.json"],
    }  # fmt: skip
    options = [*commands[request.param], "--out", folder / "out"]
    result = CliRunner().invoke(app, list(map(str, options)))
    assert result.exit_code == 0, result.output
    browser.get((folder / "out" / "report.html").as_uri())
    return request.param, browser


def test_every_figure_is_drawn_and_whole(page, tmp_path):
    name, browser = page
    figures = browser.find_elements(By.CSS_SELECTOR, "figure svg")
    assert figures
    assert all(figure.is_displayed() and figure.size["width"] > 200 for figure in figures)
    assert browser.execute_script(CUT) == []
    show_height(browser, browser.execute_script("return document.documentElement.scrollHeight"))
    picture = (Path("docs/images") if KEEP_PICTURES else tmp_path) / f"{name}.png"
    assert figures[0].screenshot(str(picture))
    assert picture.stat().st_size > BLANK_BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_words_are_legible(page, scheme):
    _, browser = page
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    assert browser.execute_script(CONTRAST) >= LEAST_CONTRAST
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
