from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.correction import Corrected
from backend.active_learning.mixing import Labels, Mixture, learn_from_both, training_set
from backend.active_learning.trainer import Trainer
from backend.active_learning.ways import AS_GIVEN, CORRECTED, NONE, Mix, Way, preferred
from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.protocols import silent
from backend.tagger.crf import CrfFamily
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("PER", "LOC"))
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho", "Wanjiru", "Kofi", "Thandi", "Bola")
PLACES = ("Mombasa", "Kano", "Ibadan", "Durban", "Segou", "Lagos", "Gaborone", "Jos", "Mopti")


def gold(number):
    """A sentence about somebody somewhere, rightly labelled."""
    name, place = NAMES[number % len(NAMES)], PLACES[(3 * number) % len(PLACES)]
    text = f"{name} lives near {place} since {number}"
    at = text.index(place)
    return Example(str(number), text, (Span(0, len(name), "PER"), Span(at, at + len(place), "LOC")))


def swapped(example):
    """The same with persons and places mixed up."""
    other = {"PER": "LOC", "LOC": "PER"}
    spans = tuple(Span(span.start, span.end, other[span.label]) for span in example.spans)
    return Example(example.task_id, example.text, spans)


def trainer(family=None, seed=0):
    return Trainer(family or CrfFamily(), SCHEME, np.random.default_rng(seed))


def found(mixture, number=500):
    (tagging,) = mixture.tagger.tag([gold(number).text])
    return tagging.spans == gold(number).spans


HUMAN = [gold(number) for number in range(12)]


class TestChoosing:
    def test_good_llm_labels_enter_where_human_ones_are_few(self):
        """The tagger learns words by heart, and four texts hold few of them."""
        llm = [gold(number) for number in range(20, 80)]

        mixture = learn_from_both(HUMAN[:4], llm, trainer(FakeTaggerFamily()))

        assert mixture.mix is not Mix.NONE
        assert mixture.llm_texts == 60
        assert found(mixture)

    def test_labels_that_are_always_wrong_do_not_enter_as_they_are(self):
        mixture = learn_from_both(HUMAN, [swapped(gold(n)) for n in range(20, 80)], trainer())

        assert mixture.mix is not Mix.AS_GIVEN
        assert found(mixture)

    def test_wrong_labels_are_turned_right_once_a_human_has_shown_how_they_are_wrong(self):
        llm = [swapped(gold(number)) for number in range(60)]

        mixture = learn_from_both(HUMAN, llm, trainer(), mix=Mix.CORRECTED)

        assert (mixture.llm_texts, mixture.changed) == (48, 48)
        assert found(mixture)

    def test_the_scores_behind_the_choice_are_told(self):
        mixture = learn_from_both(HUMAN, [gold(n) for n in range(20, 50)], trainer())

        assert {NONE, CORRECTED, AS_GIVEN} < set(mixture.scores)
        assert mixture.scores[mixture.way].f1 == max(s.f1 for s in mixture.scores.values())
        assert mixture.reason.startswith("cross-validated F1: none ")

    def test_where_nothing_is_gained_human_labels_stay_alone(self):
        """The fake tagger knows every word already, so all ways score alike."""
        mixture = learn_from_both(HUMAN * 3, [*HUMAN[:2], gold(30)], trainer(FakeTaggerFamily()))

        assert (mixture.mix, mixture.llm_texts) == (Mix.NONE, 0)

    def test_equal_seeds_choose_alike(self):
        llm = [gold(number) for number in range(20, 40)]

        first, second = (learn_from_both(HUMAN, llm, trainer(seed=3)) for _ in range(2))

        assert (first.mix, first.scores) == (second.mix, second.scores)

    def test_labels_as_they_are_are_not_tried_of_an_llm_that_is_worse_than_the_tagger(self):
        llm = [swapped(gold(number)) for number in range(60)]

        mixture = learn_from_both(HUMAN, llm, trainer())

        assert set(mixture.scores) >= {NONE, CORRECTED}
        assert AS_GIVEN not in mixture.scores

    def test_labels_that_are_all_right_are_never_worse_than_none(self):
        """With answers to the human texts too, as the live loop has them."""
        mixture = learn_from_both(HUMAN, [gold(number) for number in range(80)], trainer())

        assert found(mixture)

    def test_fewer_of_the_corrected_labels_are_tried_as_long_as_they_do_better(self):
        mixture = learn_from_both(HUMAN, [gold(n) for n in range(20, 60)], trainer())

        shares = [way.share for way in mixture.scores if way.mix is Mix.CORRECTED]
        f1 = [mixture.scores[Way(Mix.CORRECTED, share)].f1 for share in shares]
        assert shares == [1.0, 0.75, 0.5, 0.25][: len(shares)]
        assert len(shares) >= 2
        assert all(fewer > more for more, fewer in pairwise(f1[:-1]))


class TestShares:
    better = tuple(
        Corrected(gold(number), loss) for number, loss in enumerate((0.3, 0.1, 0.4, 0.2))
    )
    labels = Labels([gold(50)], {}, [gold(number) for number in range(4)])

    def learnt(self, share):
        examples = training_set(self.labels, Way(Mix.CORRECTED, share), self.better)
        return [int(example.task_id) for example in examples[1:]]

    def test_the_surest_enter_first_and_keep_their_order(self):
        assert self.learnt(0.5) == [1, 3]
        assert self.learnt(0.75) == [0, 1, 3]

    def test_the_whole_is_everything_and_the_least_share_is_one_text(self):
        assert self.learnt(1.0) == [0, 1, 2, 3]
        assert self.learnt(0.01) == [1]

    @given(st.floats(0.01, 1), st.floats(0.01, 1))
    def test_a_larger_share_holds_the_smaller(self, one, other):
        small, large = sorted((one, other))

        assert set(self.learnt(small)) <= set(self.learnt(large))

    def test_a_share_is_told(self):
        summary = Mixture(None, Way(Mix.CORRECTED, 0.5), 20, 3, 3, "better so").summary

        assert summary == "20 LLM labels, the surest 50%, corrected (3 of them changed): better so"


class TestWhatIsLearntFrom:
    def test_a_text_that_a_human_labelled_never_enters_with_the_llms_label(self):
        family = FakeTaggerFamily()
        llm = [swapped(example) for example in HUMAN] + [gold(30)]

        learn_from_both(HUMAN, llm, trainer(family), mix=Mix.AS_GIVEN)

        learnt = [item for item in family.trained_on[-1] if item.text == HUMAN[0].text]
        assert [item.spans for item in learnt] == [HUMAN[0].spans]

    def test_no_label_of_a_held_out_text_takes_part_in_a_fold(self):
        """Each training of the cross-validation lacks the texts it is measured on, in any form."""
        family = FakeTaggerFamily()
        llm = [swapped(example) for example in HUMAN] + [gold(n) for n in range(30, 40)]

        learn_from_both(HUMAN, llm, trainer(family), folds=3)

        human = {example.text for example in HUMAN}
        seen = [human & {item.text for item in examples} for examples in family.trained_on[:9]]
        assert {len(texts) for texts in seen} == {8}
        assert len(family.trained_on) >= 10

    def test_human_labels_weigh_more_beside_labels_as_given(self):
        family = FakeTaggerFamily()

        mixture = learn_from_both(HUMAN[:1], [gold(30)], trainer(family), mix=Mix.AS_GIVEN)

        assert [item.weight for item in family.trained_on[-1]] == [3.0, 1.0]
        assert mixture.human_weight == 3


class TestLimits:
    @pytest.mark.parametrize("mix", [None, *Mix])
    def test_without_llm_labels_humans_decide_alone(self, mix):
        mixture = learn_from_both(HUMAN, [swapped(HUMAN[0])], trainer(), mix=mix)

        assert (mixture.mix, mixture.llm_texts, mixture.scores) == (Mix.NONE, 0, {})

    @pytest.mark.parametrize("n", [0, 1, 2])
    def test_with_hardly_a_human_label_the_llm_is_taken_at_its_word(self, n):
        mixture = learn_from_both(HUMAN[:n], [gold(number) for number in range(30, 60)], trainer())

        assert mixture.mix is Mix.AS_GIVEN
        assert "too few" in mixture.reason
        assert found(mixture)

    @pytest.mark.parametrize("mix", [None, Mix.CORRECTED])
    def test_human_labels_without_a_span_leave_nothing_to_judge_or_correct_by(self, mix):
        nothing = [Example(str(n), f"nobody was there {n}", ()) for n in range(6)]

        mixture = learn_from_both(nothing, [gold(n) for n in range(30, 60)], trainer(), mix=mix)

        assert mixture.llm_texts == 30
        assert found(mixture)

    def test_one_label_that_only_the_llm_uses_is_no_error(self):
        llm = [
            Example(item.task_id, item.text, tuple(s for s in item.spans if s.label == "LOC"))
            for item in map(gold, range(20, 40))
        ]
        people = [Example(e.task_id, e.text, e.spans[:1]) for e in HUMAN]

        assert learn_from_both(people, llm, trainer()).llm_texts in {0, 5, 10, 15, 20}

    @pytest.mark.parametrize("mix", [None, *Mix])
    def test_an_llm_that_finds_nothing_anywhere_leaves_what_people_taught(self, mix):
        silent_llm = [replace(gold(number), spans=()) for number in range(24)]

        mixture = learn_from_both(HUMAN, silent_llm, trainer(), mix=mix)

        assert mixture.mix is (mix or mixture.mix)
        assert found(mixture) or mix is Mix.AS_GIVEN

    def test_no_span_anywhere_is_an_error_that_says_so(self):
        with pytest.raises(InputError):
            learn_from_both([Example("1", "nobody", ())], [Example("2", "none", ())], trainer())

    def test_texts_without_tokens_and_very_long_ones_do_no_harm(self):
        odd = [Example("a", "", ()), Example("b", " ", ()), Example("c", "word " * 1000, ())]

        assert found(learn_from_both(HUMAN + odd[:1], [*odd, gold(40)], trainer()))

    def test_an_interrupted_training_interrupts_everything(self):
        class LostError(Exception):
            pass

        def lose(done, total, what=""):
            raise LostError

        interrupted = Trainer(CrfFamily(), SCHEME, np.random.default_rng(0), lose)

        with pytest.raises(LostError):
            learn_from_both(HUMAN, [gold(40)], interrupted)

    def test_only_the_last_training_goes_on_from_an_earlier_tagger(self):
        """That one may have learnt what the others are measured on."""
        starts = []

        class Remembering(FakeTaggerFamily):
            def train(self, examples, scheme, rng, progress=silent, start=None):
                starts.append(start)
                return super().train(examples, scheme, rng, progress)

        earlier = FakeTaggerFamily().train(HUMAN, SCHEME, np.random.default_rng(0))
        warm = Trainer(Remembering(), SCHEME, np.random.default_rng(0), start=earlier)

        learn_from_both(HUMAN, [gold(40)], warm)

        assert starts[-1] is earlier
        assert not any(starts[:-1])


class TestPreference:
    ADA, LAGOS = Span(0, 3, "PER"), Span(9, 14, "LOC")

    def found(self, right: range) -> list[tuple[tuple[Span, ...], tuple[Span, ...]]]:
        """Sixty texts, those in ``right`` with both spans found, the rest with one of two."""
        gold = (self.ADA, self.LAGOS)
        return [(gold, gold if place in right else (self.ADA,)) for place in range(60)]

    def preferred_share(self, **right: range) -> float:
        pairs = {NONE: self.found(range(0))}
        shares = {"all": 1.0, "half": 0.5, "quarter": 0.25}
        for name, places in right.items():
            pairs[Way(Mix.CORRECTED, shares[name])] = self.found(places)
        return preferred(pairs, np.random.default_rng(0)).share

    def test_a_share_that_is_clearly_better_is_taken(self):
        assert self.preferred_share(all=range(10), half=range(50)) == 0.5

    def test_of_shares_within_chance_the_larger_is_taken(self):
        assert self.preferred_share(all=range(40), half=range(19, 60)) == 1.0
        assert self.preferred_share(all=range(9), half=range(10, 50), quarter=range(11, 52)) == 0.5

    def test_a_share_that_is_no_better_than_nothing_is_left_out(self):
        pairs = {way: self.found(range(20)) for way in (NONE, CORRECTED, Way(Mix.CORRECTED, 0.5))}

        assert preferred(pairs, np.random.default_rng(0)) == NONE

    def preferred(self, none: range, corrected: range, as_given: range) -> Mix:
        right = {NONE: none, CORRECTED: corrected, AS_GIVEN: as_given}
        pairs = {way: self.found(places) for way, places in right.items()}
        return preferred(pairs, np.random.default_rng(0)).mix

    def test_a_clear_lead_of_labels_as_given_is_taken(self):
        assert self.preferred(range(10), range(20), range(50)) is Mix.AS_GIVEN

    def test_a_lead_within_chance_is_not(self):
        assert self.preferred(range(10), range(40), range(19, 60)) is Mix.CORRECTED

    def test_what_does_not_help_is_left_out(self):
        assert self.preferred(range(40), range(30), range(40)) is Mix.NONE

    def test_equal_ways_use_the_llm_least(self):
        assert self.preferred(range(30), range(30), range(30)) is Mix.NONE
