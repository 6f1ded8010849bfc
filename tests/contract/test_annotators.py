"""What every annotator promises, the real one over real sockets included."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from backend.domain import LabelScheme, Outcome, SourceKind, Task
from backend.llm.confidence import confident
from backend.llm.factory import build_annotator
from backend.protocols import Annotator
from backend.settings import LlmSettings
from backend.testing.annotators import FakeAnnotator, MemoryAnswerCache, MemoryLedger
from backend.testing.scripted_llm import Fault, ScriptedLlm
from backend.text.spans import Mention, valid_spans

SCHEME = LabelScheme(("PER", "LOC"))


def capitalised_words(text: str) -> list[Mention]:
    """Every capitalised word is a place, except that one person is invented each time."""
    words = [Mention(word, "loc", None, 0.9) for word in text.split() if word[0].isupper()]
    return [*words, Mention("Nobody", "PER", 1, 0.9)]


@dataclass
class Room:
    """An annotator, how often it asked a model, and a way to make task "0" be refused."""

    annotator: Annotator
    asked: Callable[[], int]
    refuse: Callable[[], None]


def fake_room(budget: bool) -> Room:
    failures: dict[str, Outcome] = {}
    fake = FakeAnnotator(capitalised_words, None if budget else 0, failures)
    return Room(fake, lambda: len(fake.asked), lambda: failures.update({"0": Outcome.REFUSED}))


def llm_room(server: ScriptedLlm, provider: str, budget: bool) -> Room:
    """``panel`` asks OpenAI twice, so what it asked counts half."""
    times = 2 if provider == "panel" else 1
    settings = LlmSettings(
        provider="openai" if provider == "panel" else provider,
        confidence="repetition" if provider == "panel" else "stated",
        repetitions=2,
        openai_api_key=server.api_key,
        openai_base_url=server.openai_url,
        anthropic_api_key=server.api_key,
        anthropic_base_url=server.anthropic_url,
    )
    ledger = MemoryLedger(100 if budget else 0)
    cache = MemoryAnswerCache()
    annotator = confident(
        settings,
        lambda llm, repetition: build_annotator(
            llm, project_id=1, ledger=ledger, cache=cache, repetition=repetition
        ),
    )
    assert annotator is not None
    refusals = [Fault.REFUSAL] * times
    return Room(annotator, lambda: len(server.texts) // times, lambda: server.fail_next(*refusals))


@pytest.fixture(params=["fake", "openai", "anthropic", "panel"])
def make_room(request: pytest.FixtureRequest) -> Iterator[Callable[[bool], Room]]:
    if request.param == "fake":
        yield fake_room
        return
    with ScriptedLlm(capitalised_words) as server:
        yield lambda budget: llm_room(server, request.param, budget)


@pytest.fixture
def room(make_room: Callable[[bool], Room]) -> Room:
    return make_room(True)


def answers(room: Room, *texts: str):
    tasks = [Task(str(number), text) for number, text in enumerate(texts)]
    return {answer.task_id: answer for answer in room.annotator.annotate(tasks, SCHEME)}


def test_every_task_gets_exactly_one_answer(room: Room):
    tasks = [Task(str(number), f"Ada {number} saw Lagos") for number in range(40)]
    ids = [answer.task_id for answer in room.annotator.annotate(tasks, SCHEME)]
    assert sorted(ids) == sorted(task.id for task in tasks)


def test_no_tasks_get_no_answers(room: Room):
    assert list(room.annotator.annotate([], SCHEME)) == []


def test_spans_are_in_the_text_and_carry_configured_labels(room: Room):
    text = "Ọjọ́ kan Ada rí Èkó, “Lagos” 👩🏾‍🏫 in Jos"
    suggestion = answers(room, text)["0"].suggestion
    assert suggestion is not None
    assert {text[span.start : span.end] for span in suggestion.spans} == {
        "Ọjọ́",
        "Ada",
        "Èkó,",
        "Jos",
    }
    assert valid_spans(text, suggestion.spans, SCHEME) == (suggestion.spans, ())


def test_what_cannot_be_used_is_counted(room: Room):
    answer = answers(room, "Ada")["0"]
    assert answer.repaired == 1
    assert [rejection.mention for rejection in answer.rejected] == ["Nobody"]


def test_a_suggestion_names_its_source(room: Room):
    suggestion = answers(room, "Ada")["0"].suggestion
    assert suggestion is not None
    assert suggestion.source.kind is SourceKind.LLM
    assert suggestion.source.model == room.annotator.model
    assert suggestion.source.prompt_version == room.annotator.prompt_version


def test_a_confidence_is_between_0_and_1(room: Room):
    suggestion = answers(room, "Ada saw Lagos")["0"].suggestion
    assert suggestion is not None
    assert 0 <= suggestion.confidence <= 1


@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_a_blank_text_has_no_spans_and_costs_nothing(room: Room, blank: str):
    answer = answers(room, blank)["0"]
    assert answer.outcome is Outcome.ANNOTATED
    assert answer.suggestion is not None
    assert answer.suggestion.spans == ()
    assert room.asked() == 0


def test_an_answer_is_paid_for_once(room: Room):
    first = answers(room, "Ada", "Ada", "Jos")
    again = answers(room, "Ada", "Jos")
    assert room.asked() == 2
    assert again["0"] == first["0"]


def test_a_failed_answer_is_never_an_empty_suggestion(room: Room):
    room.refuse()
    answer = answers(room, "Ada")["0"]
    assert (answer.outcome, answer.suggestion) == (Outcome.REFUSED, None)
    assert answer.detail


def test_tasks_beyond_the_budget_are_answered_as_such_and_not_asked(
    make_room: Callable[[bool], Room],
):
    room = make_room(False)
    outcomes = {answer.outcome for answer in answers(room, "Ada", "Jos").values()}
    assert outcomes == {Outcome.OVER_BUDGET}
    assert room.asked() == 0
