"""Planted label errors come first, and the ranking is cleanlab's."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.token_classification.rank import get_label_quality_scores
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.domain import Example, LabelScheme, Span
from backend.protocols import Tagging
from backend.quality.cross_fitting import CrossFit
from backend.quality.label_errors import Suspect, label_quality, suspects
from backend.tagger.crf import CrfFamily
from backend.text.bio import tag_names

SCHEME = LabelScheme(("PER", "LOC"))
TAGS = tag_names(SCHEME.labels)
AMINA, LAGOS = Span(0, 5, "PER"), Span(14, 19, "LOC")


def tagging(*rows):
    return Tagging((), np.array(rows))


def sure_of(*tags):
    """A tagging that gives each token's tag 0.9."""
    share = 0.1 / (len(TAGS) - 1)
    return tagging(*[[0.9 if name == tag else share for name in TAGS] for tag in tags])


@given(st.data())
def test_the_score_of_a_text_is_that_of_cleanlab(data):
    classes = data.draw(st.integers(2, 5))
    tokens = data.draw(st.integers(1, 8))
    given_classes = data.draw(
        st.lists(st.integers(0, classes - 1), min_size=tokens, max_size=tokens)
    )
    weights = data.draw(arrays(np.float64, (tokens, classes), elements=st.floats(0.01, 1)))
    probabilities = weights / weights.sum(axis=1, keepdims=True)

    texts, _ = get_label_quality_scores([given_classes], [probabilities])

    assert label_quality(given_classes, probabilities).min() == pytest.approx(texts[0])


class TestSuspects:
    TEXT = "Amina went to Lagos"

    def test_a_label_that_an_unprejudiced_tagger_disbelieves_is_named(self):
        example = Example("1", self.TEXT, (AMINA,))
        tagged = sure_of("B-PER", "O", "O", "B-LOC")

        (suspect,) = suspects([example], [tagged], SCHEME)

        score = pytest.approx(0.1 / (len(TAGS) - 1))
        assert suspect == Suspect("1", 14, 19, None, "LOC", score)

    def test_a_mention_that_should_not_be_one_is_named_too(self):
        example = Example("1", self.TEXT, (AMINA, LAGOS))

        (suspect,) = suspects([example], [sure_of("O", "O", "O", "B-LOC")], SCHEME)

        assert (suspect.start, suspect.given, suspect.expected) == (0, "PER", None)

    def test_whether_a_token_opens_a_mention_is_no_label_error(self):
        example = Example("1", self.TEXT, (Span(0, 10, "PER"),))

        assert suspects([example], [sure_of("B-PER", "B-PER", "O", "O")], SCHEME) == []

    def test_labels_that_the_tagger_holds_for_most_probable_are_left_in_peace(self):
        assert suspects([Example("1", "", ())], [Tagging((), np.zeros((0, 5)))], SCHEME) == []

    def test_the_least_believable_comes_first(self):
        doubtful = tagging(
            *[[0.6 if name == tag else 0.1 for name in TAGS] for tag in ["B-PER"] * 4]
        )
        examples = [Example("doubtful", self.TEXT, ()), Example("wrong", self.TEXT, ())]

        found = suspects(examples, [doubtful, sure_of("B-PER", "O", "O", "O")], SCHEME)

        assert [suspect.task_id for suspect in found] == ["wrong", "doubtful"]


def test_planted_errors_are_found_by_a_tagger_that_learnt_beside_them():
    """30 of 300 labels are wrong: most of the first 30 suspects are, and most errors among them."""
    names, places = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi"), ("Lagos", "Kano", "Durban")
    examples, planted = [], set()
    for number in range(300):
        who, where = names[number % 5], places[number % 3]
        text = f"{who} went to {where} on day {number}"
        person = Span(0, len(who), "PER")
        place = Span(text.index(where), text.index(where) + len(where), "LOC")
        spans = (person, place)
        if number % 10 == 7:
            planted.add(str(number))
            spans = ((person,), (Span(0, len(who), "LOC"), place))[number % 20 == 7]
        examples.append(Example(str(number), text, spans))
    tagged = dict(
        CrossFit(CrfFamily(), SCHEME, 5).tag(
            examples, [example.text for example in examples], np.random.default_rng(0)
        )
    )

    found = suspects(examples, [tagged[at] for at in range(300)], SCHEME)

    first = {suspect.task_id for suspect in found[:30]}
    assert len(first & planted) >= 27
