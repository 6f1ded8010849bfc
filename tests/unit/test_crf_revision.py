import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.protocols import Revising
from backend.tagger.auxiliary import AuxiliaryFamily
from backend.tagger.crf import CrfFamily
from backend.tagger.crf_revision import Answers
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("PER", "LOC"))
O, B_PER, I_PER, B_LOC, I_LOC = range(5)  # noqa: E741 - the tag's own name
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho", "Wanjiru", "Kofi", "Thandi", "Bola")


def said(text, *mentions):
    """An example with the mentions, each ``(words, label)``, at their first place in the text."""
    spans = [Span(text.index(m), text.index(m) + len(m), label) for m, label in mentions]
    return Example(text, text, tuple(sorted(spans)))


def titled(name, number, with_title):
    """A doctor by name; whether the title belongs to the name is what people and LLMs differ in."""
    text = f"we met Dr {name} on day {number}"
    return said(text, (f"Dr {name}" if with_title else name, "PER"))


def revise(right, given, asked, scheme=SCHEME):
    return CrfFamily().revise(right, given, asked, scheme)


class TestRevising:
    def test_a_word_that_the_labeller_wrongly_takes_into_names_is_cut_off(self):
        right = [titled(NAMES[n % 10], n, with_title=False) for n in range(30)]
        given = [titled(NAMES[n % 10], n, with_title=True) for n in range(30)]

        (likely,) = revise(right, given, [titled("Oumarou", 77, with_title=True)])

        assert likely.argmax(axis=1).tolist()[2:4] == [O, B_PER]

    def test_labels_that_were_always_right_are_kept_for_names_never_seen(self):
        """Sentences with and without names look alike, so only the labels tell them apart."""
        right = [
            said(
                f"today {NAMES[n % 10].lower()} {n}", *([(NAMES[n % 10].lower(), "PER")] * (n % 2))
            )
            for n in range(40)
        ]

        named, bare = revise(
            right, right, [said("today wxyz 90", ("wxyz", "PER")), said("today vwyz 91")]
        )

        assert (named[1].argmax(), bare[1].argmax()) == (B_PER, O)

    def test_a_label_that_is_always_wrong_is_turned_right(self):
        right = [said(f"{NAMES[n % 10]} left {n}", (NAMES[n % 10], "PER")) for n in range(30)]
        given = [said(f"{NAMES[n % 10]} left {n}", (NAMES[n % 10], "LOC")) for n in range(30)]

        (likely,) = revise(right, given, [said("Oumarou left 99", ("Oumarou", "LOC"))])

        assert likely[0].argmax() == B_PER

    def test_equal_input_gives_equal_views(self):
        right = [titled(NAMES[n % 10], n, with_title=False) for n in range(9)]

        first, second = (revise(right, right, right[:2]) for _ in range(2))

        assert all((one == other).all() for one, other in zip(first, second, strict=True))

    def test_a_family_with_other_languages_labels_revises_as_the_family_in_it(self):
        right = [titled(NAMES[n % 10], n, with_title=False) for n in range(9)]
        family = AuxiliaryFamily(CrfFamily(), {"xho": [said("Thabo left", ("Thabo", "PER"))]})

        (one,), (other,) = (
            family.revise(right, right, right[:1], SCHEME),
            revise(right, right, right[:1]),
        )

        assert isinstance(family, Revising)
        assert (one == other).all()

    def test_a_family_in_it_that_does_not_revise_is_no_error(self):
        right = [said("Amina left", ("Amina", "PER"))]

        assert AuxiliaryFamily(FakeTaggerFamily(), {}).revise(right, right, right, SCHEME) is None


class TestLimits:
    right = (said("Amina left", ("Amina", "PER")),)

    @pytest.mark.parametrize("text", ["", "  ", "x", "word " * 3000])
    def test_empty_short_and_long_texts(self, text):
        (likely,) = revise(self.right, self.right, [Example("1", text, ())])

        assert likely.shape == (len(text.split()), 5)
        assert likely.sum(axis=1) == pytest.approx(1)

    def test_nothing_asked_is_nothing_told(self):
        assert revise(self.right, self.right, []) == []

    def test_one_label(self):
        (likely,) = revise(self.right, self.right, self.right, LabelScheme(("PER",)))

        assert likely.argmax(axis=1).tolist() == [1, 0]

    def test_labels_outside_the_scheme_are_passed_over(self):
        foreign = said("Amina left", ("Amina", "TITLE"))

        features = Answers([foreign], SCHEME).features(foreign)

        assert features == Answers([said("Amina left")], SCHEME).features(said("Amina left"))

    def test_without_a_span_by_people_there_is_nothing_to_learn_from(self):
        nothing = said("nobody left")

        with pytest.raises(InputError):
            revise([nothing], [said("nobody left", ("nobody", "PER"))], [nothing])

    @given(st.lists(st.sampled_from(["Amina", "", "a\0b", "\ud800", "İ ß", "-1w=x", "said=O"])))
    def test_odd_words_are_words_like_others(self, words):
        text = " ".join(words)

        (likely,) = revise(self.right, self.right, [Example("1", text, ())])

        assert np.isfinite(likely).all()
        assert len(likely) == len(Answers([], SCHEME).features(Example("1", text, ())))
