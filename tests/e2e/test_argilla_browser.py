"""What annotators see in Argilla's own page, in a real browser."""

import pytest
from argilla_projects import ArgillaDataset, argilla_server
from browsing import loaded
from selenium.webdriver.common.by import By

from backend.domain import Source, SourceKind, Span, Suggestion

pytestmark = pytest.mark.e2e

TEXTS = (
    "Wangari lives in Nairobi .",
    "🌍 Thabo uvela eThekwini .",
    "Ọbásanjọ́ lọ sí Èkó .",
)
THABO = Span(2, 7, "PER", 0.9)
MOST_UNCERTAIN = 1
TAGGER = Source(SourceKind.TAGGER, "crf-1")


@pytest.fixture(scope="module")
def dataset(request):
    """Three texts with suggestions; the tagger is least sure of the one with an emoji."""
    made = ArgillaDataset(argilla_server(request.config), TEXTS)
    spans = [Span(0, 7, "PER", 0.9), THABO, Span(0, 9, "PER", 0.9)]
    confidence = [0.8, 0.1, 0.6]
    made.tool.suggest(
        [
            Suggestion(record, (span,), sure, TAGGER)
            for record, span, sure in zip(made.records, spans, confidence, strict=True)
        ],
        "v1",
    )
    return made


@pytest.fixture(scope="module")
def page(browser, dataset, request):
    """The page behind the sorted link, as an annotator finds it."""
    owner = argilla_server(request.config).owner
    browser.get(f"{dataset.client.url}/sign-in")
    loaded(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "input[type=password]"))
    name, password = browser.find_elements(By.CSS_SELECTOR, "form input")[:2]
    name.send_keys(owner.username)
    password.send_keys(owner.password)
    browser.find_element(By.CSS_SELECTOR, "form button[type=submit]").click()
    loaded(browser, lambda: "sign-in" not in browser.current_url)
    browser.get(dataset.tool.link)
    loaded(browser, lambda: "eThekwini" in text_of(browser) or "Nairobi" in text_of(browser))
    return browser


def text_of(browser):
    return browser.find_element(By.TAG_NAME, "body").text


def highlighted(browser):
    """What the page marks as spans, by the ranges of its own highlights."""
    return browser.execute_script(
        "return [...CSS.highlights.values()].flatMap("
        "highlight => [...highlight].map(range => range.toString()))"
    )


def test_the_sorted_link_opens_the_most_uncertain_record_first(page):
    assert "eThekwini" in text_of(page)
    assert "Nairobi" not in text_of(page)


def test_the_suggestion_is_shown_in_its_place_after_an_emoji(page):
    loaded(page, lambda: "Thabo" in highlighted(page))
    assert set(highlighted(page)) == {"Thabo"}
