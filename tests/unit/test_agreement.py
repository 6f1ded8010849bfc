import math
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats import inter_rater

from backend.domain import Span
from backend.quality.agreement import (
    fleiss_kappa,
    krippendorff_alpha,
    pairwise_f1,
    pairwise_token_agreement,
    rating_counts,
    span_ratings,
)
from backend.text.bio import to_bio

LABELS = ["O", "B-PER", "I-PER", "B-LOC"]
RATINGS = st.integers(2, 5).flatmap(
    lambda raters: st.lists(
        st.lists(st.sampled_from(LABELS), min_size=raters, max_size=raters),
        min_size=2,
        max_size=15,
    )
)
WITH_GAPS = st.lists(
    st.lists(st.sampled_from([*LABELS, None]), min_size=4, max_size=4), min_size=2, max_size=12
)
PLACES = [(0, 1), (2, 3), (4, 5)]
SPANS = st.dictionaries(st.sampled_from(PLACES), st.sampled_from(["PER", "LOC"])).map(
    lambda marked: frozenset(Span(*place, label) for place, label in marked.items())
)


def fleiss_by_the_book(items):
    """Fleiss (1971) as written there: pairs counted one by one."""
    pairs = [(a, b) for item in items for a, b in combinations(item, 2)]
    observed = np.mean([a == b for a, b in pairs])
    said = [label for item in items for label in item]
    expected = sum((said.count(label) / len(said)) ** 2 for label in set(said))
    return (observed - expected) / (1 - expected)


class TestFleiss:
    @given(RATINGS)
    def test_it_is_the_books(self, items):
        assume(len({label for item in items for label in item}) > 1)
        assert fleiss_kappa(rating_counts(items)) == pytest.approx(fleiss_by_the_book(items))

    @given(RATINGS)
    def test_it_is_the_librarys(self, items):
        assume(len({label for item in items for label in item}) > 1)
        table, _ = inter_rater.aggregate_raters(np.array(items))
        assert fleiss_kappa(table) == pytest.approx(inter_rater.fleiss_kappa(table, "fleiss"))
        assert fleiss_kappa(rating_counts(items)) == pytest.approx(fleiss_kappa(table))

    def test_it_is_the_example_of_its_inventor(self):
        diagnoses = [
            [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0],
            [2, 0, 4, 0, 0], [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6],
            [1, 0, 0, 5, 0], [1, 1, 0, 4, 0], [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1],
            [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0], [0, 2, 0, 4, 0], [1, 0, 2, 0, 3],
            [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0], [1, 0, 0, 4, 1],
            [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
        ]  # fmt: skip
        assert fleiss_kappa(diagnoses) == pytest.approx(0.430, abs=0.0005)


class TestKrippendorff:
    @given(WITH_GAPS)
    def test_it_is_the_librarys(self, items):
        rated = [[said for said in item if said is not None] for item in items]
        assume(len({label for item in rated if len(item) > 1 for label in item}) > 1)
        numbers = {label: at for at, label in enumerate(LABELS)}
        data = [[numbers.get(label, math.nan) for label in item] for item in items]

        ours = krippendorff_alpha(rating_counts(items))

        theirs = krippendorff.alpha(np.array(data).T, level_of_measurement="nominal")
        assert ours == pytest.approx(theirs)

    @given(RATINGS)
    def test_for_many_ratings_it_is_close_to_fleiss(self, items):
        counts = rating_counts(items * 50)
        kappa = fleiss_kappa(counts)
        assume(not math.isnan(kappa))
        assert krippendorff_alpha(counts) == pytest.approx(kappa, abs=0.02)


@pytest.mark.parametrize("coefficient", [fleiss_kappa, krippendorff_alpha])
class TestBothCoefficients:
    def test_all_agree(self, coefficient):
        assert coefficient(rating_counts([["O"] * 3, ["B-PER"] * 3])) == 1

    def test_with_one_label_nobody_could_disagree(self, coefficient):
        assert math.isnan(coefficient(rating_counts([["O"] * 3] * 4)))

    def test_with_one_label_besides_o_all_agree_or_nobody_does(self, coefficient):
        assert coefficient(rating_counts([["O"] * 3, ["B-PER"] * 3] * 5)) == 1
        assert coefficient(rating_counts([["O", "B-PER"], ["B-PER", "O"]] * 50)) < -0.9

    def test_one_annotator_agrees_with_nobody(self, coefficient):
        assert math.isnan(coefficient(rating_counts([["O"], ["B-PER"]])))

    def test_nothing_was_rated(self, coefficient):
        assert math.isnan(coefficient(rating_counts([])))
        assert math.isnan(coefficient(rating_counts([[None, None]])))

    def test_two_who_share_their_habits_are_judged_as_by_cohen(self, coefficient):
        items = [["a", "b"], ["b", "a"], ["a", "a"], ["b", "b"]] * 40
        cohen = cohen_kappa_score(*zip(*items, strict=True))
        assert coefficient(rating_counts(items)) == pytest.approx(cohen, abs=0.01)


class TestPairwiseF1:
    @given(st.lists(st.lists(SPANS, min_size=3, max_size=3), min_size=1, max_size=6))
    def test_it_is_seqevals_over_all_pairs_both_ways(self, texts):
        assume(any(answer for answers in texts for answer in answers))
        tags = [[to_bio(PLACES, spans)[0] for spans in answers] for answers in texts]
        pairs = [(a, b) for answers in tags for a in answers for b in answers if a is not b]
        ours = pairwise_f1(texts)
        assert ours == pytest.approx(f1_score(*map(list, zip(*pairs, strict=True))))

    def test_all_agree(self):
        assert pairwise_f1([[{Span(0, 1, "PER")}] * 4]) == 1

    def test_nothing_marked_is_no_agreement_on_anything(self):
        assert math.isnan(pairwise_f1([[set(), set()]]))

    def test_one_answer_agrees_with_nobody(self):
        assert math.isnan(pairwise_f1([[{Span(0, 1, "PER")}]]))


def test_a_place_is_rated_by_everybody_once_anybody_marks_it():
    answers = [{Span(0, 1, "PER")}, {Span(0, 1, "LOC"), Span(2, 3, "PER")}]
    assert span_ratings(answers) == [["PER", "LOC"], ["", "PER"]]


@given(RATINGS)
def test_token_agreement_is_the_share_of_equal_pairs(items):
    pairs = [a == b for item in items for a, b in combinations(item, 2)]
    assert pairwise_token_agreement(rating_counts(items)) == pytest.approx(np.mean(pairs))
