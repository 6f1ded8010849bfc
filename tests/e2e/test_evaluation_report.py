"""The report of an evaluation, as a person sees it: in a browser, without a network."""

import json
import os
import sys
from pathlib import Path

import pytest
from browsing import HEIGHT, WIDTH, show_height, start_browser
from selenium.webdriver.common.by import By
from typer.testing import CliRunner

from backend.cli import app

pytestmark = pytest.mark.e2e

IMAGES = Path("docs/images")
KEEP_PICTURES = "HARAMBEE_SCREENSHOTS" in os.environ
"""Take the pictures in docs/images again, of the paper's recordings."""
BLANK_BYTES = 5_000
"""A picture of one colour takes less."""
TOP = 1180
TOKENS = ["Ada", "saw", "Lagos"]
LEAST_CONTRAST = 4.5
CONTRAST = """
const light = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map(c => c / 255).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const paper = light(getComputedStyle(document.body).backgroundColor);
return [...document.querySelectorAll('svg text, td, th, p, .bounds')].map(element => {
  const style = getComputedStyle(element);
  const ink = light(element.closest('svg') ? style.fill : style.color);
  return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
}).reduce((a, b) => Math.min(a, b));
"""


HIDDEN = """
return [...document.querySelectorAll('.scroll, .made summary')].filter(box =>
  box.scrollHeight > box.clientHeight + 2 && getComputedStyle(box).overflowY != 'visible').length;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("chromium"))
    driver.execute_cdp_cmd("Network.enable", {})
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three models of different quality in two invented languages, asked three times."""
    folder = tmp_path_factory.mktemp("recordings")
    right, gold = ["B-PER", "O", "B-LOC"], ["B-PER", "O", "B-LOC"]
    tags = {"good": [right] * 3, "fair": [right, ["B-PER", "O", "O"], right]}
    tags["poor <b>"] = [["O", "B-ORG", "B-PER"]] * 3
    for model, answers in tags.items():
        (folder / model).mkdir()
        given = [[list(pair) for pair in zip(TOKENS, each, strict=True)] for each in answers]
        for language in ("xx", "yy"):
            turned = [given[at % 3 :] + given[: at % 3] for at in range(12)]
            records = [
                {"id": str(at), "tokens": TOKENS, "gold": gold, "responses": responses}
                for at, responses in enumerate(turned)
            ]
            lines = "\n".join(map(json.dumps, records))
            (folder / model / f"{language}.jsonl").write_text(lines)
    return folder


@pytest.fixture(scope="module")
def folder(request, recordings, tmp_path_factory):
    """Where the report is. It names its command as somebody beside the recordings would give it."""
    if KEEP_PICTURES:
        recordings = request.getfixturevalue("research_data") / "llm_responses"
    here = tmp_path_factory.mktemp("report")
    (here / "llm_responses").symlink_to(recordings)
    command = ["evaluate", "--recordings", "llm_responses", "--out", "report"]
    command += [] if KEEP_PICTURES else ["--price", "fair=1,2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr(sys, "argv", ["harambee", *command])
        result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return here / "report"


@pytest.fixture
def page(browser, folder):
    browser.get((folder / "report.html").as_uri())
    return browser


@pytest.fixture
def keep(page, tmp_path):
    """Take a picture of an element, or of the top of the page, under a name; returns its size."""
    images = IMAGES if KEEP_PICTURES else tmp_path

    def take(name, element=None):
        show_height(page, page.execute_script("return document.documentElement.scrollHeight"))
        if element is None:
            show_height(page, TOP)
            assert page.save_screenshot(str(images / name))
        else:
            assert element.screenshot(str(images / name))
        return (images / name).stat().st_size

    yield take
    show_height(page, HEIGHT)


def section(page, title):
    return page.find_element(By.XPATH, f"//section[h2[starts-with(., '{title}')]]")


def test_the_browser_has_nothing_to_complain_about(page):
    assert page.get_log("browser") == []
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_every_figure_is_drawn_and_seen(page):
    figures = page.find_elements(By.CSS_SELECTOR, "figure svg")
    assert len(figures) >= 5
    for figure in figures:
        assert figure.is_displayed()
        assert figure.size["width"] > 200
        assert figure.size["height"] > 100
        drawn = (
            "return [...arguments[0].querySelectorAll('path')].some(p => p.getTotalLength() > 9)"
        )
        assert page.execute_script(drawn, figure)


def test_no_words_of_a_figure_are_cut_off(page):
    cut = """
    return [...document.querySelectorAll('figure svg')].flatMap(svg => {
      const frame = svg.getBoundingClientRect();
      return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left - 2 || box.right > frame.right + 2
          || box.top < frame.top - 2 || box.bottom > frame.bottom + 2;
      }).map(text => text.textContent);
    });
    """
    assert page.execute_script(cut) == []


def test_every_section_is_reached_from_the_top(page):
    links = page.find_elements(By.CSS_SELECTOR, "nav a")
    assert len(links) == len(page.find_elements(By.CSS_SELECTOR, "main section"))
    for link in links:
        target = link.get_attribute("href").partition("#")[2]
        assert page.find_element(By.ID, target).text == link.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_words_are_legible(page, scheme):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    assert page.execute_script(CONTRAST) >= LEAST_CONTRAST
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_narrow_screen_scrolls_tables_and_not_the_page(page):
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 400
    show_height(page, HEIGHT)


def test_what_made_a_table_is_a_line_that_opens(page):
    made = page.find_element(By.CSS_SELECTOR, "details.made")
    line, words = made.find_element(By.TAG_NAME, "summary"), made.find_element(By.TAG_NAME, "dl")
    assert line.size["height"] < 30
    assert "harambee evaluate --recordings llm_responses" in line.text
    assert not words.is_displayed()
    line.click()
    assert words.is_displayed()
    assert page.execute_script("return document.documentElement.scrollWidth") <= WIDTH
    line.click()


def test_on_paper_every_table_is_whole_and_says_what_made_it(page):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    lines = page.find_elements(By.CSS_SELECTOR, "details.made summary")
    assert all("seed" in line.text for line in lines)
    assert page.execute_script(HIDDEN) == 0
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_it_says_who_is_best(page, keep):
    chosen = page.find_element(By.CSS_SELECTOR, "tr.strong th").text
    assert chosen in page.find_element(By.CSS_SELECTOR, ".lead").text
    for title, name in (
        ("Kinds of error", "evaluation-errors.png"),
        ("Asking the same", "evaluation-repetitions.png"),
        ("Where annotators agree", "evaluation-agreement.png"),
    ):
        assert keep(name, section(page, title).find_element(By.TAG_NAME, "svg")) > BLANK_BYTES
    ranges = section(page, "From the worst").find_elements(By.CLASS_NAME, "scroll")
    assert keep("evaluation-ranges.png", ranges[1]) > BLANK_BYTES
    assert keep("evaluation.png") > BLANK_BYTES
