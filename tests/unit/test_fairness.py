import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Span
from backend.errors import InputError
from backend.quality.fairness import fairness_of
from backend.quality.slices import (
    Case,
    diacritics_of,
    length_of,
    script_of,
    slice_names,
)
from backend.quality.span_f1 import span_scores

SPANS = tuple(Span(at, at + 1, "PER") for at in range(4))
SOME = st.lists(st.sampled_from(SPANS), unique=True).map(tuple)
CASES = st.lists(
    st.builds(
        lambda gold, given, name: Case("text", gold, given, {"dialect": name}),
        SOME,
        SOME,
        st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=20,
)


def generator(seed=0):
    return np.random.default_rng(seed)


def cases_of(recalls, texts, rng):
    """Texts of four names in each slice, of which that share is found."""
    return [
        Case("t", SPANS, tuple(s for s in SPANS if rng.random() < share), {"dialect": name})
        for name, share in recalls.items()
        for _ in range(texts)
    ]


class TestSlices:
    @pytest.mark.parametrize(
        ("text", "script"),
        [("Kano", "latin"), ("ካኖ is", "ethiopic"), ("كانو", "arabic"), ("12!", "no letters")],
    )
    def test_a_script_is_that_of_most_letters(self, text, script):
        assert script_of(text) == script

    @pytest.mark.parametrize(
        ("words", "name"),
        [(0, "1-9 words"), (9, "1-9 words"), (10, "10-19 words"), (40, "40 words or more")],
    )
    def test_lengths_are_in_words(self, words, name):
        assert length_of("a " * words) == name

    @pytest.mark.parametrize("text", ["Yorùbá", "Yoruba\u0301", "ẹ"])
    def test_diacritics_count_however_they_are_written(self, text):
        assert diacritics_of(text) == "with diacritics"
        assert diacritics_of("Yoruba") == "without"

    def test_what_a_task_says_goes_before_what_is_derived(self):
        cases = [Case("a", (), (), {"script": "ajami"}), Case("a", (), ())]

        assert slice_names(cases, "script") == ["ajami", "latin"]
        assert slice_names(cases, "dialect") == ["not stated", "not stated"]


class TestScores:
    @given(CASES)
    def test_slices_hold_every_text_once_and_are_scored_strictly(self, cases):
        found = fairness_of(cases, ["dialect"], generator(), permutations=9).slices

        assert sum(each.texts for each in found) == len(cases)
        for each in found:
            mine = [(c.gold, c.given) for c in cases if c.meta["dialect"] == each.name]
            assert each.f1.value == pytest.approx(span_scores(mine).f1)
            assert each.recall.value == pytest.approx(span_scores(mine).recall)

    @given(CASES)
    def test_what_is_too_small_is_listed_and_not_judged(self, cases):
        for each in fairness_of(cases, ["dialect"], generator(), permutations=9).slices:
            assert each.too_small == (not each.gaps)
            assert each.too_small or each.spans >= 30

    def test_nothing_to_measure_on_is_said(self):
        with pytest.raises(InputError, match="no text"):
            fairness_of([], ["dialect"], generator())

    def test_a_key_with_one_slice_has_no_rest_to_compare_with(self):
        (only,) = fairness_of(
            cases_of({"a": 0.5}, 50, generator()), ["dialect"], generator()
        ).slices

        assert only.too_small


class TestGaps:
    def test_a_planted_gap_is_found_with_its_size(self):
        cases = cases_of({"a": 0.9, "b": 0.9, "c": 0.6}, 60, generator(1))

        found = fairness_of(cases, ["dialect"], generator()).found

        each, gap = found[0]
        assert each.name == "c"
        assert {g.statistic for s, g in found if s.name == "c"} == {"F1", "recall"}
        recall = next(g for s, g in found if s.name == "c" and g.statistic == "recall")
        assert -0.3 in recall.difference
        assert gap.difference.high < 0

    def test_a_share_of_5_percent_at_most_finds_what_is_not_there(self):
        rng = generator(2)
        found = 0
        for _ in range(200):
            cases = cases_of(dict.fromkeys("abcde", 0.8), 12, rng)
            found += bool(fairness_of(cases, ["dialect"], rng, permutations=299).found)

        assert found / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)

    @given(st.integers(0, 20))
    def test_p_values_are_adjusted_for_all_keys_together(self, seed):
        cases = cases_of({"a": 0.8, "b": 0.7}, 15, generator(seed))

        alone = fairness_of(cases, ["dialect"], generator(), permutations=99).slices[0]
        among = fairness_of(cases, ["dialect", "dialect"], generator(), permutations=99).slices[0]

        for one, other in zip(alone.gaps, among.gaps, strict=True):
            assert one.p_value == other.p_value
            assert one.p_value <= one.adjusted <= other.adjusted

    @given(st.integers(0, 20))
    def test_the_gap_between_two_slices_is_one_gap_seen_from_both_sides(self, seed):
        cases = cases_of({"a": 0.8, "b": 0.7}, 15, generator(seed))

        one, other = fairness_of(cases, ["dialect"], generator(), permutations=99).slices

        for gap, back in zip(one.gaps, other.gaps, strict=True):
            assert (gap.p_value, gap.adjusted) == (back.p_value, back.adjusted)
            assert gap.adjusted <= 2 * max(each.p_value for each in one.gaps)
            assert gap.difference.value == pytest.approx(-back.difference.value)
            assert (gap.difference.low, gap.difference.high) == (
                -back.difference.high,
                -back.difference.low,
            )
