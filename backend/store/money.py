"""The ledger of paid calls and the cache of their answers, in SQL.

A budget is one row with what is committed; taking from it is one conditional UPDATE, so any number
of threads and processes together never take more than there is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal

from sqlalchemy import select, update

from backend.domain import PaidCall, Usage
from backend.errors import BudgetExceededError
from backend.store.database import Database
from backend.store.rows import insert_missing
from backend.store.schema import BudgetRow, CachedAnswerRow, LedgerRow

NANO = Decimal(10) ** 9


def nano_usd(amount: Decimal) -> int:
    """US dollars in whole nano-dollars, rounded up: the ledger never under-counts."""
    return int((amount * NANO).to_integral_value(rounding=ROUND_UP))


def budget_key(project_id: int | None) -> str:
    """The name of a project's budget."""
    return f"project:{project_id}"


def committed_usd(database: Database, project_id: int | None) -> Decimal:
    """US dollars spent or reserved on a project's budget."""
    with database.read() as session:
        row = session.get(BudgetRow, budget_key(project_id))
    return Decimal(row.committed_nanousd if row else 0) / NANO


class SqlLedger:
    """:class:`backend.protocols.Ledger` with one budget per project."""

    def __init__(self, database: Database, budget_usd: Decimal) -> None:
        self._database = database
        self._budget = nano_usd(budget_usd)

    def reserve(self, call: PaidCall, at_most: Decimal) -> int:
        """See :meth:`backend.protocols.Ledger.reserve`."""
        amount = nano_usd(at_most)
        key = budget_key(call.project_id)
        with self._database.write() as session:
            insert_missing(session, BudgetRow, {"key": key}, ["key"])
            taken = session.execute(
                update(BudgetRow)
                .where(BudgetRow.key == key, BudgetRow.committed_nanousd + amount <= self._budget)
                .values(committed_nanousd=BudgetRow.committed_nanousd + amount)
                .returning(BudgetRow.key)
            ).first()
            if taken is None:
                raise BudgetExceededError(
                    f"The next call could cost ${at_most:.4f}, which the budget of "
                    f"${self._budget / NANO:.2f} no longer covers. Raise llm.budget_usd to go on."
                )
            entry = LedgerRow(
                project_id=call.project_id,
                run=call.run,
                provider=call.provider,
                model=call.model,
                prompt_version=call.prompt_version,
                task_ids=list(call.task_ids),
                state="reserved",
                cost_nanousd=amount,
                created_at=datetime.now(UTC),
            )
            session.add(entry)
            session.flush()
            return entry.id

    def settle(self, entry: int, outcome: str, usage: Usage | None, cost: Decimal | None) -> None:
        """See :meth:`backend.protocols.Ledger.settle`."""
        with self._database.write() as session:
            row = session.get_one(LedgerRow, entry, with_for_update=True)
            row.outcome = outcome
            row.settled_at = datetime.now(UTC)
            row.state = "unknown" if cost is None else "settled"
            if usage:
                row.input_tokens = usage.input
                row.output_tokens = usage.output
                row.cached_input_tokens = usage.cached_input
                row.cache_write_tokens = usage.cache_write
            if cost is not None:
                billed = nano_usd(cost)
                session.execute(
                    update(BudgetRow)
                    .where(BudgetRow.key == budget_key(row.project_id))
                    .values(
                        committed_nanousd=BudgetRow.committed_nanousd + billed - row.cost_nanousd
                    )
                )
                row.cost_nanousd = billed


class SqlAnswerCache:
    """:class:`backend.protocols.AnswerCache` in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """See :meth:`backend.protocols.AnswerCache.get`."""
        with self._database.read() as session:
            return session.scalar(select(CachedAnswerRow.answer).where(CachedAnswerRow.key == key))

    def put(self, key: str, answer: str) -> None:
        """See :meth:`backend.protocols.AnswerCache.put`."""
        row = {"key": key, "answer": answer, "created_at": datetime.now(UTC)}
        with self._database.write() as session:
            insert_missing(session, CachedAnswerRow, row, ["key"])
