"""What becomes of tasks whose model cannot be reached, over real sockets."""

from decimal import Decimal

import pytest

from backend.cost.prices import price_of
from backend.domain import LabelScheme, Outcome, Task
from backend.llm.fallback import with_fallback
from backend.llm.gate import Gates
from backend.settings import LlmSettings
from backend.testing.annotators import MemoryAnswerCache, MemoryLedger
from backend.testing.scripted_llm import Fault, ScriptedLlm
from backend.text.spans import Mention

SCHEME = LabelScheme(("PER", "LOC"))
RETIRED, CURRENT, SECOND = "gpt-4-turbo", "gpt-6-luna", "gpt-4o-mini"
TASKS = [Task(str(number), f"Ada {number}") for number in range(3)]


@pytest.fixture
def server():
    with ScriptedLlm(lambda text: [Mention("Ada", "PER", 1, 0.9)]) as server:
        yield server


def annotator(server, model, ledger=None, **more):
    llm = LlmSettings(
        provider="openai",
        openai_api_key=server.api_key,
        openai_base_url=server.openai_url,
        model=model,
        sentences_per_call=1,
        max_attempts=1,
        **more,
    )
    return with_fallback(
        llm,
        project_id=None,
        ledger=ledger or MemoryLedger(),
        cache=MemoryAnswerCache(),
        gates=Gates(),
    )


def test_tasks_of_a_retired_model_go_to_the_fallback(server):
    answers = list(annotator(server, RETIRED, fallback_model=SECOND).annotate(TASKS, SCHEME))
    assert sorted(answer.task_id for answer in answers) == ["0", "1", "2"]
    assert {answer.suggestion.source.model for answer in answers} == {SECOND}


def test_each_model_is_paid_at_its_own_price(server):
    ledger = MemoryLedger()
    list(annotator(server, RETIRED, ledger, fallback_model=SECOND).annotate(TASKS, SCHEME))
    paid = [entry for entry in ledger.entries if entry.cost]
    assert {entry.call.model for entry in paid} == {SECOND}
    assert paid[0].call.price == price_of("openai", SECOND).tag
    assert ledger.spent == server.billed_usd > Decimal(0)


def test_a_fallback_is_not_asked_for_what_the_first_answered(server):
    answers = list(annotator(server, CURRENT, fallback_model=SECOND).annotate(TASKS, SCHEME))
    assert {answer.suggestion.source.model for answer in answers} == {CURRENT}


def test_a_refusal_is_an_answer_and_no_reason_to_ask_another(server):
    server.fail_always(Fault.REFUSAL)
    answers = list(annotator(server, CURRENT, fallback_model=SECOND).annotate(TASKS, SCHEME))
    assert {answer.outcome for answer in answers} == {Outcome.REFUSED}
    assert {call.model for call in server.calls} == {CURRENT}


def test_without_a_fallback_they_stay_unreached_and_a_current_model_is_named(server):
    answers = list(annotator(server, RETIRED).annotate(TASKS, SCHEME))
    assert {answer.outcome for answer in answers} == {Outcome.UNREACHABLE}
    assert CURRENT in answers[0].detail
