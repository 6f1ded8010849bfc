"""The ledger and its budgets in a real database, and the report on it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from backend.cost.ledger import Charge, Grouping, cost_lines
from backend.cost.prices import price_of
from backend.domain import PaidCall, Usage
from backend.errors import BudgetExceededError, StoreError
from backend.store.charges import charges
from backend.store.database import Database
from backend.store.money import SqlAnswerCache, SqlLedger, committed_on
from backend.store.schema import LedgerRow

DOLLAR = Decimal(1)
TODAY = f"day:{datetime.now(UTC):%Y-%m-%d}"


def call(run="run-1", **more):
    return PaidCall(None, "openai", "gpt-6-luna", "entities-v1+1", ("1", "2"), run, **more)


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    database.migrate()
    return database


class TestBudgets:
    def test_a_call_takes_from_account_day_and_run(self, database):
        ledger = SqlLedger(database, 5 * DOLLAR, per_run_usd=5 * DOLLAR, account="corpus:1")
        ledger.settle(ledger.reserve(call(), DOLLAR), "complete", Usage(1, 1), DOLLAR / 4)
        keys = ("corpus:1", TODAY, "run:run-1")
        assert [committed_on(database, key) for key in keys] == [DOLLAR / 4] * 3

    @pytest.mark.parametrize(
        ("caps", "setting"),
        [
            ({"budget_usd": DOLLAR}, "llm.budget_usd "),
            ({"per_day_usd": DOLLAR}, "llm.budget_usd_per_day"),
            ({"per_run_usd": DOLLAR}, "llm.budget_usd_per_run"),
        ],
    )
    def test_each_cap_refuses_and_takes_from_none(self, database, caps, setting):
        ledger = SqlLedger(database, **({"budget_usd": 9 * DOLLAR} | caps), account="a")
        ledger.reserve(call(), DOLLAR)
        with pytest.raises(BudgetExceededError, match=setting):
            ledger.reserve(call(), DOLLAR / 100)
        assert committed_on(database, "a") == committed_on(database, TODAY) == DOLLAR

    def test_another_run_has_a_budget_of_its_own(self, database):
        ledger = SqlLedger(database, 9 * DOLLAR, per_run_usd=DOLLAR)
        ledger.reserve(call("first"), DOLLAR)
        assert ledger.reserve(call("second"), DOLLAR)

    def test_a_day_s_cap_counts_what_was_spent_before_it_was_set(self, database):
        SqlLedger(database, 9 * DOLLAR).reserve(call(), DOLLAR)
        capped = SqlLedger(database, 9 * DOLLAR, per_day_usd=DOLLAR, account="another")
        with pytest.raises(BudgetExceededError):
            capped.reserve(call(), DOLLAR)

    def test_an_unknown_bill_stays_counted_in_full(self, database):
        ledger = SqlLedger(database, 9 * DOLLAR, account="a")
        ledger.settle(ledger.reserve(call(), DOLLAR), "unreachable", None, None)
        assert committed_on(database, "a") == DOLLAR

    def test_settling_twice_changes_nothing(self, database):
        ledger = SqlLedger(database, 9 * DOLLAR, account="a")
        entry = ledger.reserve(call(), DOLLAR)
        for _ in range(2):
            ledger.settle(entry, "complete", Usage(1, 1), DOLLAR / 2)
        assert committed_on(database, "a") == DOLLAR / 2

    def test_an_entry_that_is_not_there_is_an_error(self, database):
        with pytest.raises(StoreError, match="no entry 99"):
            SqlLedger(database, DOLLAR).settle(99, "complete", None, None)


def test_an_entry_keeps_by_what_it_was_billed_and_since_when(database):
    tag = price_of("openai", "gpt-6-luna").tag
    SqlLedger(database, 9 * DOLLAR).reserve(call(price=tag), DOLLAR)
    with database.read() as session:
        price = session.get_one(LedgerRow, 1).price
    assert price["source"].startswith("genai-prices ")
    assert price["as_of"] == datetime.now(UTC).date().isoformat()
    assert Decimal(price["input_usd_per_million"]) > 0


def charge(**other):
    known = {
        "day": date(2026, 11, 20),
        "provider": "openai",
        "model": "gpt-6-luna",
        "prompt_version": "entities-v1+1",
        "outcome": "complete",
        "settled": True,
        "usd": Decimal("0.25"),
        "tasks": 2,
        "input_tokens": 100,
        "output_tokens": 10,
        "cached_input_tokens": 50,
    }
    return Charge(**(known | other))


class TestReport:
    def test_charges_are_added_up_per_group_with_a_total_last(self):
        day = date(2026, 11, 21)
        lines = cost_lines([charge(day=day), charge(), charge(usd=DOLLAR)], Grouping.DAY)
        assert [(line.name, line.attempts, line.usd) for line in lines] == [
            ("2026-11-20", 2, Decimal("1.25")),
            ("2026-11-21", 1, Decimal("0.25")),
            ("total", 3, Decimal("1.5")),
        ]

    def test_what_nobody_knows_the_bill_of_is_said_apart(self):
        (line, _) = cost_lines([charge(), charge(settled=False)], Grouping.MODEL)
        assert (line.usd, line.unsettled_usd) == (Decimal("0.5"), Decimal("0.25"))

    def test_an_attempt_that_never_ended_is_named(self):
        (line, _) = cost_lines([charge(outcome="", settled=False)], Grouping.OUTCOME)
        assert line.name == "under way or interrupted"

    def test_the_ledger_is_read_back_as_it_was_written(self, database):
        ledger = SqlLedger(database, 9 * DOLLAR)
        ledger.settle(ledger.reserve(call(), DOLLAR), "complete", Usage(9, 4, 3), DOLLAR / 2)
        (found,) = charges(database)
        assert (found.outcome, found.usd, found.tasks) == ("complete", DOLLAR / 2, 2)
        assert (found.input_tokens, found.output_tokens, found.cached_input_tokens) == (9, 4, 3)


class TestCache:
    def test_the_first_answer_under_a_key_stays(self, database):
        cache = SqlAnswerCache(database)
        cache.put("k", "first")
        cache.put("k", "second")
        assert cache.get("k") == "first"

    def test_a_recording_counts_what_is_new(self, database):
        cache = SqlAnswerCache(database)
        cache.put("a", "1")
        assert cache.put_all([("a", "1"), ("b", "2")]) == 1
        assert list(cache.everything()) == [("a", "1"), ("b", "2")]
