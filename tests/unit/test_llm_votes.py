"""Several answers to one task become one."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Answer, Outcome, Source, SourceKind, Span, Suggestion
from backend.llm.votes import agreement, combined

SOURCE = Source(SourceKind.LLM, "a", "v1/repeated-3")
ADA, LAGOS, STATE = Span(0, 3, "PER"), Span(10, 15, "LOC"), Span(10, 21, "LOC")
NO_REPLY = Answer("1", Outcome.UNREACHABLE, detail="down")


def answer(*spans):
    return Answer("1", Outcome.ANNOTATED, Suggestion("1", spans, 1.0, SOURCE))


def kept(*answers):
    return combined(answers, SOURCE).suggestion


class TestSpans:
    def test_what_most_answers_say_is_kept(self):
        assert kept(answer(ADA), answer(ADA, LAGOS), answer(ADA)).spans == (ADA,)

    def test_a_score_is_the_share_of_answers_that_give_the_span(self):
        spans = kept(answer(ADA, LAGOS), answer(ADA, LAGOS), answer(ADA)).spans
        assert [span.score for span in spans] == [1.0, 2 / 3]

    def test_of_two_answers_the_first_decides(self):
        assert kept(answer(ADA), answer(LAGOS)).spans == (ADA,)

    def test_an_answer_that_failed_confirms_nothing(self):
        assert kept(answer(ADA), NO_REPLY).spans[0].score == 0.5

    def test_of_overlapping_spans_that_with_more_votes_stays(self):
        given_spans = kept(
            answer(STATE), answer(LAGOS), answer(LAGOS), answer(STATE), answer(LAGOS)
        )
        assert given_spans.spans == (LAGOS,)

    spans = st.builds(
        lambda start, length, label: Span(start, start + length, label),
        st.integers(0, 20),
        st.integers(1, 5),
        st.sampled_from(["PER", "LOC"]),
    )

    @given(st.lists(st.lists(spans, max_size=4, unique=True), min_size=1, max_size=5))
    def test_whatever_is_kept_is_disjoint_scored_and_was_given(self, answers):
        shown = kept(*(answer(*spans) for spans in answers))
        assert not any(a.overlaps(b) for a, b in itertools.combinations(shown.spans, 2))
        assert all(0 < span.score <= 1 for span in shown.spans)
        assert {span for spans in answers for span in spans} >= set(shown.spans)
        assert 0 <= shown.confidence <= 1

    @given(st.lists(spans, max_size=4, unique=True), st.integers(1, 5))
    def test_equal_answers_change_nothing_but_overlaps(self, spans, times):
        once, often = kept(answer(*spans)), kept(*[answer(*spans)] * times)
        assert (often.spans, often.confidence) == (once.spans, 1.0)


class TestConfidence:
    def test_two_empty_answers_agree(self):
        assert kept(answer(), answer()).confidence == 1.0

    def test_answers_without_a_span_in_common_disagree(self):
        assert kept(answer(ADA), answer(LAGOS)).confidence == 0.0

    def test_a_failed_answer_agrees_with_none(self):
        assert kept(answer(ADA), answer(ADA), NO_REPLY).confidence == 1 / 3

    def test_a_single_answer_has_nothing_to_disagree_with(self):
        assert agreement([answer(ADA).suggestion], 1) == 1.0


def test_where_all_failed_it_is_the_first_failure():
    assert combined([NO_REPLY, Answer("1", Outcome.INVALID)], SOURCE) == NO_REPLY
