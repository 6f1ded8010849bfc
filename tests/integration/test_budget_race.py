"""8 processes with 16 threads each race for one budget: none of it is spent twice."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from backend.domain import PaidCall, Usage
from backend.errors import BudgetExceededError
from backend.store.charges import charges
from backend.store.database import Database
from backend.store.money import SqlLedger, committed_on

PROCESSES, THREADS, CALLS = 8, 16, 3
LONGEST_WAIT_SECONDS = 120
WORST, BILL = Decimal("0.01"), Decimal("0.007")
DEMAND = PROCESSES * THREADS * CALLS * WORST
CALL = PaidCall(None, "openai", "gpt-6-luna", "entities-v1", ("1",))


def spend(url: str, budget: Decimal, start: multiprocessing.synchronize.Barrier) -> None:
    """What one process does: every thread asks for its calls until it is refused."""
    database = Database(url)
    ledger = SqlLedger(database, budget, account="race")

    def calls(_: int) -> None:
        for _ in range(CALLS):
            try:
                entry = ledger.reserve(CALL, WORST)
            except BudgetExceededError:
                continue
            ledger.settle(entry, "complete", Usage(10, 10), BILL)

    start.wait(LONGEST_WAIT_SECONDS)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(calls, range(THREADS)))


@pytest.mark.parametrize("share", ["0.01", "0.1", "0.5"])
def test_racing_processes_never_overspend(tmp_path: Path, share: str) -> None:
    budget = DEMAND * Decimal(share)
    database = Database(f"sqlite:///{tmp_path / 'harambee.sqlite3'}")
    database.migrate()
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(PROCESSES)
    racers = [
        context.Process(target=spend, args=(database.url, budget, start)) for _ in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    spent = sum((charge.usd for charge in charges(database)), Decimal(0))

    assert [racer.exitcode for racer in racers] == [0] * PROCESSES
    assert committed_on(database, "race") == spent
    assert budget - WORST < spent <= budget
