import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Span
from backend.text.bio import (
    from_bio,
    legal_starts,
    legal_transitions,
    split_tag,
    tag_names,
    to_bio,
)
from backend.text.tokens import tokenise

TEXT = "Wangari Maathai went to Nyeri"
TOKENS = tokenise(TEXT)
TAGS = tag_names(["PER", "LOC"])


def test_spans_become_one_tag_per_token():
    spans = [Span(24, 29, "LOC"), Span(0, 15, "PER")]

    assert to_bio(TOKENS, spans) == (["B-PER", "I-PER", "O", "O", "B-LOC"], 0)


def test_a_span_that_cuts_a_token_is_widened_and_counted():
    assert to_bio(TOKENS, [Span(2, 15, "PER")]) == (["B-PER", "I-PER", "O", "O", "O"], 1)


def test_a_span_on_white_space_alone_is_left_out_and_counted():
    assert to_bio(TOKENS, [Span(7, 8, "PER")]) == (["O"] * 5, 1)


def test_a_span_that_meets_an_earlier_one_is_left_out_and_counted():
    tags, inexact = to_bio(TOKENS, [Span(0, 15, "PER"), Span(8, 29, "LOC")])

    assert (tags, inexact) == (["B-PER", "I-PER", "O", "O", "O"], 1)


def test_touching_spans_of_one_label_stay_two():
    spans = [Span(0, 7, "PER"), Span(8, 15, "PER")]

    tags, _ = to_bio(TOKENS, spans)

    assert from_bio(TOKENS, tags) == spans


def test_an_inside_tag_without_a_beginning_opens_a_span():
    tags = ["O", "I-PER", "I-LOC", "I-LOC", "O"]

    assert from_bio(TOKENS, tags) == [Span(8, 15, "PER"), Span(16, 23, "LOC")]


def test_a_span_is_as_sure_as_its_least_sure_token():
    tags = ["B-PER", "I-PER", "O", "O", "B-LOC"]

    spans = from_bio(TOKENS, tags, [0.9, 0.6, 0.1, 0.1, 0.8])

    assert [span.score for span in spans] == [0.6, 0.8]


def test_spans_have_no_score_where_tokens_have_none():
    assert from_bio(TOKENS, ["B-PER", "I-PER", "O", "O", "O"])[0].score is None


def test_a_label_may_hold_a_hyphen():
    assert split_tag("B-LOC-city") == ("B", "LOC-city")


def test_no_text_begins_inside_a_span():
    assert legal_starts(TAGS).tolist() == [True, True, False, True, False]


def test_inside_follows_only_its_own_label():
    legal = legal_transitions(TAGS)

    followers = {TAGS[row]: np.flatnonzero(legal[row]).tolist() for row in range(len(TAGS))}
    assert followers == {
        "O": [0, 1, 3],
        "B-PER": [0, 1, 2, 3],
        "I-PER": [0, 1, 2, 3],
        "B-LOC": [0, 1, 3, 4],
        "I-LOC": [0, 1, 3, 4],
    }


@given(st.lists(st.sampled_from(TAGS), min_size=5, max_size=5))
def test_tags_survive_the_way_to_spans_and_back(tags):
    spans = from_bio(TOKENS, tags)

    again, inexact = to_bio(TOKENS, spans)

    assert inexact == 0
    assert from_bio(TOKENS, again) == spans
