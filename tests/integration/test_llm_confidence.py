"""Where scores come from, over real sockets: token probabilities, repetition, a second model."""

import itertools
from decimal import Decimal

import pytest

from backend.bulk.annotators import asking_at_once, in_batches, replaying
from backend.domain import LabelScheme, Outcome, Task
from backend.errors import ConfigurationError
from backend.llm.confidence import confident
from backend.llm.fallback import with_fallback
from backend.llm.gate import Gates
from backend.services import Services
from backend.settings import Settings
from backend.testing.annotators import MemoryAnswerCache, MemoryLedger
from backend.testing.scripted_llm import Fault, ScriptedLlm
from backend.text.spans import Mention

SCHEME = LabelScheme(("PER", "LOC"))
TASKS = [Task(str(number), f"Ada na Jos {number}") for number in range(4)]
FIRST, SECOND = "gpt-6-luna", "gpt-4o-mini"
ADA, JOS = Mention("Ada", "PER", 1, 0.9), Mention("Jos", "LOC", 1, 0.9)


@pytest.fixture
def server():
    """Names Ada always, and Jos in every second answer to a text."""
    times = {task.text: itertools.count() for task in TASKS}

    def brain(text):
        return [ADA, JOS] if next(times[text]) % 2 == 0 else [ADA]

    with ScriptedLlm(brain) as server:
        yield server


def settings(server, **more):
    return {
        "provider": "openai",
        "openai_api_key": server.api_key,
        "openai_base_url": server.openai_url,
        "anthropic_api_key": server.api_key,
        "anthropic_base_url": server.anthropic_url,
        "model": FIRST,
        "concurrency": 1,
        "max_attempts": 1,
        "batch_poll_seconds": 0.01,
    } | more


def annotator(server, cache=None, ledger=None, **more):
    return confident(
        Settings(llm=settings(server, **more)).llm,
        lambda llm, repetition: with_fallback(
            llm,
            project_id=None,
            ledger=ledger or MemoryLedger(),
            cache=MemoryAnswerCache() if cache is None else cache,
            gates=Gates(),
            repetition=repetition,
        ),
    )


def by_id(answers):
    return {answer.task_id: answer for answer in answers}


def scores(answer):
    return {span.label: span.score for span in answer.suggestion.spans}


class TestRepetition:
    def test_scores_are_shares_of_the_answers(self, server):
        answers = by_id(
            annotator(server, confidence="repetition", repetitions=3).annotate(TASKS, SCHEME)
        )
        assert set(answers) == {task.id for task in TASKS}
        assert scores(answers["0"]) == {"PER": 1.0, "LOC": 2 / 3}
        assert answers["0"].suggestion.confidence == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)

    def test_each_repetition_is_asked_and_paid_once(self, server):
        cache = MemoryAnswerCache()
        for _ in range(2):
            panel = annotator(server, cache, confidence="repetition", repetitions=3)
            list(panel.annotate(TASKS, SCHEME))
        assert len(server.texts) == 3 * len(TASKS)

    def test_an_ordinary_answer_that_was_paid_for_is_the_first(self, server):
        cache = MemoryAnswerCache()
        list(annotator(server, cache).annotate(TASKS, SCHEME))
        panel = annotator(server, cache, confidence="repetition", repetitions=2)
        list(panel.annotate(TASKS, SCHEME))
        assert len(server.texts) == 2 * len(TASKS)

    def test_all_repetitions_fall_under_the_budget_of_one_run(self, server):
        ledger = MemoryLedger()
        panel = annotator(server, ledger=ledger, confidence="repetition", repetitions=3)
        list(panel.annotate(TASKS, SCHEME))
        assert len({entry.call.run for entry in ledger.entries}) == 1

    def test_where_a_repetition_was_not_reached_the_answer_is_asked_for_again(self, server):
        panel = annotator(server, confidence="repetition", repetitions=2, sentences_per_call=1)
        (whole,) = panel.annotate(TASKS[:1], SCHEME)
        assert whole.suggestion.source.prompt_version == panel.prompt_version
        server.fail_next(Fault.SERVER_ERROR)
        (partial,) = panel.annotate(TASKS[1:2], SCHEME)
        assert partial.outcome is Outcome.ANNOTATED
        assert partial.suggestion.source.prompt_version != panel.prompt_version


class TestAgreement:
    def test_a_span_of_one_model_alone_scores_half(self, server):
        panel = annotator(server, confidence="agreement", second_model=SECOND)
        answers = by_id(panel.annotate(TASKS, SCHEME))
        assert scores(answers["0"]) == {"PER": 1.0, "LOC": 0.5}
        assert {call.model for call in server.calls} == {FIRST, SECOND}

    def test_the_second_may_be_another_providers(self, server):
        panel = annotator(
            server,
            confidence="agreement",
            second_provider="anthropic",
            second_model="claude-haiku-4-5",
        )
        list(panel.annotate(TASKS, SCHEME))
        assert {call.provider for call in server.calls} == {"openai", "anthropic"}

    def test_each_is_paid_at_its_own_price(self, server):
        ledger = MemoryLedger()
        panel = annotator(server, ledger=ledger, confidence="agreement", second_model=SECOND)
        list(panel.annotate(TASKS, SCHEME))
        assert ledger.spent == server.billed_usd > Decimal(0)

    def test_a_second_model_has_to_be_named(self, server):
        with pytest.raises(ConfigurationError, match="second_model"):
            annotator(server, confidence="agreement")


class TestLogprobs:
    def test_spans_are_scored_by_their_tokens(self, server):
        answers = by_id(annotator(server, confidence="logprobs").annotate(TASKS, SCHEME))
        found = scores(answers["0"])
        assert found.keys() == {"PER", "LOC"}
        assert all(0.6 < score < 0.9 for score in found.values())

    def test_they_are_kept_with_the_answer(self, server):
        cache = MemoryAnswerCache()
        first, again = (
            by_id(annotator(server, cache, confidence="logprobs").annotate(TASKS, SCHEME))
            for _ in range(2)
        )
        assert [scores(first[task.id]) for task in TASKS] == [
            scores(again[task.id]) for task in TASKS
        ]
        assert len(server.texts) == len(TASKS)

    def test_a_provider_without_them_is_told_at_once(self, server):
        with pytest.raises(ConfigurationError, match="does not say how likely"):
            annotator(server, provider="anthropic", confidence="logprobs", model=None)


class TestCorpora:
    @pytest.fixture
    def services(self, server, tmp_path):
        def build(**more):
            return Services(Settings(llm=settings(server, **more), store={"data_dir": tmp_path}))

        return build

    def test_batches_take_repetitions_at_half_the_price(self, server, services):
        annotator = in_batches(services(confidence="repetition", repetitions=2), "corpus:1")
        answers = by_id(annotator.annotate(TASKS, SCHEME))
        assert scores(answers["0"]) == {"PER": 1.0, "LOC": 0.5}
        assert len(server.texts) == 2 * len(TASKS)

    def test_a_replay_repeats_the_scores_without_asking(self, server, services):
        chosen = services(confidence="repetition", repetitions=3)
        first = by_id(asking_at_once(chosen, "corpus:1").annotate(TASKS, SCHEME))
        asked = server.requests
        again = by_id(replaying(chosen, "corpus:1").annotate(TASKS, SCHEME))
        assert {key: scores(answer) for key, answer in again.items()} == {
            key: scores(answer) for key, answer in first.items()
        }
        assert server.requests == asked
