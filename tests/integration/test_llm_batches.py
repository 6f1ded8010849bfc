"""Batches of both vendors over real sockets: half the price, and nothing lost in a crash."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backend.cost.prices import cost, price_of
from backend.domain import LabelScheme, Outcome, Task
from backend.errors import ProviderError
from backend.llm.batch_annotator import BatchAnnotator, Parts
from backend.llm.batches import Batches
from backend.llm.factory import build_annotator, build_batch_client
from backend.llm.models import DEFAULT_MODELS
from backend.settings import LlmSettings
from backend.store.batches import SqlBatchRecords
from backend.store.charges import charges
from backend.store.database import Database
from backend.store.money import SqlAnswerCache, SqlLedger
from backend.testing.scripted_llm import ScriptedLlm
from backend.text.spans import Mention

SCHEME = LabelScheme(("PER", "LOC"))
TASKS = [Task(str(number), f"Ada {number} slept") for number in range(7)]


class Crash(BaseException):
    """The process ends here."""


class Office:
    """A store, and batch annotators on it, of one provider."""

    def __init__(self, folder, server, provider):
        self.server, self.provider = server, provider
        self.database = Database(f"sqlite:///{folder / 'x.sqlite3'}")
        self.database.migrate()
        self.cache = SqlAnswerCache(self.database)
        self.records = self.records_of(SqlBatchRecords)

    def records_of(self, kind):
        return kind(self.database, "corpus:1", self.provider, self.model)

    @property
    def model(self):
        return DEFAULT_MODELS[self.provider]

    def settings(self, **more):
        address = {"openai": self.server.openai_url, "anthropic": self.server.anthropic_url}
        known = {
            "provider": self.provider,
            f"{self.provider}_api_key": self.server.api_key,
            f"{self.provider}_base_url": address[self.provider],
            "sentences_per_call": 3,
        }
        return LlmSettings(**(known | more))

    def annotator(self, *, budget="9", records=None, ledger=None, cache=None):
        llm = self.settings()
        ledger = ledger or SqlLedger(self.database, Decimal(budget), account="corpus:1")
        client = build_batch_client(llm)
        batches = Batches(client, ledger, records or self.records, 0.01)
        return BatchAnnotator(llm, Parts(batches, ledger, cache or self.cache))

    def annotate(self, **kind):
        return list(self.annotator(**kind).annotate(TASKS, SCHEME))

    @property
    def ledger_total(self):
        return sum((charge.usd for charge in charges(self.database)), Decimal(0))


@pytest.fixture(params=["openai", "anthropic"])
def office(request, tmp_path):
    with ScriptedLlm(lambda text: [Mention("Ada", "PER", 1, 0.9)]) as server:
        yield Office(tmp_path, server, request.param)


def test_unordered_results_find_their_tasks(office):
    answers = office.annotate()
    assert sorted(answer.task_id for answer in answers) == [task.id for task in TASKS]
    assert {answer.outcome for answer in answers} == {Outcome.ANNOTATED}
    assert len(office.server.batches.submitted) == 1
    assert office.server.requests == 0


def test_a_batch_costs_half_and_the_ledger_says_so(office):
    office.annotate()
    price = price_of(office.provider, office.model)
    assert [call.cost for call in office.server.calls] == [
        cost(price, call.usage) / 2 for call in office.server.calls
    ]
    assert office.ledger_total == office.server.billed_usd > 0


def test_answers_are_those_that_single_calls_would_have_found_in_the_cache(office):
    from_batch = office.annotate()
    single = build_annotator(
        office.settings(),
        project_id=None,
        ledger=SqlLedger(office.database, Decimal(0)),
        cache=office.cache,
    )
    again = list(single.annotate(TASKS, SCHEME))
    assert sorted(again, key=lambda a: a.task_id) == sorted(from_batch, key=lambda a: a.task_id)


def test_a_second_run_submits_nothing(office):
    office.annotate()
    office.annotate()
    assert len(office.server.batches.submitted) == 1


def test_what_expired_is_asked_once_more_and_costs_nothing_the_first_time(office):
    office.server.batches.expiring = 1
    answers = office.annotate()
    assert {answer.outcome for answer in answers} == {Outcome.ANNOTATED}
    assert len(office.server.batches.submitted) == 2


def test_a_budget_that_is_too_small_sends_what_it_covers(office):
    answers = office.annotate(budget="0")
    assert {answer.outcome for answer in answers} == {Outcome.OVER_BUDGET}
    assert office.server.batches.submitted == []


class TestCrashes:
    """Each kills a first run somewhere; a second one ends it without paying again."""

    def finish(self, office):
        answers = office.annotate()
        assert {answer.outcome for answer in answers} == {Outcome.ANNOTATED}
        assert len(office.server.texts) == len(TASKS)
        assert office.ledger_total >= office.server.billed_usd
        assert office.records.open() == []

    def test_before_the_batch_was_submitted(self, office):
        class Records(SqlBatchRecords):
            def begin(self, batch):
                super().begin(batch)
                raise Crash

        with pytest.raises(Crash):
            office.annotate(
                records=Records(office.database, "corpus:1", office.provider, office.model)
            )
        assert office.server.batches.submitted == []
        self.finish(office)

    def test_after_it_was_submitted_and_before_its_id_was_known(self, office):
        class Records(SqlBatchRecords):
            def submitted(self, batch_id, provider_id):
                raise Crash

        with pytest.raises(Crash):
            office.annotate(
                records=Records(office.database, "corpus:1", office.provider, office.model)
            )
        self.finish(office)
        assert len(office.server.batches.submitted) == 1

    def test_while_answers_were_put_away(self, office):
        class Cache(SqlAnswerCache):
            def put_many(self, answers):
                raise Crash

        with pytest.raises(Crash):
            office.annotate(cache=Cache(office.database))
        self.finish(office)

    def test_between_the_answers_and_their_settlement(self, office):
        class Ledger(SqlLedger):
            def settle(self, *arguments):
                raise Crash

        with pytest.raises(Crash):
            office.annotate(ledger=Ledger(office.database, Decimal(9), account="corpus:1"))
        self.finish(office)
        assert office.ledger_total == office.server.billed_usd


def test_a_wrong_key_is_said_before_anything_is_lost(office):
    annotator = office.annotator()
    office.server.api_key = "changed"
    with pytest.raises(ProviderError, match="API key"):
        list(annotator.annotate(TASKS, SCHEME))
