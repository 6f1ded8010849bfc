"""Label Studio's JSON to and from the domain."""

import copy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import NO_SOURCE, Source, SourceKind, Span, Suggestion
from backend.errors import PayloadError
from backend.label_studio.convert import prediction_to_json, read_annotation, task_from_json
from backend.label_studio.labels import parse_label_config

CONFIG = parse_label_config(
    '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
    '<Choices name="topic" toName="text"><Choice value="news"/></Choices>'
    '<Text name="text" value="$text"/></View>'
)
HYPERTEXT = parse_label_config(
    '<View><HyperTextLabels name="label" toName="text"><Label value="PER"/></HyperTextLabels>'
    '<HyperText name="text" value="$text"/></View>'
)
TEXT = "Wangari lives in Nairobi ."
LLM = Source(SourceKind.LLM, "a-model", "entities-v1")


def task_json(**data):
    return {"id": 7, "data": data}


def region(start=0, end=7, labels=("PER",), **changes):
    value = {"start": start, "end": end, "labels": list(labels)} | changes.pop("value", {})
    made = {"id": "r1", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    return made | changes


def annotation_json(*regions, **changes):
    made = {
        "id": 3,
        "completed_by": 5,
        "result": list(regions),
        "updated_at": "2026-03-04T05:06:07.890000Z",
        "was_cancelled": False,
        "lead_time": 2.5,
    }
    return made | changes


def read(*regions, text=TEXT, config=CONFIG, **changes):
    return read_annotation(annotation_json(*regions, **changes), "7", text, config)


def spans(*regions, **changes):
    return read(*regions, **changes).annotation.spans


def prediction(*spans, text=TEXT, config=CONFIG, source=LLM, confidence=0.5):
    suggestion = Suggestion("7", spans, confidence, source)
    return prediction_to_json(suggestion, text, "v1", config)


class TestTasks:
    def test_the_text_is_taken_untouched(self):
        text = " e\u0301\r\n\u200b🌍 "
        assert task_from_json(task_json(text=text), CONFIG).text == text

    def test_the_id_becomes_a_string(self):
        assert task_from_json(task_json(text=""), CONFIG).id == "7"

    @pytest.mark.parametrize("key", ["language", "lang"])
    def test_the_language_is_taken_from_the_data(self, key):
        assert task_from_json(task_json(text="", **{key: "swa"}), CONFIG).language == "swa"

    def test_other_strings_become_meta(self):
        task = task_from_json(task_json(text="", source="radio", n=3, lang="swa"), CONFIG)
        assert dict(task.meta) == {"source": "radio"}

    @pytest.mark.parametrize(
        ("raw", "named"),
        [
            ({"id": 7, "data": {"body": "x"}}, r"data\['text'\] is missing"),
            ({"id": 7, "data": {"text": None}}, "is NoneType"),
            ({"id": 7, "data": {"text": 5}}, "is int"),
            ({"id": 7}, "'data'"),
            ({"id": 7, "data": []}, "'data'"),
            ({"data": {"text": "x"}}, "numeric 'id'"),
            ({"id": "../7", "data": {"text": "x"}}, "numeric 'id'"),
            ({"id": True, "data": {"text": "x"}}, "numeric 'id'"),
        ],
    )
    def test_a_task_that_cannot_be_read_names_the_key(self, raw, named):
        with pytest.raises(PayloadError, match=named):
            task_from_json(raw, CONFIG)

    @pytest.mark.parametrize(
        "text",
        ["<b>Wangari</b>", "A &amp; B", "one\r\ntwo", "two  spaces 🌍", "a\nline 🌍", " 🌍", "🌍 "],
    )
    def test_hypertext_that_is_not_shown_as_it_is_stored_is_refused(self, text):
        with pytest.raises(PayloadError, match="markup"):
            task_from_json(task_json(text=text), HYPERTEXT)

    @pytest.mark.parametrize("text", ["🌍 Wangari", "two  spaces", "a\nline", "a > b", ""])
    def test_hypertext_that_is_shown_as_it_is_stored_is_a_task(self, text):
        assert task_from_json(task_json(text=text), HYPERTEXT).text == text

    def test_plain_text_may_hold_what_looks_like_markup(self):
        assert task_from_json(task_json(text="a < b & c"), CONFIG).text == "a < b & c"


class TestAnnotations:
    def test_regions_become_sorted_spans(self):
        assert spans(region(17, 24, ["LOC"]), region()) == (
            Span(0, 7, "PER"),
            Span(17, 24, "LOC"),
        )

    def test_who_and_when_are_kept(self):
        annotation = read().annotation
        assert (annotation.id, annotation.task_id, annotation.annotator) == ("3", "7", "5")
        assert annotation.updated_at == datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)
        assert annotation.lead_time == 2.5

    @pytest.mark.parametrize(
        ("user", "annotator"), [(5, "5"), ({"id": 5, "email": "x@y"}, "5"), (None, "unknown")]
    )
    def test_the_annotator_is_known_in_every_shape(self, user, annotator):
        assert read(completed_by=user).annotation.annotator == annotator

    def test_a_cancelled_annotation_is_a_skip_without_spans(self):
        annotation = read(region(), was_cancelled=True).annotation
        assert (annotation.skipped, annotation.spans) == (True, ())

    def test_regions_of_other_controls_pass_by_without_a_word(self):
        choice = {"from_name": "topic", "to_name": "text", "type": "choices", "value": {}}
        assert read(choice, region()) == read(region())

    def test_two_labels_on_one_region_are_two_spans(self):
        assert spans(region(labels=["PER", "LOC"])) == (Span(0, 7, "LOC"), Span(0, 7, "PER"))

    @pytest.mark.parametrize(
        "bad",
        [
            region(-1, 7),
            region(0, 27),
            region(7, 0),
            region(3, 3),
            region("0", 7),
            region(0.5, 7),
            region(None, 7),
            region(True, 7),
            region(value={"text": "Thabo"}),
            region(labels=["MISC"]),
            region(labels=[]),
            region(labels=[["PER"]]),
            region(value={"labels": "PER"}),
            region() | {"value": None},
        ],
    )
    def test_an_impossible_region_is_left_out_with_a_reason(self, bad):
        result = read(bad, region(17, 24, ["LOC"]))
        assert result.annotation.spans == (Span(17, 24, "LOC"),)
        assert len(result.left_out) == 1

    @pytest.mark.parametrize("odd", [None, "text", 5, [], {"from_name": ["label"]}])
    def test_what_is_no_region_passes_by(self, odd):
        assert spans(odd, region()) == (Span(0, 7, "PER"),)

    def test_offsets_in_utf16_units_are_recovered_where_the_mention_proves_them(self):
        text = "🌍🌍 Wangari"
        assert spans(region(5, 12, value={"text": "Wangari"}), text=text) == (Span(3, 10, "PER"),)

    def test_offsets_in_utf16_units_are_not_guessed_without_the_mention(self):
        assert read(region(5, 12), text="🌍🌍 Wangari").annotation.spans == ()

    def test_offsets_that_split_a_character_are_not_recovered(self):
        assert spans(region(1, 3, value={"text": "🌍"}), text="🌍🌍") == ()

    def test_line_ends_that_the_page_writes_as_escapes_agree_with_the_text(self):
        stated = region(0, 7, value={"text": "one\\ntwo"})
        assert spans(stated, text="one\ntwo") == (Span(0, 7, "PER"),)

    def test_hypertext_is_read_by_its_global_offsets(self):
        value = {
            "start": "/text()[1]",
            "end": "/text()[1]",
            "startOffset": 1,
            "endOffset": 8,
            "globalOffsets": {"start": 0, "end": 7},
            "hypertextlabels": ["PER"],
        }
        found = spans(region() | {"value": value}, config=HYPERTEXT)
        assert found == (Span(0, 7, "PER"),)

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": None},
            {"result": None},
            {"result": "[]"},
            {"updated_at": None},
            {"updated_at": "yesterday"},
            {"updated_at": "2026-03-04T05:06:07"},
        ],
    )
    def test_what_is_not_an_annotation_is_refused(self, changes):
        with pytest.raises(PayloadError):
            read(**changes)


class TestPredictions:
    def test_the_score_is_the_confidence_and_the_version_is_kept(self):
        made = prediction(confidence=0.25)
        assert (made["score"], made["model_version"], made["result"]) == (0.25, "v1", [])

    def test_a_region_says_what_and_where(self):
        (made,) = prediction(Span(0, 7, "PER", 0.75))["result"]
        assert (made["from_name"], made["to_name"], made["type"]) == ("label", "text", "labels")
        assert made["value"] == {"start": 0, "end": 7, "text": "Wangari", "labels": ["PER"]}
        assert made["score"] == 0.75

    def test_a_span_without_a_score_has_none(self):
        (made,) = prediction(Span(0, 7, "PER"))["result"]
        assert "score" not in made

    def test_the_meta_is_for_programs_and_for_people(self):
        (made,) = prediction(Span(0, 7, "PER"))["result"]
        assert made["meta"] == {
            "text": ["llm: a-model, prompt entities-v1"],
            "source": "llm",
            "model": "a-model",
            "prompt_version": "entities-v1",
        }

    def test_a_source_without_a_prompt_names_none(self):
        tagger = Source(SourceKind.TAGGER, "crf-3")
        (made,) = prediction(Span(0, 7, "PER"), source=tagger)["result"]
        assert made["meta"] == {"text": ["tagger: crf-3"], "source": "tagger", "model": "crf-3"}

    def test_region_ids_differ_within_a_task_and_are_the_same_again(self):
        pair = (Span(0, 7, "PER"), Span(17, 24, "LOC"))
        ids = [made["id"] for made in prediction(*pair)["result"]]
        assert len(set(ids)) == 2
        assert ids == [made["id"] for made in prediction(*pair)["result"]]

    @pytest.mark.parametrize("span", [Span(0, 99, "PER"), Span(3, 3, "PER"), Span(0, 7, "MISC")])
    def test_a_span_that_no_longer_fits_is_left_out(self, span):
        assert len(prediction(span, Span(17, 24, "LOC"))["result"]) == 1

    @pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
    def test_a_confidence_outside_zero_to_one_is_a_mistake_in_our_code(self, confidence):
        with pytest.raises(ValueError, match="confidence"):
            prediction(confidence=confidence)

    def test_hypertext_counts_utf16_in_its_node_and_code_points_globally(self):
        text = "🌍 Wangari"
        (made,) = prediction(Span(2, 9, "PER"), text=text, config=HYPERTEXT)["result"]
        assert (made["value"]["startOffset"], made["value"]["endOffset"]) == (3, 10)
        assert made["value"]["globalOffsets"] == {"start": 2, "end": 9}
        assert made["value"]["hypertextlabels"] == ["PER"]

    @pytest.mark.parametrize("config", [CONFIG, HYPERTEXT])
    @given(data=st.data())
    def test_any_span_of_any_text_survives_the_round_trip(self, config, data):
        text = data.draw(st.text(st.characters(codec="utf-8"), min_size=1))
        start = data.draw(st.integers(0, len(text) - 1))
        span = Span(start, data.draw(st.integers(start + 1, len(text))), "PER")
        regions = prediction(span, text=text, config=config, source=NO_SOURCE)["result"]
        assert spans(*copy.deepcopy(regions), text=text, config=config) == (span,)


@pytest.mark.parametrize("text", ["half \ud83d of a character", "a NUL \x00"])
def test_a_text_that_no_database_takes_is_refused_by_task(text):
    raw = {"id": 7, "data": {"text": text}}

    with pytest.raises(PayloadError, match="Task 7"):
        task_from_json(raw, CONFIG)
