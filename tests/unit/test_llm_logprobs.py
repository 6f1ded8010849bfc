"""Scores of spans from the probabilities of an answer's tokens."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import LabelScheme, Span
from backend.llm.chat import Certainty
from backend.llm.logprobs import certainties, of_text, scored
from backend.llm.readings import read_mentions

SCHEME = LabelScheme(("PER", "LOC"))


def pieces_of(answer, size, logprob=-0.1):
    content = answer.encode()
    return [(content[at : at + size], logprob) for at in range(0, len(content), size)]


def short(*mentions, number=1):
    entities = [{"m": words, "l": label, "n": 1, "c": 90} for words, label in mentions]
    return {"i": number, "e": entities, "c": 90}


def written(*items, **options):
    return json.dumps({"s": list(items)}, ensure_ascii=False, separators=(",", ":"), **options)


class TestCertainties:
    def test_are_the_product_over_the_tokens_of_mention_and_label(self):
        answer = written(short(("Ada", "PER")))
        (found,) = certainties(answer, pieces_of(answer, 1))
        assert (found.mention, found.label) == ("Ada", "PER")
        assert found.probability == pytest.approx(math.exp(-0.1 * len("AdaPER")))

    def test_a_doubtful_token_elsewhere_changes_nothing(self):
        answer = written(short(("Ada", "PER")))
        pieces = pieces_of(answer, 1)
        pieces[answer.index('"c"')] = (b'"', -9.0)
        assert certainties(answer, pieces) == certainties(answer, pieces_of(answer, 1))

    def test_know_the_text_that_they_belong_to(self):
        answer = written(short(("Ada", "PER")), short(("Jos", "LOC"), number=2))
        found = certainties(answer, pieces_of(answer, 3))
        assert [(one.text, one.mention) for one in found] == [(1, "Ada"), (2, "Jos")]
        assert [one.mention for one in of_text(2, found)] == ["Jos"]

    def test_tokens_may_end_inside_a_character(self):
        answer = written(short(("Ọ̀ṣun 🦋", "LOC")))
        (found,) = certainties(answer, pieces_of(answer, 2))
        assert found.mention == "Ọ̀ṣun 🦋"
        assert 0 < found.probability < 1

    def test_escapes_are_read(self):
        answer = written(short(('the "Big" one', "LOC")))
        assert certainties(answer, pieces_of(answer, 4))[0].mention == 'the "Big" one'

    def test_there_are_none_for_tokens_of_another_text(self):
        assert certainties("{}", [(b"[]", -0.1)]) == ()

    def test_there_are_none_without_tokens(self):
        assert certainties(written(short(("Ada", "PER"))), []) == ()

    @pytest.mark.parametrize("logprob", [0.3, math.inf, -math.inf, math.nan])
    def test_impossible_logprobs_stay_in_range(self, logprob):
        answer = written(short(("Ada", "PER")))
        (found,) = certainties(answer, pieces_of(answer, 2, logprob))
        assert 0 <= found.probability <= 1

    @given(st.text(max_size=60), st.integers(1, 7))
    def test_any_answer_is_taken(self, answer, size):
        content = answer.encode("utf-8", "replace")
        pieces = [(content[at : at + size], -0.5) for at in range(0, len(content), size)]
        assert all(0 <= one.probability <= 1 for one in certainties(answer, pieces))


class TestScored:
    TEXT = "Ada na Ada nka Lagos"
    ANSWER = json.dumps(
        {
            "entities": [
                {"mention": "Ada", "label": "PER", "occurrence": 1, "confidence": 0.9},
                {"mention": "Ada", "label": "PER", "occurrence": 2, "confidence": 0.9},
                {"mention": "lagos", "label": "LOC", "occurrence": 1, "confidence": 0.9},
            ],
            "confidence": 1,
        }
    )

    def scores(self, *found):
        reading = scored(read_mentions(self.ANSWER, self.TEXT, SCHEME), self.TEXT, found)
        return [span.score for span in reading.alignment.spans]

    def test_repeated_mentions_are_scored_in_order(self):
        first, second = Certainty(None, "Ada", "PER", 0.7), Certainty(None, "Ada", "PER", 0.6)
        assert self.scores(first, second) == [0.7, 0.6, 0.9]

    def test_case_and_normal_form_may_differ(self):
        assert self.scores(Certainty(None, "lagos", "loc", 0.3)) == [0.9, 0.9, 0.3]

    def test_without_certainties_the_stated_confidence_stays(self):
        assert self.scores() == [0.9, 0.9, 0.9]

    def test_the_spans_themselves_do_not_change(self):
        plain = read_mentions(self.ANSWER, self.TEXT, SCHEME)
        with_scores = scored(plain, self.TEXT, [Certainty(None, "Ada", "PER", 0.1)])
        assert with_scores.alignment.spans == plain.alignment.spans
        assert Span(0, 3, "PER") in with_scores.alignment.spans
