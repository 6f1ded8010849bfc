"""Many tasks against a provider that bills and fails: nothing lost, nothing paid twice."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from backend.cost.prices import price_of
from backend.domain import Answer, LabelScheme, Outcome, Task
from backend.errors import StoreError
from backend.llm.annotator import LONGEST_TEXT, AnnotatorOptions, LlmAnnotator
from backend.llm.clients import OpenAIClient
from backend.llm.guidelines import Guidelines
from backend.llm.paid import PaidClient, RetryPolicy
from backend.llm.prompt import Prompt
from backend.testing.annotators import MemoryAnswerCache, MemoryLedger
from backend.testing.scripted_llm import Fault, ScriptedLlm
from backend.text.spans import Mention

SCHEME = LabelScheme(("PER", "LOC"))
MODEL = "gpt-6-luna"
QUICK = RetryPolicy(max_attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.01)


class Bench:
    """A server, a ledger, a cache, and annotators that share them."""

    def __init__(self, server: ScriptedLlm) -> None:
        self.server = server
        self.ledger = MemoryLedger()
        self.cache = MemoryAnswerCache()

    def annotator(
        self,
        *,
        policy: RetryPolicy = QUICK,
        timeout: float = 20,
        model: str = MODEL,
        options: AnnotatorOptions | None = None,
    ) -> LlmAnnotator:
        client = OpenAIClient(model, self.server.api_key, self.server.openai_url, timeout)
        paid = PaidClient(client, price_of("openai", model), self.ledger, policy)
        return LlmAnnotator(paid, Prompt("entities-v1"), self.cache, options)

    def answer(self, text: str = "Ada", **kind: object) -> Answer:
        return next(self.annotator(**kind).annotate([Task("1", text)], SCHEME))


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ScriptedLlm(lambda text: [Mention("Ada", "PER", 1, 0.9)]) as server:
        yield Bench(server)


def tasks(count: int) -> list[Task]:
    return [Task(str(number), f"Ada {number}") for number in range(count)]


def outcomes(answers: list[Answer]) -> list[Outcome]:
    return [answer.outcome for answer in answers]


class TestAttempts:
    def test_a_passing_failure_is_tried_again_and_every_attempt_is_in_the_ledger(self, bench):
        bench.server.fail_next(Fault.SERVER_ERROR, Fault.RATE_LIMIT)
        assert bench.answer().outcome is Outcome.ANNOTATED
        assert bench.ledger.outcomes == ["unreachable", "unreachable", "complete"]

    def test_attempts_are_bounded(self, bench):
        bench.server.fail_always(Fault.SERVER_ERROR)
        answer = bench.answer()
        assert (answer.outcome, answer.suggestion) == (Outcome.UNREACHABLE, None)
        assert bench.server.requests == 3

    def test_a_wait_beyond_the_deadline_is_not_begun(self, bench):
        bench.server.fail_always(Fault.RATE_LIMIT_FOR_AN_HOUR)
        assert bench.answer().outcome is Outcome.UNREACHABLE
        assert bench.server.requests == 1

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [
            (Fault.BAD_REQUEST, Outcome.INVALID),
            (Fault.PROMPT_FILTERED, Outcome.FILTERED),
            (Fault.REFUSAL, Outcome.REFUSED),
            (Fault.FILTERED, Outcome.FILTERED),
            (Fault.TRUNCATION, Outcome.TRUNCATED),
            (Fault.NONSENSE, Outcome.INVALID),
        ],
    )
    def test_what_would_happen_again_is_not_tried_again(self, bench, fault, outcome):
        bench.server.fail_next(fault)
        answer = bench.answer()
        assert (answer.outcome, answer.suggestion) == (outcome, None)
        assert answer.detail
        assert bench.server.requests == 1

    @pytest.mark.parametrize("fault", [Fault.CUT, Fault.NO_CHOICES, Fault.NOT_JSON, Fault.HANG])
    def test_a_broken_reply_is_tried_again(self, bench, fault):
        bench.server.fail_next(fault)
        timeout = 2 if fault is Fault.HANG else 20
        assert bench.answer(timeout=timeout).outcome is Outcome.ANNOTATED

    def test_fenced_json_is_an_answer(self, bench):
        bench.server.fail_next(Fault.FENCED)
        assert bench.answer().outcome is Outcome.ANNOTATED

    def test_an_answer_at_its_limit_is_truncated(self, bench):
        short = AnnotatorOptions(max_output_tokens=16)
        assert bench.answer(options=short).outcome is Outcome.TRUNCATED

    def test_a_provider_that_never_works_is_soon_left_alone(self, bench):
        bench.server.fail_always(Fault.SERVER_ERROR)
        policy = RetryPolicy(max_attempts=1, patience=5)
        annotator = bench.annotator(policy=policy, options=AnnotatorOptions(concurrency=2))
        answers = list(annotator.annotate(tasks(50), SCHEME))
        assert outcomes(answers) == [Outcome.UNREACHABLE] * 50
        assert bench.server.requests < 10


class TestMoney:
    def test_the_ledger_holds_what_the_server_billed(self, bench):
        list(bench.annotator().annotate(tasks(30), SCHEME))
        assert bench.ledger.spent == bench.server.billed_usd > 0

    @pytest.mark.parametrize("fault", [Fault.HANG, Fault.CUT, Fault.NOT_JSON])
    def test_a_bill_that_nobody_knows_stays_reserved_in_full(self, bench, fault):
        bench.server.fail_next(fault)
        bench.answer(timeout=0.5)
        lost = bench.ledger.entries[0]
        assert lost.cost is None
        assert bench.ledger.spent >= bench.server.billed_usd

    def test_a_refused_call_costs_nothing(self, bench):
        bench.server.fail_next(Fault.RATE_LIMIT)
        bench.answer()
        assert bench.ledger.entries[0].cost == 0

    def test_entries_name_project_model_prompt_task_and_run(self, bench):
        annotator = bench.annotator(options=AnnotatorOptions(project_id=7))
        list(annotator.annotate(tasks(2), SCHEME))
        calls = [entry.call for entry in bench.ledger.entries]
        assert {call.task_ids for call in calls} == {("0",), ("1",)}
        assert {(c.project_id, c.provider, c.model, c.prompt_version) for c in calls} == {
            (7, "openai", MODEL, annotator.prompt_version)
        }
        assert len({call.run for call in calls}) == 1

    def test_asking_stops_where_the_budget_ends(self, bench):
        bench.ledger.budget = Decimal("0.003")
        answers = list(bench.annotator().annotate(tasks(200), SCHEME))
        done = outcomes(answers).count(Outcome.ANNOTATED)
        assert outcomes(answers).count(Outcome.OVER_BUDGET) == 200 - done
        assert 0 < done == len(bench.server.calls) < 200
        assert bench.ledger.spent <= bench.ledger.budget

    def test_the_budget_is_used_up_although_reservations_are_larger_than_bills(self, bench):
        bench.answer()
        worst, bill = bench.ledger.entries[0].reserved, bench.ledger.spent
        bench.ledger.budget = bill * 12 + worst
        list(bench.annotator().annotate(tasks(40), SCHEME))
        assert bench.ledger.budget - bench.ledger.spent < worst
        assert len(bench.server.calls) >= 12

    def test_without_a_budget_nothing_is_sent(self, bench):
        bench.ledger.budget = Decimal(0)
        answer = bench.answer()
        assert answer.outcome is Outcome.OVER_BUDGET
        assert "llm.budget_usd" in answer.detail
        assert bench.server.requests == 0


class TestCache:
    def test_a_second_run_pays_nothing(self, bench):
        first = list(bench.annotator().annotate(tasks(20), SCHEME))
        again = list(bench.annotator().annotate(tasks(20), SCHEME))
        assert len(bench.server.calls) == 20
        assert sorted(again, key=lambda a: a.task_id) == sorted(first, key=lambda a: a.task_id)

    def test_equal_texts_in_one_run_are_asked_once(self, bench):
        bench.server.seconds = 0.05
        same = [Task(str(number), "Ada") for number in range(30)]
        assert outcomes(list(bench.annotator().annotate(same, SCHEME))) == [Outcome.ANNOTATED] * 30
        assert len(bench.server.calls) == 1

    def test_known_answers_are_given_when_the_budget_is_spent(self, bench):
        list(bench.annotator().annotate(tasks(5), SCHEME))
        bench.ledger.budget = Decimal(0)
        answers = {a.task_id: a.outcome for a in bench.annotator().annotate(tasks(8), SCHEME)}
        assert [answers[str(n)] for n in range(8)] == (
            [Outcome.ANNOTATED] * 5 + [Outcome.OVER_BUDGET] * 3
        )

    @pytest.mark.parametrize("fault", [Fault.REFUSAL, Fault.TRUNCATION, Fault.NONSENSE])
    def test_a_useless_answer_is_not_paid_twice_either(self, bench, fault):
        bench.server.fail_next(fault)
        first = bench.answer()
        assert bench.answer() == first
        assert len(bench.server.calls) == 1

    def test_other_guidelines_are_another_question(self, bench):
        bench.answer()
        guidelines = Guidelines.of_text("Titles are not names.")
        bench.answer(options=AnnotatorOptions(guidelines=guidelines))
        assert len(bench.server.calls) == 2

    def test_an_answer_is_kept_before_it_is_given(self, bench):
        for given, _ in enumerate(bench.annotator().annotate(tasks(10), SCHEME), start=1):
            assert len(bench.cache.answers) >= given

    def test_a_cache_that_cannot_keep_an_answer_ends_the_run_with_the_bill_settled(self, bench):
        class FullDisk(MemoryAnswerCache):
            def put(self, key: str, answer: str) -> None:
                raise StoreError("the disk is full")

        bench.cache = FullDisk()
        with pytest.raises(StoreError):
            bench.answer()
        assert bench.ledger.spent == bench.server.billed_usd > 0


class TestRuns:
    def test_closing_early_keeps_the_answers_under_way_and_asks_no_more(self, bench):
        bench.server.seconds = 0.05
        answers = bench.annotator(options=AnnotatorOptions(concurrency=4)).annotate(
            tasks(100), SCHEME
        )
        next(answers)
        answers.close()
        assert 1 <= len(bench.server.calls) == len(bench.cache.answers) <= 8
        assert bench.ledger.spent == bench.server.billed_usd

    def test_tasks_are_taken_only_as_they_are_needed(self, bench):
        taken = []

        def endless() -> Iterator[Task]:
            for task in tasks(10_000):
                taken.append(task)
                yield task

        answers = bench.annotator(options=AnnotatorOptions(concurrency=2)).annotate(
            endless(), SCHEME
        )
        next(answers)
        answers.close()
        assert len(taken) < 20

    def test_what_would_fail_every_call_is_not_repeated_for_each_task(self, bench):
        annotator = bench.annotator(model="gpt-4-turbo", options=AnnotatorOptions(concurrency=2))
        answers = list(annotator.annotate(tasks(50), SCHEME))
        assert outcomes(answers) == [Outcome.UNREACHABLE] * 50
        assert all("gpt-6-luna" in answer.detail for answer in answers)
        assert bench.server.requests <= 2
        assert bench.ledger.spent == 0

    def test_a_very_long_text_is_not_sent(self, bench):
        answer = bench.answer("Ada " * LONGEST_TEXT)
        assert answer.outcome is Outcome.INVALID
        assert str(LONGEST_TEXT) in answer.detail
        assert bench.server.requests == 0
