"""How a queue of reviews is written down: a column of Label Studio, an address of Argilla."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from argilla_pipeline.convert import shown_text
from argilla_pipeline.review import SEARCHED_WORDS, queue_link, record_link
from argilla_pipeline.schema import Schema, missing_properties, place_key, property_to_json
from backend.domain import LabelScheme, ReviewItem, ReviewKind, Task
from backend.label_studio.review import layout, shown, tab

URL, DATASET = "https://argilla.example", "6f1c8c7e"
SCHEMA = Schema("text", "spans", "question", LabelScheme(("PER",)))
KIND = ReviewKind.LABEL_ERRORS
COLUMNS = [
    {"id": "text", "parent": "data"},
    {"id": "source", "parent": "data"},
    {"id": "harambee_label_errors", "parent": "data"},
    {"id": "harambee_adjudication", "parent": "data"},
    {"id": "id"},
    {"id": "annotators"},
    {"id": "updated_at"},
    {"id": "data"},
]


class TestLabelStudio:
    @given(st.lists(st.text(max_size=20), max_size=1200))
    def test_the_order_of_the_column_is_the_order_of_the_queue(self, reasons):
        texts = shown([ReviewItem(str(n), reason) for n, reason in enumerate(reasons)])

        assert sorted(texts) == texts
        assert [text.split(" ", 1)[1] for text in texts] == reasons

    def test_a_long_reason_is_cut(self):
        (text,) = shown([ReviewItem("1", "x" * 5000)])

        assert len(text) < 400

    def test_the_list_shows_texts_annotators_and_the_reason(self):
        hidden = layout(COLUMNS, KIND)["hiddenColumns"]["explore"]

        assert set(hidden) == {"tasks:updated_at", "tasks:data", "tasks:data.harambee_adjudication"}

    def test_beside_an_open_task_only_the_reason_stands(self):
        hidden = layout(COLUMNS, KIND)["hiddenColumns"]["labeling"]

        assert len(hidden) == len(COLUMNS) - 1
        assert "tasks:data.harambee_label_errors" not in hidden

    def test_the_two_queues_have_tabs_of_their_own(self):
        assert len({tab(kind)["title"] for kind in ReviewKind}) == 2
        assert len({tab(kind)["ordering"][0] for kind in ReviewKind}) == 2


def searched(link):
    """What the page looks for, as its script reads the address: text and field."""
    (value,) = parse_qs(urlsplit(link).query)["search"]
    text, field = value.split("~")
    return text.replace("_", " "), field


class TestArgilla:
    @given(st.text(max_size=200))
    def test_a_search_is_about_words_of_the_text_and_holds_no_operator(self, text):
        words, field = searched(record_link(URL, DATASET, Task("1", f"Lagos {text}"), SCHEMA))

        assert field == "text"
        assert len(words.split()) <= SEARCHED_WORDS
        assert all(word in shown_text(text) or word == "Lagos" for word in words.split())
        assert not set(words) & set('+|"*()~\\')

    def test_hyphens_within_words_are_kept_and_a_minus_is_not(self):
        words, _ = searched(record_link(URL, DATASET, Task("1", "Jean-Luc -not 'here'"), SCHEMA))

        assert words == "Jean-Luc not 'here'"

    def test_an_emoji_is_searched_for_as_it_is_shown(self):
        words, _ = searched(record_link(URL, DATASET, Task("1", "🌍 Thabo"), SCHEMA))

        assert words == "□ Thabo"

    def test_the_link_of_the_queue_asks_for_its_property_alone(self):
        asked = parse_qs(urlsplit(queue_link(URL, DATASET, KIND)).query)

        assert asked["sort"] == ["metadata.label_errors.asc"]
        assert asked["metadata"][0].startswith("label_errors.ge1.le")
        assert asked["status"] == ["submitted"]

    def test_a_property_that_is_there_is_not_made_again(self):
        wanted = {place_key(KIND): "integer"}
        there = property_to_json(place_key(KIND), "integer")

        assert missing_properties([there], wanted) == []
        assert missing_properties([], wanted) == [there]
