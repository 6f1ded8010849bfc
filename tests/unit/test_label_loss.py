import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.label_loss import cross_fitted_loss, label_loss
from backend.active_learning.trainer import Trainer, folds_of
from backend.domain import Example, LabelScheme, Span
from backend.protocols import Tagging
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("PER", "LOC"))
NAMES = ("Amina", "Juma", "Zanele")


def trainer(seed=0):
    return Trainer(FakeTaggerFamily(), SCHEME, np.random.default_rng(seed))


def example(number, label="PER"):
    name = NAMES[number % 3]
    return Example(str(number), f"{name} went on trip {number}", (Span(0, len(name), label),))


def tagging(*rows):
    """Rows are probabilities of O, B-PER, I-PER, B-LOC and I-LOC."""
    return Tagging((), np.array(rows, dtype=float).reshape(len(rows), 5))


class TestLabelLoss:
    def test_it_is_the_negative_log_of_what_the_tagger_gives_the_labels(self):
        seen = tagging([0.1, 0.5, 0.1, 0.2, 0.1], [0.8, 0.05, 0.05, 0.05, 0.05])
        labelled = Example("1", "Amina went", (Span(0, 5, "PER"),))

        assert label_loss(seen, labelled, SCHEME) == pytest.approx(-np.log(0.5 * 0.8))

    def test_a_certain_tagger_that_agrees_finds_no_loss(self):
        assert (
            label_loss(tagging([0, 1, 0, 0, 0]), Example("1", "A", (Span(0, 1, "PER"),)), SCHEME)
            == 0
        )

    def test_what_the_tagger_holds_for_impossible_costs_much_but_not_everything(self):
        loss = label_loss(tagging([1, 0, 0, 0, 0]), Example("1", "A", (Span(0, 1, "LOC"),)), SCHEME)

        assert 10 < loss < 20

    @pytest.mark.parametrize("text", ["", "   "])
    def test_a_text_without_tokens_costs_nothing(self, text):
        assert label_loss(tagging(), Example("1", text, ()), SCHEME) == 0

    def test_a_thousand_tokens_are_finite(self):
        text = "a " * 1000

        assert np.isfinite(
            label_loss(tagging(*[[1, 0, 0, 0, 0]] * 1000), Example("1", text, ()), SCHEME)
        )

    def test_labels_outside_of_the_scheme_are_left_out(self):
        foreign = Example("1", "A", (Span(0, 1, "EVENT"),))

        assert label_loss(tagging([1, 0, 0, 0, 0]), foreign, SCHEME) == 0


class TestCrossFitting:
    def test_a_label_that_contradicts_all_others_has_the_largest_loss(self):
        llm = [example(number) for number in range(12)]
        llm[4] = example(4, "LOC")

        losses = cross_fitted_loss([example(30), example(31), example(32)], llm, trainer())

        assert losses.argmax() == 4

    def test_no_tagger_judges_a_label_that_it_learnt(self):
        """Each training holds all human labels, and never a copy of a text that it judges."""
        family = FakeTaggerFamily()
        llm = [example(number) for number in range(10)] * 2
        judged = {}

        class Spy:
            kind = family.kind
            load = family.load

            def train(self, examples, *others):
                tagger = family.train(examples, *others)
                judged[id(tagger)] = ({item.text for item in examples}, tagger)
                return tagger

        cross_fitted_loss([example(30)], llm, Trainer(Spy(), SCHEME, np.random.default_rng(1)))

        assert judged
        for learnt, tagger in judged.values():
            assert example(30).text in learnt
            assert not learnt & set(tagger.asked)

    def test_every_label_is_judged_once(self):
        family = FakeTaggerFamily()

        losses = cross_fitted_loss(
            [], [example(n) for n in range(7)], Trainer(family, SCHEME, np.random.default_rng(0))
        )

        assert losses.shape == (7,)
        assert np.isfinite(losses).all()

    def test_without_a_span_to_learn_from_the_number_of_spans_decides(self):
        llm = [Example("1", "Juma met Amina", (Span(0, 4, "PER"),)), Example("2", "nobody", ())]

        assert cross_fitted_loss([], llm[1:], trainer()).tolist() == [0.0]
        assert cross_fitted_loss([], llm[:1], trainer()).tolist() == [1.0]

    def test_nothing_has_no_losses(self):
        assert cross_fitted_loss([example(1)], [], trainer()).shape == (0,)


@given(st.lists(st.sampled_from("abcdefgh")), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_folds_are_even_and_keep_copies_together(texts, folds, seed):
    of = folds_of(texts, folds, np.random.default_rng(seed))

    by_text = dict(zip(texts, of.tolist(), strict=True))
    sizes = np.bincount(list(by_text.values()), minlength=folds)
    assert of.tolist() == [by_text[text] for text in texts]
    assert sizes.max() - sizes.min() <= 1
