"""The ledger of paid calls and the cache of their answers, in SQL.

A budget is one row with what is committed. A call takes from all budgets that it falls under or
from none, in one transaction that holds their rows, so any number of threads and processes
together never take more than there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from typing import Any

from sqlalchemy import Connection, Executable, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.domain import PaidCall, PriceTag, Usage
from backend.errors import BudgetExceededError, StoreError
from backend.store.database import Database
from backend.store.rows import chunks
from backend.store.schema import Base, BudgetRow, CachedAnswerRow, LedgerRow

NANO = Decimal(10) ** 9

# Statements of the calls' own path, made once: they are run three times for every call.

_BUDGETS = Base.metadata.tables[BudgetRow.__tablename__]
_ANSWERS = Base.metadata.tables[CachedAnswerRow.__tablename__]
_LEDGER = Base.metadata.tables[LedgerRow.__tablename__]


def insert_new(table: Table) -> Mapping[str, Executable]:
    """Insert rows except those whose keys are taken, by the name of the SQL dialect."""
    return {
        "sqlite": sqlite.insert(table).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(table).on_conflict_do_nothing(),
    }


NEW_BUDGETS = insert_new(_BUDGETS)
HOLD_BUDGETS = (
    select(_BUDGETS.c.key, _BUDGETS.c.committed_nanousd)
    .where(_BUDGETS.c.key.in_(bindparam("names", expanding=True)))
    .order_by(_BUDGETS.c.key)  # everybody waits for rows in the same order
    .with_for_update()
)
ADD_TO_BUDGETS = (
    update(_BUDGETS)
    .where(_BUDGETS.c.key.in_(bindparam("names", expanding=True)))
    .values(committed_nanousd=_BUDGETS.c.committed_nanousd + bindparam("amount"))
)
NEW_ENTRY = insert(_LEDGER).returning(_LEDGER.c.id)
HOLD_ENTRY = (
    select(_LEDGER.c.project_id, _LEDGER.c.budgets, _LEDGER.c.cost_nanousd)
    .where(_LEDGER.c.id == bindparam("entry"))
    .with_for_update()
)
FIND_ANSWERS = select(_ANSWERS.c.key, _ANSWERS.c.answer).where(
    _ANSWERS.c.key.in_(bindparam("keys", expanding=True))
)
NEW_ANSWERS = insert_new(_ANSWERS)
CLOSE_ENTRY = update(_LEDGER).where(_LEDGER.c.id == bindparam("entry"))


def nano_usd(amount: Decimal) -> int:
    """US dollars in whole nano-dollars, rounded up: the ledger never under-counts."""
    return int((amount * NANO).to_integral_value(rounding=ROUND_UP))


def budget_key(project_id: int | None) -> str:
    """The name of a project's budget."""
    return f"project:{project_id}"


def committed_usd(database: Database, project_id: int | None) -> Decimal:
    """US dollars spent or reserved on a project's budget."""
    return committed_on(database, budget_key(project_id))


def committed_on(database: Database, key: str) -> Decimal:
    """US dollars spent or reserved on the budget of that name."""
    with database.read() as session:
        row = session.get(BudgetRow, key)
    return Decimal(row.committed_nanousd if row else 0) / NANO


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that a budget may come to; ``setting`` is what a person changes to raise it."""

    key: str
    limit_nanousd: int | None
    setting: str

    def refusal(self, at_most: Decimal) -> BudgetExceededError:
        """The error for a call that it does not cover."""
        limit = (self.limit_nanousd or 0) / NANO
        return BudgetExceededError(
            f"The next call could cost ${at_most:.4f}, which the budget of ${limit:.2f} "
            f"({self.key}) no longer covers. Raise {self.setting} to go on."
        )


class SqlLedger:
    """:class:`backend.protocols.Ledger` with a budget per project, day (UTC) and run.

    Calls of no project are taken from the budget named ``account``, under the project's limit.
    """

    def __init__(
        self,
        database: Database,
        budget_usd: Decimal,
        *,
        per_day_usd: Decimal | None = None,
        per_run_usd: Decimal | None = None,
        account: str | None = None,
    ) -> None:
        self._database = database
        self._budget = nano_usd(budget_usd)
        self._per_day = None if per_day_usd is None else nano_usd(per_day_usd)
        self._per_run = None if per_run_usd is None else nano_usd(per_run_usd)
        self._account = account or budget_key(None)

    def reserve(self, call: PaidCall, at_most: Decimal) -> int:
        """See :meth:`backend.protocols.Ledger.reserve`."""
        amount = nano_usd(at_most)
        now = datetime.now(UTC)
        caps = list(self._caps(call, now))

        def work(sql: Connection) -> int | Cap:
            exceeded = _take(sql, caps, amount)
            return exceeded or _write_down(sql, call, caps, amount, now)

        entry = self._database.write_together(work)
        if isinstance(entry, Cap):
            raise entry.refusal(at_most)
        return entry

    def _caps(self, call: PaidCall, now: datetime) -> Iterator[Cap]:
        """The budgets that a call falls under. Days are counted whether or not they are capped."""
        own = self._account if call.project_id is None else budget_key(call.project_id)
        yield Cap(own, self._budget, "llm.budget_usd")
        yield Cap(f"day:{now:%Y-%m-%d}", self._per_day, "llm.budget_usd_per_day")
        if call.run and self._per_run is not None:
            yield Cap(f"run:{call.run}", self._per_run, "llm.budget_usd_per_run")

    def settle(self, entry: int, outcome: str, usage: Usage | None, cost: Decimal | None) -> None:
        """See :meth:`backend.protocols.Ledger.settle`."""
        values: dict[str, Any] = {
            "outcome": outcome,
            "settled_at": datetime.now(UTC),
            "state": "unknown" if cost is None else "settled",
        }
        if usage:
            values |= {
                "input_tokens": usage.input,
                "output_tokens": usage.output,
                "cached_input_tokens": usage.cached_input,
                "cache_write_tokens": usage.cache_write,
            }
        if cost is not None:
            values["cost_nanousd"] = nano_usd(cost)
        self._database.write_together(lambda sql: _settle(sql, entry, values))


def _take(sql: Connection, caps: Iterable[Cap], amount: int) -> Cap | None:
    """Take an amount from all budgets, or from none and say which one refused."""
    limits = {cap.key: cap for cap in caps}
    names = {"names": list(limits)}
    committed = {row.key: row.committed_nanousd for row in sql.execute(HOLD_BUDGETS, names)}
    if missing := sorted(limits.keys() - committed.keys()):
        sql.execute(NEW_BUDGETS[sql.dialect.name], [{"key": key} for key in missing])
        committed = {row.key: row.committed_nanousd for row in sql.execute(HOLD_BUDGETS, names)}
    for key, cap in limits.items():
        if cap.limit_nanousd is not None and committed[key] + amount > cap.limit_nanousd:
            return cap
    sql.execute(ADD_TO_BUDGETS, names | {"amount": amount})
    return None


def _write_down(
    sql: Connection, call: PaidCall, caps: Iterable[Cap], amount: int, now: datetime
) -> int:
    entry = {
        "project_id": call.project_id,
        "run": call.run,
        "provider": call.provider,
        "model": call.model,
        "prompt_version": call.prompt_version,
        "task_ids": list(call.task_ids),
        "state": "reserved",
        "cost_nanousd": amount,
        "created_at": now,
        "price": _price_to_json(call.price) if call.price else None,
        "budgets": [cap.key for cap in caps],
    }
    number: int = sql.execute(NEW_ENTRY, entry).scalar_one()
    return number


def _settle(sql: Connection, entry: int, values: Mapping[str, Any]) -> None:
    row = sql.execute(HOLD_ENTRY, {"entry": entry}).one_or_none()
    if row is None:
        raise StoreError(f"The ledger has no entry {entry}. Was it restored from a backup?")
    if "cost_nanousd" in values:
        names = row.budgets or [budget_key(row.project_id)]
        change = values["cost_nanousd"] - row.cost_nanousd
        sql.execute(ADD_TO_BUDGETS, {"names": names, "amount": change})
    sql.execute(CLOSE_ENTRY, {"entry": entry, **values})


def _price_to_json(price: PriceTag) -> dict[str, Any]:
    return {
        "input_usd_per_million": str(price.input),
        "output_usd_per_million": str(price.output),
        "source": price.source,
        "as_of": price.as_of.isoformat() if price.as_of else None,
    }


class SqlAnswerCache:
    """:class:`backend.protocols.AnswerCache` in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """See :meth:`backend.protocols.AnswerCache.get`."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Collection[str]) -> dict[str, str]:
        """See :meth:`backend.protocols.AnswerCache.get_many`."""
        rows = self._database.look_up(FIND_ANSWERS, {"keys": list(keys)})
        return {row.key: row.answer for row in rows}

    def put(self, key: str, answer: str) -> None:
        """See :meth:`backend.protocols.AnswerCache.put`."""
        self.put_many({key: answer})

    def put_many(self, answers: Mapping[str, str]) -> None:
        """See :meth:`backend.protocols.AnswerCache.put_many`."""
        if not answers:
            return
        now = datetime.now(UTC)
        rows = [{"key": k, "answer": answer, "created_at": now} for k, answer in answers.items()]
        self._database.write_together(
            lambda sql: sql.execute(NEW_ANSWERS[sql.dialect.name], rows).rowcount
        )

    def put_all(self, answers: Iterable[tuple[str, str]]) -> int:
        """Keep the answers of a recording; returns how many were not known."""
        before = self._count()
        for some in chunks(answers):
            self.put_many(dict(some))
        return self._count() - before

    def _count(self) -> int:
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(CachedAnswerRow)) or 0

    def everything(self) -> Iterator[tuple[str, str]]:
        """Every key with its answer, in the order of the keys."""
        with self._database.read() as session:
            query = select(CachedAnswerRow.key, CachedAnswerRow.answer).order_by(
                CachedAnswerRow.key
            )
            for row in session.execute(query).yield_per(1000):
                yield row.key, row.answer
