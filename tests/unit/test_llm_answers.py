import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Answer, LabelScheme, Outcome, Source, SourceKind, Span, Task
from backend.llm.answers import answer_to, confused_texts
from backend.llm.chat import Completion, Failure, Stop

SCHEME = LabelScheme(("PER", "LOC"))
SOURCE = Source(SourceKind.LLM, "gpt-6-luna", "entities-v1+00000000")
TASK = Task("7", "Ada saw Lagos")


def entity(mention: str, label: str = "LOC", confidence: float = 1.0) -> dict[str, object]:
    return {"mention": mention, "label": label, "occurrence": 1, "confidence": confidence}


def answer(*entities: object, confidence: object = 1.0, stop: Stop = Stop.COMPLETE) -> Answer:
    text = json.dumps({"entities": entities, "confidence": confidence})
    return answer_to(TASK, SCHEME, Completion(text, stop, None), SOURCE)


def test_an_answer_becomes_a_suggestion_with_its_source():
    suggestion = answer(entity("Lagos", confidence=0.5)).suggestion
    assert suggestion.spans == (Span(8, 13, "LOC"),)
    assert (suggestion.task_id, suggestion.source) == ("7", SOURCE)
    assert suggestion.spans[0].score == 0.5


def test_repairs_and_rejections_are_counted():
    counted = answer(entity("LAGOS"), entity("Abuja"), "Ada")
    assert (counted.repaired, len(counted.rejected)) == (1, 2)


def test_no_mentions_is_an_answer():
    assert answer().suggestion.spans == ()


def test_an_answer_of_which_nothing_can_be_used_is_invalid_not_empty():
    useless = answer(entity("Abuja"))
    assert (useless.outcome, useless.suggestion) == (Outcome.INVALID, None)
    assert [rejection.mention for rejection in useless.rejected] == ["Abuja"]


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        (Stop.TRUNCATED, Outcome.TRUNCATED),
        (Stop.REFUSED, Outcome.REFUSED),
        (Stop.FILTERED, Outcome.FILTERED),
    ],
)
def test_an_answer_that_was_not_finished_is_not_used(stop: Stop, outcome: Outcome):
    unfinished = answer(entity("Lagos"), stop=stop)
    assert (unfinished.outcome, unfinished.suggestion) == (outcome, None)
    assert unfinished.detail


def test_a_failed_call_keeps_its_outcome_and_reason():
    failure = Failure(Outcome.UNREACHABLE, "no answer", retryable=True)
    assert answer_to(TASK, SCHEME, failure, SOURCE) == Answer(
        "7", Outcome.UNREACHABLE, detail="no answer"
    )


TEXTS = {"own": "Ada saw Lagos", "second": "Obi left Abuja", "third": "Ada saw Kano"}


class TestConfusedTexts:
    def confused(self, *entities: object) -> set[str]:
        return confused_texts(answer(*entities), "own", TEXTS, SCHEME)

    def test_a_mention_of_another_text_confuses_the_two(self):
        assert self.confused(entity("Lagos"), entity("Abuja")) == {"own", "second"}

    def test_a_mention_that_both_texts_hold_confuses_nothing(self):
        assert self.confused(entity("Ada", "PER"), entity("Ada", "PER")) == set()

    def test_a_mention_of_no_text_confuses_nothing(self):
        assert self.confused(entity("Lagos"), entity("Jos")) == set()


class TestConfidence:
    def test_it_is_that_in_the_whole_times_that_in_the_weakest_span(self):
        suggestion = answer(
            entity("Lagos", confidence=0.5), entity("Ada", "PER", 0.9), confidence=0.8
        ).suggestion
        assert suggestion.confidence == pytest.approx(0.4)

    def test_mentions_that_could_not_be_used_lower_it(self):
        assert answer(entity("Lagos"), entity("Abuja")).suggestion.confidence == 0.5

    def test_unstated_confidence_does_not_lower_it(self):
        bare = {"mention": "Lagos", "label": "LOC"}
        assert answer(bare, confidence=None).suggestion.confidence == 1.0


@given(st.text(max_size=30), st.lists(st.text(max_size=5)), st.floats(0, 1), st.floats(0, 1))
def test_a_confidence_is_between_0_and_1_and_a_suggestion_comes_with_success_only(
    text, words, whole, each
):
    raw = json.dumps(
        {"entities": [entity(word, "PER", each) for word in words], "confidence": whole}
    )
    made = answer_to(Task("1", text), SCHEME, Completion(raw, Stop.COMPLETE, None), SOURCE)
    assert (made.suggestion is not None) == (made.outcome is Outcome.ANNOTATED)
    assert made.suggestion is None or 0 <= made.suggestion.confidence <= 1
