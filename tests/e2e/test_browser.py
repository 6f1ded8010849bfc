"""What people see: suggestions in Label Studio's labelling view, and harambee's own page."""

import os
from pathlib import Path

import pytest
from browsing import loaded, show_height
from harambee_processes import (
    LABEL_CONFIG,
    Harambee,
    current_predictions,
    press_start_training,
    scripted,
    wait_until,
)
from selenium.webdriver.common.by import By

from backend.demo.annotators import PlayedAnnotator
from backend.label_studio.labels import parse_label_config
from backend.samples import LABELS, sample_texts
from backend.testing.imperfect import gold_with_errors
from backend.testing.scripted_llm import ScriptedLlm

pytestmark = pytest.mark.e2e

IMAGES = Path("docs/images")
KEEP_PICTURES = "HARAMBEE_SCREENSHOTS" in os.environ
"""Take the README's pictures again, of a longer story."""
TEXTS, ROUNDS, LABELS_PER_ROUND = (300, 3, 50) if KEEP_PICTURES else (60, 1, 40)
BLANK_BYTES = 15_000
"""A picture of one colour takes a few thousand."""


@pytest.fixture(scope="module")
def gold():
    return [example for _, example in sample_texts()[:TEXTS]]


@pytest.fixture(scope="module")
def harambee(label_studio, gold, tmp_path_factory):
    with (
        ScriptedLlm(gold_with_errors(gold, LABELS, rng_seed=0)) as llm,
        Harambee(tmp_path_factory.mktemp("browser"), label_studio, llm=scripted(llm)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def project(harambee, client, gold):
    """A project that has been labelled for a while, and its gold labels by task."""
    number = client.create_project("Names in the news", LABEL_CONFIG)["id"]
    tasks = client.import_tasks(number, [{"text": example.text} for example in gold])
    by_task = dict(zip(tasks, gold, strict=True))
    annotator = PlayedAnnotator(client, number, parse_label_config(LABEL_CONFIG), by_task)
    said = harambee.command("label-studio", "connect", "--project", str(number))
    assert said.returncode == 0, said.stderr
    for _ in range(ROUNDS):
        done = harambee.status(number).labelled
        annotator.label_next(LABELS_PER_ROUND, lambda: None)
        wait_until(
            lambda done=done: harambee.status(number).labelled == done + LABELS_PER_ROUND,
            "the labels",
        )
        press_start_training(harambee, client, number)
    return number, by_task


@pytest.fixture(scope="module")
def suggested(harambee, client, project):
    """A task that waits for its labels, and its prediction: several labels, right if any is."""
    number, by_task = project
    unlabelled = {int(task.id) for task in harambee.workspace(number).tasks.pool()}
    current = current_predictions(client, number)
    waiting = {task: current[task] for task in unlabelled}

    def worth_showing(task):
        values = [region["value"] for region in waiting[task]["result"]]
        found = sorted((value["start"], value["end"], value["labels"][0]) for value in values)
        right = found == [(span.start, span.end, span.label) for span in by_task[task].spans]
        labels = len({label for _, _, label in found})
        return labels > 1, right, labels, len(found)

    task = max(waiting, key=worth_showing)
    return task, waiting[task]


@pytest.fixture
def keep(browser, tmp_path):
    """Take a picture of the page under a name; returns its file."""
    folder = IMAGES if KEEP_PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)

    def take(name):
        file = folder / name
        assert browser.save_screenshot(str(file))
        return file

    return take


@pytest.fixture
def labelling_view(browser, label_studio, project, suggested):
    """The page in which an annotator sees the task, with everything highlighted."""
    log_in(browser, label_studio)
    browser.get(f"{label_studio.url}/projects/{project[0]}/data?task={suggested[0]}")
    loaded(browser, lambda: len(highlights(browser)) == len(suggested[1]["result"]))
    return browser


def log_in(browser, label_studio):
    browser.get(f"{label_studio.url}/user/login/")
    if "/user/login" not in browser.current_url:
        return
    browser.find_element(By.NAME, "email").send_keys(label_studio.login.email)
    browser.find_element(By.NAME, "password").send_keys(label_studio.login.password)
    browser.find_element(By.CSS_SELECTOR, "form button[type=submit]").click()
    loaded(browser, lambda: "/user/login" not in browser.current_url)


def highlights(browser):
    """The highlighted pieces of the text, in order."""
    return browser.find_elements(By.CSS_SELECTOR, ".htx-highlight")


def test_an_annotator_sees_every_suggested_span_highlighted(labelling_view, suggested, keep):
    regions = sorted(suggested[1]["result"], key=lambda region: region["value"]["start"])
    shown = [item.text for item in highlights(labelling_view)]
    assert shown == [region["value"]["text"] for region in regions]
    assert keep("label-studio.png").stat().st_size > BLANK_BYTES


def test_different_labels_have_different_colours(labelling_view, suggested):
    labels = {region["value"]["labels"][0] for region in suggested[1]["result"]}
    colours = {
        item.value_of_css_property("background-color") for item in highlights(labelling_view)
    }
    assert len(colours) == len(labels) > 1


def test_the_version_and_its_confidence_are_shown(labelling_view, harambee, project, suggested):
    page = labelling_view.find_element(By.TAG_NAME, "body").text
    assert harambee.version(project[0]) in page
    assert f"{100 * suggested[1]['score']:.2f}%" in page


def test_the_dashboard_shows_the_project_and_its_rounds(browser, harambee, project, keep):
    browser.get(f"{harambee.url}/")
    page = browser.find_element(By.TAG_NAME, "body").text
    assert "Names in the news" in page
    assert f"{ROUNDS * LABELS_PER_ROUND} of {TEXTS} tasks labelled" in page
    rows = browser.find_elements(By.CSS_SELECTOR, "section table:first-of-type tr")
    assert len([row for row in rows if row.text.startswith(str(ROUNDS))]) == 1
    show_height(browser, browser.execute_script("return document.documentElement.scrollHeight"))
    assert keep("dashboard.png").stat().st_size > BLANK_BYTES
