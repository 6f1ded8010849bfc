"""What a dataset in Argilla is made of."""

from __future__ import annotations

import pytest

from argilla_pipeline.schema import (
    LONGEST_GUIDELINES,
    PROPERTIES,
    Schema,
    changed_labels,
    check_labels,
    field_to_json,
    guidelines,
    missing_properties,
    question_to_json,
    read_schema,
    scheme_of,
    sorted_link,
)
from backend.domain import LabelScheme
from backend.errors import ConfigurationError, LabelConfigError

SCHEME = scheme_of({"PER": "a person", "LOC": ""})


def question(name="spans", field="text", **settings):
    options = [{"value": "0", "text": "Person", "description": None}]
    return {
        "id": f"id-of-{name}",
        "name": name,
        "settings": {"type": "span", "field": field, "options": options} | settings,
    }


TEXT = {"name": "text", "settings": {"type": "text"}}
RATING = {"id": "r", "name": "quality", "settings": {"type": "rating"}}


def test_a_dataset_of_ours_is_read_as_it_was_made():
    made = question_to_json(SCHEME) | {"id": "q1"}
    assert read_schema([field_to_json()], [made]) == Schema("text", "spans", "q1", SCHEME)


def test_the_store_keeps_all_of_it():
    schema = Schema("text", "spans", "q1", SCHEME, overlapping=True)
    assert Schema.from_text(schema.to_text()) == schema


def test_a_dataset_made_by_someone_else_is_read_by_its_own_names():
    field = {"name": "sentence", "settings": {"type": "text"}}
    schema = read_schema([field], [RATING, question("names", "sentence", allow_overlapping=True)])
    assert (schema.text_field, schema.question, schema.overlapping) == ("sentence", "names", True)
    assert schema.scheme == LabelScheme(("0",), {"0": "Person"})


@pytest.mark.parametrize(
    ("questions", "chosen", "says"),
    [
        ([RATING], None, "no span question: its questions are quality"),
        ([], None, "its questions are none"),
        ([question("a"), question("b")], None, "several span questions"),
        ([question("a")], "b", "no span question 'b'"),
    ],
)
def test_a_dataset_that_cannot_be_used_says_what_it_has(questions, chosen, says):
    with pytest.raises(LabelConfigError, match=says):
        read_schema([TEXT], questions, question=chosen)


def test_one_of_several_span_questions_can_be_named():
    schema = read_schema([TEXT], [question("a"), question("b")], question="b")
    assert schema.question == "b"


def test_a_question_about_something_else_than_text_is_refused():
    chat = {"name": "text", "settings": {"type": "chat"}}
    with pytest.raises(LabelConfigError, match="which is chat"):
        read_schema([chat], [question()])


def test_a_text_field_that_the_question_is_not_about_is_refused():
    with pytest.raises(LabelConfigError, match=r"argilla\.text_field"):
        read_schema([TEXT], [question()], text_field="title")


def test_a_thousand_labels_say_what_to_do():
    many = LabelScheme(tuple(f"L{number}" for number in range(1000)))
    with pytest.raises(LabelConfigError, match="ARGILLA_SPAN_OPTIONS_MAX_ITEMS=1000"):
        question_to_json(many)


@pytest.mark.parametrize("labels", [(), ("PER", " "), ("x" * 201,)])
def test_labels_that_argilla_refuses_are_refused_before(labels):
    with pytest.raises(LabelConfigError):
        check_labels(LabelScheme(labels))


def test_a_dataset_is_given_the_properties_that_it_lacks():
    there = [{"name": "language", "settings": {"type": "terms"}}]
    added = {item["name"] for item in missing_properties(there)}
    assert added == PROPERTIES.keys() - {"language"}


def test_a_property_of_another_kind_is_pointed_out():
    there = [{"name": "round", "settings": {"type": "terms"}}]
    with pytest.raises(ConfigurationError, match="'round' of type terms"):
        missing_properties(there)


def test_annotators_read_the_labels_and_where_to_begin():
    text = guidelines(SCHEME, sorted_link("http://a", "d1"), "Titles are no part of a name.")
    assert "- **PER**: a person" in text
    assert "- **LOC**" in text
    assert "Titles are no part of a name." in text
    assert "sort=metadata.uncertainty.desc" in text


def test_guidelines_fit_into_argilla():
    assert len(guidelines(SCHEME, "link", "long " * 5000)) == LONGEST_GUIDELINES


def test_changed_labels_are_named():
    assert changed_labels(("PER", "DATE"), ("PER", "LOC")) == "DATE new; LOC gone"
    assert changed_labels(("PER",), ("PER",)) == ""
