"""Argilla's JSON to and from the domain."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_pipeline.convert import (
    DISCARDED,
    DRAFT,
    ORIGINAL,
    agent_of,
    hides_letters,
    holds,
    metadata_to_json,
    original_text,
    read_response,
    shown_text,
    snapped,
    spans_to_json,
    suggestion_to_json,
    task_from_json,
    text_to_json,
)
from argilla_pipeline.schema import Schema
from backend.domain import NO_SOURCE, LabelScheme, Route, Source, SourceKind, Span, Suggestion
from backend.errors import PayloadError
from backend.text.normalise import GRAPHEME

SCHEMA = Schema("text", "spans", "q1", LabelScheme(("PER", "LOC")))
TAGGER = Source(SourceKind.TAGGER, "crf-3")
NOW = "2026-11-21T05:44:29.747735"
STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def record(text, metadata=None, **more):
    content = text_to_json(text, metadata or {}, SCHEMA)
    return {"id": "r1", "dataset_id": "d1", **content, **more}


def response(value, status="submitted"):
    values = {"spans": {"value": value}} if value is not None else None
    return {
        "id": "a1",
        "record_id": "r1",
        "user_id": "u1",
        "status": status,
        "values": values,
        "updated_at": NOW,
    }


def suggestion(*spans, confidence=0.25, source=TAGGER):
    return Suggestion("r1", spans, confidence, source)


class TestTexts:
    @given(STORABLE)
    def test_a_text_comes_back_as_it_was(self, text):
        assert task_from_json(record(text), SCHEMA).text == text

    @given(STORABLE)
    def test_what_the_page_shows_has_the_same_offsets_in_both_countings(self, text):
        shown = shown_text(text)
        assert len(shown) == len(text) == len(shown.encode("utf-16-le")) // 2

    @given(STORABLE)
    def test_everything_else_stays(self, text):
        pairs = zip(text, shown_text(text), strict=True)
        assert all(ours == theirs for ours, theirs in pairs if ord(ours) < 0x10000)

    def test_only_a_text_with_such_characters_is_kept_twice(self):
        assert ORIGINAL not in record("Ọbásanjọ́ lọ sí Èkó .")["metadata"]
        assert record("🌍 Thabo")["metadata"][ORIGINAL] == "🌍 Thabo"

    @pytest.mark.parametrize(("text", "hidden"), [("🌍 Thabo", False), ("𞤀𞤣𞤤𞤢𞤥", True)])
    def test_letters_that_the_page_would_hide_are_told_from_emoji(self, text, hidden):
        assert hides_letters(text) is hidden

    def test_a_text_that_was_changed_in_argilla_is_what_it_is_there(self):
        kept = record("🌍 Thabo")["metadata"]
        assert original_text("□ Tebogo", kept) == "□ Tebogo"

    def test_a_record_that_somebody_else_made_with_an_emoji_says_what_to_do(self):
        with pytest.raises(PayloadError, match="migrate"):
            task_from_json({"id": "r1", "fields": {"text": "🌍 Thabo"}, "metadata": None}, SCHEMA)

    @pytest.mark.parametrize("text", ["a\0b", "half \ud83c"])
    def test_what_no_database_takes_is_refused(self, text):
        with pytest.raises(PayloadError, match="lone surrogate"):
            text_to_json(text, {}, SCHEMA)

    def test_a_record_without_its_field_is_refused(self):
        with pytest.raises(PayloadError, match="no text"):
            task_from_json({"id": "r1", "fields": {"words": "x"}, "metadata": {}}, SCHEMA)

    def test_language_and_other_words_are_kept_and_our_own_are_not(self):
        metadata = {"language": "zul", "source": "news", "round": 3, "route": "llm", "_x": "y"}
        task = task_from_json(record("Thabo", metadata), SCHEMA)
        assert (task.language, dict(task.meta)) == ("zul", {"source": "news"})


class TestSuggestions:
    def test_each_span_has_a_score_of_its_own(self):
        made = suggestion_to_json(
            suggestion(Span(0, 3, "PER", 0.91239), Span(4, 6, "LOC")), 9, SCHEMA
        )
        assert made == {
            "question_id": "q1",
            "type": "model",
            "agent": "tagger:crf-3",
            "value": [
                {"start": 0, "end": 3, "label": "PER"},
                {"start": 4, "end": 6, "label": "LOC"},
            ],
            "score": [0.9124, 0.25],
        }

    @pytest.mark.parametrize("score", [float("nan"), -1.0, 2.0, 1])
    def test_a_score_is_always_a_float_that_argilla_takes(self, score):
        made = suggestion_to_json(suggestion(Span(0, 3, "PER", score)), 9, SCHEMA)
        (sent,) = made["score"]
        assert isinstance(sent, float)
        assert 0 <= sent <= 1

    def test_an_answer_without_spans_is_an_empty_value_without_a_score(self):
        made = suggestion_to_json(suggestion(), 9, SCHEMA)
        assert (made["value"], made["score"]) == ([], None)

    def test_no_answer_is_no_suggestion(self):
        assert suggestion_to_json(suggestion(source=NO_SOURCE), 9, SCHEMA) is None

    @pytest.mark.parametrize(
        "span", [Span(7, 12, "PER"), Span(4, 4, "PER"), Span(-1, 2, "PER"), Span(0, 2, "DATE")]
    )
    def test_a_span_that_argilla_would_refuse_is_left_out(self, span):
        made = suggestion_to_json(suggestion(span, Span(5, 6, "LOC")), 9, SCHEMA)
        assert [item["start"] for item in made["value"]] == [5]

    def test_of_overlapping_spans_the_longer_stays(self):
        made = suggestion_to_json(suggestion(Span(0, 3, "PER"), Span(2, 9, "LOC")), 9, SCHEMA)
        assert [item["label"] for item in made["value"]] == ["LOC"]

    @given(st.text(), st.one_of(st.none(), st.text()))
    def test_an_agent_is_always_one_that_argilla_takes(self, model, prompt):
        agent = agent_of(Source(SourceKind.LLM, model, prompt))
        assert len(agent) <= 200
        assert re.fullmatch(r"[a-zA-Z0-9\-_:./ ]+", agent)

    @given(st.floats(0, 1))
    def test_metadata_are_floats_in_range(self, confidence):
        made = metadata_to_json(suggestion(confidence=confidence))
        for name in ("uncertainty", "confidence"):
            assert isinstance(made[name], float)
            assert 0 <= made[name] <= 1

    @pytest.mark.parametrize("source", [TAGGER, NO_SOURCE])
    @pytest.mark.parametrize(
        ("route", "told"),
        [
            (Route.LLM, "llm"),
            (Route.HUMAN, "human"),
            (Route.LATER, "later"),
            (Route.AUDIT, "human"),
            (None, "human"),
        ],
    )
    def test_the_route_is_the_routers_whoever_suggests(self, route, told, source):
        made = replace(suggestion(source=source), route=route)
        assert metadata_to_json(made)["route"] == told


class TestWhatARecordShows:
    def shown(self, made, **changed):
        carried = suggestion_to_json(made, 9, SCHEMA)
        metadata = {"source": "news"} | metadata_to_json(made) | changed
        return record("Thabo lab", metadata, suggestions=[dict(carried, id="s1")])

    def holds(self, raw, made):
        return holds(raw, suggestion_to_json(made, 9, SCHEMA), metadata_to_json(made), SCHEMA)

    def test_it_holds_what_was_pushed(self):
        made = suggestion(Span(0, 5, "PER", 0.9))
        assert self.holds(self.shown(made), made)

    @pytest.mark.parametrize(
        "other",
        [
            suggestion(Span(0, 5, "LOC", 0.9)),
            suggestion(Span(0, 5, "PER", 0.8)),
            suggestion(Span(0, 5, "PER", 0.9), confidence=0.26),
            suggestion(Span(0, 5, "PER", 0.9), source=Source(SourceKind.TAGGER, "crf-4")),
        ],
    )
    def test_it_does_not_hold_another(self, other):
        assert not self.holds(self.shown(suggestion(Span(0, 5, "PER", 0.9))), other)

    def test_a_difference_that_nobody_sees_is_none(self):
        made = suggestion(Span(0, 5, "PER", 0.900001), confidence=0.250001)
        assert self.holds(self.shown(suggestion(Span(0, 5, "PER", 0.9))), made)

    def test_a_suggestion_of_somebody_else_is_not_ours_to_withdraw(self):
        raw = record(
            "Thabo",
            metadata_to_json(suggestion(source=NO_SOURCE)),
            suggestions=[{"id": "s1", "question_id": "q1", "agent": "spacy", "value": []}],
        )
        assert self.holds(raw, suggestion(source=NO_SOURCE))


class TestResponses:
    TEXT = "Wangari lives in Nairobi ."

    def read(self, value, status="submitted", text=TEXT):
        return read_response(response(value, status), text, SCHEMA)

    def test_submitted_spans_are_an_annotation_in_utc(self):
        read = self.read([{"start": 17, "end": 24, "label": "LOC"}])
        assert read.annotation.spans == (Span(17, 24, "LOC"),)
        assert read.annotation.updated_at == datetime(2026, 11, 21, 5, 44, 29, 747735, tzinfo=UTC)
        assert (read.annotation.annotator, read.annotation.skipped) == ("u1", False)

    def test_a_discarded_record_is_a_skip_whatever_it_holds(self):
        read = self.read([{"start": 17, "end": 24, "label": "LOC"}], DISCARDED)
        assert (read.annotation.skipped, read.annotation.spans) == (True, ())

    def test_a_draft_says_that_it_is_one(self):
        assert self.read([], DRAFT).status == DRAFT

    @pytest.mark.parametrize("values", [None, {}, {"spans": None}, {"other": {"value": []}}])
    def test_values_that_are_null_or_missing_are_no_spans(self, values):
        raw = response(None) | {"values": values}
        assert read_response(raw, self.TEXT, SCHEMA).annotation.spans == ()

    @pytest.mark.parametrize(("start", "end"), [(20, 40), (24, 17), (5, 5), (-3, 4), (None, 4)])
    def test_a_span_that_is_not_in_the_text_is_left_out_with_a_reason(self, start, end):
        read = self.read([{"start": start, "end": end, "label": "LOC"}])
        assert read.annotation.spans == ()
        assert "not in the text" in read.left_out[0]

    def test_a_span_given_twice_counts_once(self):
        item = {"start": 17, "end": 24, "label": "LOC"}
        assert len(self.read([item, item]).annotation.spans) == 1

    def test_overlapping_spans_are_both_read(self):
        items = [{"start": 0, "end": 7, "label": "PER"}, {"start": 5, "end": 9, "label": "LOC"}]
        assert len(self.read(items).annotation.spans) == 2

    def test_a_span_that_cuts_off_a_combining_mark_is_widened(self):
        text = unicodedata.normalize("NFD", "Ọbásanjọ́ lọ")
        word = text.index(" ")
        read = self.read([{"start": 0, "end": word - 1, "label": "PER"}], text=text)
        assert read.annotation.spans == (Span(0, word, "PER"),)

    def test_a_span_inside_an_emoji_is_widened_to_the_emoji(self):
        text = "👩‍👩‍👧 Thabo"
        assert snapped(text, 1, 2) == (0, 5)

    @given(STORABLE.filter(bool), st.data())
    def test_a_snapped_span_holds_the_span_and_only_whole_graphemes(self, text, data):
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, len(text)))
        first, last = snapped(text, start, end)
        cuts = {match.start() for match in GRAPHEME.finditer(text)} | {len(text)}
        assert first <= start < end <= last
        assert {first, last} <= cuts

    @given(STORABLE.filter(bool))
    def test_spans_go_there_and_back(self, text):
        span = Span(*snapped(text, 0, 1), "PER")
        raw = response(None) | {"values": spans_to_json([span], SCHEMA)}
        assert read_response(raw, text, SCHEMA).annotation.spans == (span,)
