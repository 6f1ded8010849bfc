"""Every ledger keeps spend within the budget and never under-counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import processes
import pytest
from servers import LABEL_CONFIG, new_database_url
from sqlalchemy import func, select

from backend.domain import PaidCall, Usage
from backend.errors import BudgetExceededError
from backend.protocols import Ledger
from backend.store.database import Database
from backend.store.money import SqlLedger, committed_usd, nano_usd
from backend.store.projects import Project, Projects
from backend.store.schema import LedgerRow
from backend.testing.annotators import MemoryLedger

PROCESSES = 8
THREADS = 8
USAGE = Usage(input=1000, output=50, cached_input=200)


def call(project_id: int | None = None) -> PaidCall:
    return PaidCall(project_id, "openai", "small", "entities-v1", ("7", "8"))


def reserve_all(ledger: Ledger, at_most: str, project_id: int | None = None) -> int:
    """How many reservations of that size the budget takes."""
    taken = 0
    while True:
        try:
            ledger.reserve(call(project_id), Decimal(at_most))
        except BudgetExceededError:
            return taken
        taken += 1


# What every ledger promises ---------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def make_ledger(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[str], Ledger]]:
    """Makes ledgers with a budget in dollars."""
    if request.param == "memory":
        yield lambda budget: MemoryLedger(Decimal(budget))
        return
    database = Database(new_database_url(request.param, request.config, tmp_path, migrated=True))
    yield lambda budget: SqlLedger(database, Decimal(budget))
    database.close()


def test_reservations_go_up_to_the_budget_and_no_further(
    make_ledger: Callable[[str], Ledger],
) -> None:
    assert reserve_all(make_ledger("1"), "0.3") == 3


def test_the_last_of_a_budget_can_be_spent_to_the_cent(
    make_ledger: Callable[[str], Ledger],
) -> None:
    assert reserve_all(make_ledger("1"), "0.1") == 10


def test_a_budget_of_nothing_pays_for_nothing(make_ledger: Callable[[str], Ledger]) -> None:
    with pytest.raises(BudgetExceededError, match="budget"):
        make_ledger("0").reserve(call(), Decimal("0.000001"))


def test_what_a_call_did_not_cost_can_be_spent_again(make_ledger: Callable[[str], Ledger]) -> None:
    ledger = make_ledger("1")
    entry = ledger.reserve(call(), Decimal("0.9"))

    ledger.settle(entry, "annotated", USAGE, Decimal("0.4"))

    assert reserve_all(ledger, "0.1") == 6


def test_a_call_that_failed_for_free_gives_all_of_it_back(
    make_ledger: Callable[[str], Ledger],
) -> None:
    ledger = make_ledger("1")
    entry = ledger.reserve(call(), Decimal(1))

    ledger.settle(entry, "unreachable", None, Decimal(0))

    assert reserve_all(ledger, "1") == 1


def test_an_unknown_bill_stays_counted_in_full(make_ledger: Callable[[str], Ledger]) -> None:
    ledger = make_ledger("1")
    entry = ledger.reserve(call(), Decimal("0.9"))

    ledger.settle(entry, "unreachable", None, None)

    assert reserve_all(ledger, "0.1") == 1


def test_a_bill_above_its_reservation_is_counted_too(make_ledger: Callable[[str], Ledger]) -> None:
    ledger = make_ledger("1")
    entry = ledger.reserve(call(), Decimal("0.1"))

    ledger.settle(entry, "annotated", USAGE, Decimal("0.95"))

    assert reserve_all(ledger, "0.1") == 0


def test_threads_racing_for_a_budget_take_exactly_what_there_is(
    make_ledger: Callable[[str], Ledger],
) -> None:
    ledger = make_ledger("1")

    with ThreadPoolExecutor(THREADS) as pool:
        taken = sum(pool.map(lambda _: reserve_all(ledger, "0.07"), range(THREADS)))

    assert taken == 14


# What the one in the store promises besides -----------------------------------------------------


def entries_sum(database: Database) -> int:
    with database.read() as session:
        return int(session.scalar(select(func.sum(LedgerRow.cost_nanousd))) or 0)


def spend(url: str, project_id: int) -> None:
    """One process of a race: its threads reserve and settle in all ways until nothing is left."""
    database = Database(url)
    ledger = SqlLedger(database, Decimal(1))

    def one_thread(number: int) -> None:
        for turn in range(1000):
            try:
                entry = ledger.reserve(call(project_id), Decimal("0.02"))
            except BudgetExceededError:
                return
            assert committed_usd(database, project_id) <= 1
            if turn % 3 == 0:
                ledger.settle(entry, "annotated", USAGE, Decimal("0.0151"))
            elif turn % 3 == 1:
                ledger.settle(entry, "unreachable", None, None)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one_thread, range(THREADS)))
    database.close()


def test_processes_racing_for_a_budget_never_overspend(
    database_url: str, database: Database, project: Project
) -> None:
    racers = [processes.start(spend, database_url, project.id) for _ in range(PROCESSES)]
    for racer in racers:
        racer.join()

    committed = nano_usd(committed_usd(database, project.id))
    assert [racer.exitcode for racer in racers] == [0] * PROCESSES
    assert nano_usd(Decimal("0.98")) < committed <= nano_usd(Decimal(1))
    assert committed == entries_sum(database)


def test_every_project_has_a_budget_of_its_own(
    database: Database, project: Project, other_project: Project
) -> None:
    ledger = SqlLedger(database, Decimal(1))
    reserve_all(ledger, "0.5", project.id)

    assert reserve_all(ledger, "0.5", other_project.id) == 2


def test_fractions_of_a_nano_dollar_are_rounded_up() -> None:
    assert nano_usd(Decimal("0.0000000011")) == 2


def test_an_entry_keeps_what_was_billed(database: Database, project: Project) -> None:
    ledger = SqlLedger(database, Decimal(1))
    entry = ledger.reserve(call(project.id), Decimal("0.5"))

    ledger.settle(entry, "annotated", USAGE, Decimal("0.25"))

    with database.read() as session:
        row = session.get_one(LedgerRow, entry)
    assert (row.state, row.outcome, row.cost_nanousd) == ("settled", "annotated", 250_000_000)
    assert (row.input_tokens, row.output_tokens, row.cached_input_tokens) == (1000, 50, 200)
    assert row.task_ids == ["7", "8"]


def test_a_refused_call_leaves_no_entry(database: Database, project: Project) -> None:
    with pytest.raises(BudgetExceededError):
        SqlLedger(database, Decimal(1)).reserve(call(project.id), Decimal(2))

    assert entries_sum(database) == 0


def test_a_raised_budget_counts_what_was_spent_before(sqlite_database: Database) -> None:
    project = Projects(sqlite_database).register("label_studio", "1", LABEL_CONFIG)
    reserve_all(SqlLedger(sqlite_database, Decimal(1)), "0.5", project.id)

    assert reserve_all(SqlLedger(sqlite_database, Decimal(2)), "0.5", project.id) == 2
