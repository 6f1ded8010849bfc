from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Span
from backend.quality.span_errors import Finding, label_findings, span_findings
from backend.quality.span_f1 import span_scores

SPANS = st.sets(
    st.builds(
        lambda start, length, label: Span(start, start + length, label),
        st.integers(0, 12),
        st.integers(1, 4),
        st.sampled_from(["PER", "LOC"]),
    ),
    max_size=6,
)
NAME = Span(0, 10, "PER")


@given(SPANS, SPANS)
def test_kinds_of_error_add_up_to_the_strict_counts(gold, given_):
    found = span_findings(gold, given_)
    scores = span_scores([(gold, given_)])
    paired = found[Finding.TYPE] + found[Finding.BOUNDARY] + found[Finding.BOTH]
    assert found[Finding.RIGHT] == scores.true_positives
    assert paired + found[Finding.SPURIOUS] == scores.false_positives
    assert paired + found[Finding.MISSED] == scores.false_negatives


@pytest.mark.parametrize(
    ("given_", "finding"),
    [
        (NAME, Finding.RIGHT),
        (Span(0, 10, "LOC"), Finding.TYPE),
        (Span(0, 12, "PER"), Finding.BOUNDARY),
        (Span(4, 12, "LOC"), Finding.BOTH),
    ],
)
def test_a_span_that_touches_gold_is_one_finding(given_, finding):
    assert span_findings([NAME], [given_]) == {finding: 1}


def test_spans_apart_are_two_findings():
    found = span_findings([NAME], [Span(10, 12, "PER")])
    assert found == {Finding.MISSED: 1, Finding.SPURIOUS: 1}


def test_the_closest_of_several_is_the_one_that_was_meant():
    found = span_findings([NAME], [Span(0, 2, "PER"), Span(0, 9, "PER"), Span(0, 10, "LOC")])
    assert found == {Finding.TYPE: 1, Finding.SPURIOUS: 2}


def test_a_right_span_explains_no_other():
    found = span_findings([NAME], [NAME, Span(2, 4, "PER")])
    assert found == {Finding.RIGHT: 1, Finding.SPURIOUS: 1}


@given(SPANS, SPANS)
def test_findings_of_all_labels_are_the_findings(gold, given_):
    by_label = label_findings(gold, given_)
    assert sum(by_label.values(), start=Counter()) == span_findings(gold, given_)


def test_a_finding_is_about_the_entity_and_a_spurious_span_about_itself():
    found = label_findings([NAME], [Span(0, 10, "LOC"), Span(20, 22, "ORG")])
    assert found == {"PER": {Finding.TYPE: 1}, "ORG": {Finding.SPURIOUS: 1}}
