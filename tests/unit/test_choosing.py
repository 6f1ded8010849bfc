import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.choosing import choose_for_humans, doubts_left
from backend.active_learning.trainer import Trainer
from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.tagger.crf import CrfFamily
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("PER", "LOC"))
NAMES = ("Amina", "Juma", "Zanele")


def trainer(family=None):
    return Trainer(family or FakeTaggerFamily(), SCHEME, np.random.default_rng(0))


def example(number, label="PER", name=None):
    name = name or NAMES[number % 3]
    return Example(str(number), f"{name} went on trip {number}", (Span(0, len(name), label),))


def bare(number, name):
    return Example(str(number), f"{name} went on trip {number}", ())


class TestWhatIsDoubtful:
    def test_a_label_that_contradicts_the_tagger_comes_first(self):
        llm = [example(number) for number in range(12)]
        llm[4] = example(4, "LOC")

        assert choose_for_humans([example(30), example(31), example(32)], llm, 3, trainer())[0] == 4

    def test_a_name_that_nobody_knows_and_the_llm_passes_over_comes_before_one_that_all_know(self):
        human = [example(30), example(31), example(32)]

        assert choose_for_humans(human, [example(0), bare(1, "Oumarou")], 1, trainer()) == [1]

    def test_what_the_llm_is_known_to_get_right_needs_no_human(self):
        """Human labels show that what it says of one kind of text holds, of the other not."""
        kinds = {n: ("Amina" if n % 2 else "amina") for n in range(40)}
        human = [example(n, name=kinds[n]) for n in range(40)]
        answers = [example(n, name="Amina") if n % 2 else bare(n, "amina") for n in range(40)]
        llm = [example(91, name="Wanjiru"), bare(92, "wanjiru")]

        right, doubtful = doubts_left(human, [*llm, *answers], trainer(CrfFamily()))[:2]

        assert doubtful > right

    def test_a_text_that_a_human_labelled_is_not_chosen_again(self):
        llm = [example(number, "LOC") for number in range(6)]

        assert sorted(choose_for_humans([example(1), example(4)], llm, 9, trainer())) == [
            0,
            2,
            3,
            5,
        ]

    def test_without_a_span_of_a_human_taggers_that_learnt_from_the_llm_judge_it(self):
        llm = [example(number) for number in range(12)]
        llm[4] = example(4, "LOC")

        chosen = choose_for_humans([Example("1", "nobody", ())], llm, 3, trainer())

        assert 4 in chosen


class TestLimits:
    @given(st.integers(0, 8), st.integers(0, 10), st.sampled_from([(), (example(50), example(51))]))
    def test_as_many_as_the_budget_allows_and_none_twice(self, n, budget, human):
        llm = [example(number) for number in range(n)]

        chosen = choose_for_humans(human, llm, budget, trainer())

        assert len(chosen) == len(set(chosen)) == min(n, budget)

    @given(st.lists(st.floats(0.1, 60), min_size=1, max_size=8), st.floats(0, 200))
    def test_the_time_of_what_is_chosen_stays_within_the_budget(self, seconds, budget):
        llm = [example(number) for number in range(len(seconds))]

        chosen = choose_for_humans([example(50)], llm, budget, trainer(), np.array(seconds))

        assert sum(seconds[place] for place in chosen) <= budget + 1e-9

    @pytest.mark.parametrize("seconds", [[1.0], [1.0, 0.0], [1.0, np.nan]])
    def test_times_that_cannot_be_are_refused(self, seconds):
        with pytest.raises(InputError, match="positive number of seconds"):
            choose_for_humans([], [example(0), example(1)], 1, trainer(), np.array(seconds))

    @pytest.mark.parametrize("text", ["", " ", "x", "word " * 1000])
    def test_empty_short_and_long_texts_have_a_doubt(self, text):
        (doubt,) = doubts_left([example(30)], [Example("1", text, ())], trainer(CrfFamily()))

        assert np.isfinite(doubt)
        assert doubt >= 0
        assert doubt > 0 or not text.split()

    def test_an_llm_that_is_always_wrong_and_one_that_finds_nothing_are_no_errors(self):
        human = [example(number) for number in range(9)]
        wrong = [example(number, "LOC") for number in range(20)]
        silent = [bare(number, "Amina") for number in range(20)]

        for llm in (wrong, silent):
            chosen = choose_for_humans(human, llm, 4, trainer(CrfFamily()))
            assert len(set(chosen) & set(range(9, 20))) == 4
