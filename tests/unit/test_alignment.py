import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import LabelScheme, Span
from backend.text.labels import canonical_label
from backend.text.spans import Mention, align, resolve_overlaps, valid_spans

SCHEME = LabelScheme(("PER", "LOC", "ORG", "DATE"))
SIMPLE_LETTERS = "aAlí̀i İß’'\" \u00ad\n"


def places(text: str, *mentions: Mention) -> list[tuple[str, str]]:
    return [
        (text[span.start : span.end], span.label) for span in align(text, mentions, SCHEME).spans
    ]


def reasons(text: str, *mentions: Mention) -> list[str]:
    return [rejection.reason for rejection in align(text, mentions, SCHEME).rejected]


class TestWords:
    def test_words_are_found_as_they_are(self):
        alignment = align("Ada went to Lagos", [Mention("Lagos", "LOC")], SCHEME)
        assert alignment.spans == (Span(12, 17, "LOC"),)
        assert alignment.repaired == 0

    def test_words_in_another_normal_form_are_found_and_counted_as_a_repair(self):
        text = unicodedata.normalize("NFD", "Ó wà ní Ìbàdàn")
        alignment = align(text, [Mention("Ìbàdàn", "LOC")], SCHEME)
        assert [text[s.start : s.end] for s in alignment.spans] == [text[-9:]]
        assert alignment.repaired == 1

    def test_words_in_other_case_are_found_and_counted_as_a_repair(self):
        alignment = align("İİ LAGOS", [Mention("Lagos", "LOC")], SCHEME)
        assert alignment.spans == (Span(3, 8, "LOC"),)
        assert alignment.repaired == 1

    def test_words_that_are_not_in_the_text_are_rejected_with_a_reason(self):
        assert reasons("Ada went to Lagos", Mention("Abuja", "LOC")) == ["not in the text"]

    @pytest.mark.parametrize(
        ("text", "words", "found"),
        [
            ("the COVID - 19 virus", "COVID-19", "COVID - 19"),
            ('the """" Star """" of Lagos', 'Star" of Lagos', 'Star """" of Lagos'),
            ("in Lagos , Nigeria", "Lagos, Nigeria", "Lagos , Nigeria"),
            ("in Lagos today", "Lagos.", "Lagos"),
            ("s ' Abeokuta", "S'Abeokuta", "s ' Abeokuta"),
        ],
    )
    def test_words_with_other_punctuation_between_are_found(self, text, words, found):
        alignment = align(text, [Mention(words, "ORG")], SCHEME)
        assert [text[span.start : span.end] for span in alignment.spans] == [found]
        assert alignment.repaired == 1

    def test_letters_that_punctuation_parts_are_no_word(self):
        assert reasons("one of us", Mention("U.S.", "LOC")) == ["not in the text"]

    @pytest.mark.parametrize("empty", ["", "  ", "\u200b", "...", '""'])
    def test_a_mention_of_nothing_is_rejected(self, empty: str):
        assert reasons("Ada went", Mention(empty, "LOC")) == ["not in the text"]

    def test_a_word_of_its_own_comes_before_the_same_letters_inside_a_word(self):
        text = "Alison met Ali"
        assert align(text, [Mention("Ali", "PER")], SCHEME).spans == (Span(11, 14, "PER"),)

    def test_a_word_of_its_own_in_other_case_comes_before_letters_inside_a_word(self):
        text = "Alison met ALI"
        assert align(text, [Mention("Ali", "PER")], SCHEME).spans == (Span(11, 14, "PER"),)

    def test_letters_inside_a_word_are_the_last_resort(self):
        assert places("Uya eThekwini", Mention("Thekwini", "LOC")) == [("Thekwini", "LOC")]

    def test_letters_inside_a_word_in_other_case_are_no_place(self):
        assert reasons("KwaZulu", Mention("zulu", "LOC")) == ["not in the text"]


class TestOccurrences:
    TEXT = "Lagos, Lagos and Lagos"

    def test_an_occurrence_counts_from_one(self):
        spans = align(self.TEXT, [Mention("Lagos", "LOC", 3)], SCHEME).spans
        assert spans == (Span(17, 22, "LOC"),)

    def test_without_an_occurrence_the_next_unused_places_are_taken_in_order(self):
        spans = align(self.TEXT, [Mention("Lagos", "LOC")] * 2, SCHEME).spans
        assert [span.start for span in spans] == [0, 7]

    def test_a_repeated_occurrence_goes_to_the_next_unused_place(self):
        spans = align(self.TEXT, [Mention("Lagos", "LOC", 1)] * 2, SCHEME).spans
        assert [span.start for span in spans] == [0, 7]

    def test_those_that_name_their_occurrence_choose_first(self):
        spans = align(
            self.TEXT, [Mention("Lagos", "LOC"), Mention("Lagos", "LOC", 1)], SCHEME
        ).spans
        assert [span.start for span in spans] == [0, 7]

    @pytest.mark.parametrize("beyond", [0, -1, 9, 10**30])
    def test_an_occurrence_that_does_not_exist_goes_to_the_next_unused_place(self, beyond: int):
        spans = align(self.TEXT, [Mention("Lagos", "LOC", beyond)], SCHEME).spans
        assert [span.start for span in spans] == [0]

    def test_more_mentions_than_occurrences_are_rejected(self):
        assert reasons("Lagos", *[Mention("Lagos", "LOC")] * 2) == [
            "given more often than it occurs"
        ]

    def test_an_occurrence_in_other_case_counts_when_there_are_too_few_exact_ones(self):
        spans = align("Lagos or LAGOS", [Mention("Lagos", "LOC", 2)], SCHEME).spans
        assert spans == (Span(9, 14, "LOC"),)


class TestLabels:
    @pytest.mark.parametrize("given_label", ["loc", " LOC ", "B-LOC", "i-loc".upper(), "B_Loc"])
    def test_a_label_that_differs_only_in_form_is_repaired(self, given_label: str):
        alignment = align("Lagos", [Mention("Lagos", given_label)], SCHEME)
        assert alignment.spans == (Span(0, 5, "LOC"),)
        assert alignment.repaired == 1

    def test_any_other_label_is_rejected(self):
        assert reasons("Lagos", Mention("Lagos", "CITY")) == [
            "the label is not one of the project's"
        ]

    def test_a_label_that_could_mean_two_is_rejected(self):
        assert canonical_label("Per", LabelScheme(("per", "PER"))) is None

    def test_white_space_inside_a_label_does_not_matter(self):
        assert canonical_label("given  NAME", LabelScheme(("Given name",))) == "Given name"


class TestOverlaps:
    def test_the_longer_of_two_overlapping_mentions_stays(self):
        text = "University of Lagos"
        alignment = align(
            text, [Mention("Lagos", "LOC"), Mention("University of Lagos", "ORG")], SCHEME
        )
        assert alignment.spans == (Span(0, 19, "ORG"),)
        assert [rejection.mention for rejection in alignment.rejected] == ["Lagos"]

    def test_the_earlier_of_two_equally_long_ones_stays(self):
        kept, lost = resolve_overlaps([Span(2, 6, "PER"), Span(0, 4, "PER")])
        assert (kept, lost) == ((Span(0, 4, "PER"),), (Span(2, 6, "PER"),))

    def test_of_two_labels_for_one_place_the_first_given_stays(self):
        mentions = [Mention("Lagos", "ORG", 1), Mention("Lagos", "LOC", 1)]
        assert places("Lagos", *mentions) == [("Lagos", "ORG")]


class TestScores:
    @pytest.mark.parametrize(("confidence", "score"), [(0.5, 0.5), (7.0, 1.0), (-1.0, 0.0)])
    def test_a_confidence_becomes_a_score_between_0_and_1(self, confidence, score):
        spans = align("Lagos", [Mention("Lagos", "LOC", None, confidence)], SCHEME).spans
        assert spans[0].score == score

    def test_a_confidence_that_is_no_number_is_no_score(self):
        spans = align("Lagos", [Mention("Lagos", "LOC", None, float("nan"))], SCHEME).spans
        assert spans[0].score is None


class TestValidSpans:
    @pytest.mark.parametrize(
        ("span", "problem"),
        [
            (Span(0, 3, "CITY"), "has a label that is not one of the project's"),
            (Span(0, 99, "LOC"), "is outside the text of 9 characters"),
            (Span(-2, 3, "LOC"), "is outside the text of 9 characters"),
            (Span(5, 2, "LOC"), "is reversed"),
            (Span(4, 4, "LOC"), "is empty"),
        ],
    )
    def test_an_impossible_span_is_left_out_with_its_problem(self, span: Span, problem: str):
        valid, problems = valid_spans("Ada Lagos", [span], SCHEME)
        assert valid == ()
        assert problems == (f"{span.label} at {span.start}-{span.end} {problem}",)

    def test_a_span_stored_twice_counts_once(self):
        valid, problems = valid_spans("Ada Lagos", [Span(4, 9, "LOC")] * 2, SCHEME)
        assert valid == (Span(4, 9, "LOC"),)
        assert problems == ("LOC at 4-9 is there twice",)

    def test_of_overlapping_spans_the_longer_stays(self):
        spans = [Span(4, 9, "LOC"), Span(0, 9, "ORG")]
        valid, problems = valid_spans("Ada Lagos", spans, SCHEME)
        assert valid == (Span(0, 9, "ORG"),)
        assert problems == ("LOC at 4-9 overlaps a longer or earlier span",)


TEXTS = st.one_of(st.text(max_size=60), st.text(SIMPLE_LETTERS, max_size=30))


@st.composite
def text_and_mentions(draw):
    text = draw(TEXTS)
    cut = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    words = st.one_of(cut.map(lambda ends: text[min(ends) : max(ends)]), TEXTS)
    mention = st.builds(
        Mention,
        words,
        st.sampled_from(["PER", "loc", "B-ORG", "nonsense", ""]),
        st.none() | st.integers(),
        st.none() | st.floats(),
    )
    return text, draw(st.lists(mention, max_size=8))


@given(text_and_mentions())
def test_whatever_is_mentioned_spans_are_in_the_text_labelled_sorted_and_disjoint(case):
    text, mentions = case
    alignment = align(text, mentions, SCHEME)
    valid, problems = valid_spans(text, alignment.spans, SCHEME)
    assert (valid, problems) == (alignment.spans, ())
    assert all(span.score is None or 0 <= span.score <= 1 for span in valid)


@given(text_and_mentions())
def test_every_mention_becomes_a_span_or_a_rejection(case):
    text, mentions = case
    alignment = align(text, mentions, SCHEME)
    assert len(alignment.spans) + len(alignment.rejected) == len(mentions)
    assert alignment.repaired <= len(alignment.spans)
