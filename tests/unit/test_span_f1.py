from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from backend.domain import Span, SpanScores
from backend.quality.span_f1 import span_scores, span_scores_by_label
from backend.text.bio import from_bio, tag_names

TAGS = tag_names(["PER", "LOC"])
LAGOS = Span(0, 5, "LOC")


def test_only_exact_bounds_and_label_count():
    pairs = [([LAGOS], [LAGOS]), ([LAGOS], [Span(0, 4, "LOC")]), ([LAGOS], [Span(0, 5, "PER")])]

    assert span_scores(pairs) == SpanScores(1, 2, 2)


def test_a_span_of_another_text_does_not_count():
    assert span_scores([([LAGOS], []), ([], [LAGOS])]) == SpanScores(0, 1, 1)


def test_the_score_of_a_prediction_does_not_matter():
    assert span_scores([([LAGOS], [Span(0, 5, "LOC", 0.3)])]).f1 == 1.0


def test_labels_are_counted_apart():
    pairs = [([LAGOS], [LAGOS, Span(6, 9, "PER")])]

    assert span_scores_by_label(pairs) == {
        "LOC": SpanScores(1, 0, 0),
        "PER": SpanScores(0, 1, 0),
    }


def test_nothing_to_find_and_nothing_found_scores_zero_counts():
    assert span_scores([([], [])]) == SpanScores(0, 0, 0)


@given(st.lists(st.lists(st.sampled_from(["O", "B-LOC", "I-LOC"]), max_size=8), max_size=5))
def test_what_equals_the_gold_is_right_and_nothing_else_is(sequences):
    texts = [from_bio([(at, at + 1) for at in range(len(tags))], tags) for tags in sequences]
    marked = sum(map(len, texts))

    scores = span_scores((spans, spans) for spans in texts)

    assert scores == SpanScores(marked, 0, 0)
    assert scores.f1 == (1 if marked else 0)


@given(st.lists(st.integers(0, 3), max_size=5))
def test_where_nothing_is_marked_all_is_missed(counts):
    texts = [[Span(2 * at, 2 * at + 1, "LOC") for at in range(count)] for count in counts]

    scores = span_scores((gold, []) for gold in texts)

    assert scores == SpanScores(0, 0, sum(counts))
    assert scores.f1 == 0


def legal(tags):
    """Tags with each inside tag that follows something else made a beginning."""
    return [
        f"B{tag[1:]}" if tag[0] == "I" and before[1:] != tag[1:] else tag
        for before, tag in pairwise(["O", *tags])
    ]


tag_sequences = st.lists(st.sampled_from(TAGS), min_size=1, max_size=12).map(legal)


@given(st.lists(st.tuples(tag_sequences, tag_sequences), min_size=1, max_size=6))
def test_scores_equal_those_of_seqeval_in_strict_mode(sequences):
    gold, predicted = (
        [tags[: min(map(len, both))] for tags, both in zip(side, sequences, strict=True)]
        for side in zip(*sequences, strict=True)
    )

    scores = span_scores(
        (spans_of(expected), spans_of(got)) for expected, got in zip(gold, predicted, strict=True)
    )

    options = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    assert scores.precision == pytest.approx(precision_score(gold, predicted, **options))
    assert scores.recall == pytest.approx(recall_score(gold, predicted, **options))
    assert scores.f1 == pytest.approx(f1_score(gold, predicted, **options))


def spans_of(tags):
    return from_bio([(position, position + 1) for position in range(len(tags))], tags)
