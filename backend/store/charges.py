"""The ledger read back, for reports."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import select

from backend.cost.ledger import Charge
from backend.store.database import Database
from backend.store.money import NANO
from backend.store.schema import LedgerRow


def charges(database: Database, project_id: int | None = None) -> Iterator[Charge]:
    """Every attempt in the order in which they were made; of one project if it is named."""
    query = select(LedgerRow).order_by(LedgerRow.id)
    if project_id is not None:
        query = query.where(LedgerRow.project_id == project_id)
    with database.read() as session:
        for row in session.scalars(query.execution_options(yield_per=1000)):
            yield Charge(
                day=row.created_at.date(),
                provider=row.provider,
                model=row.model,
                prompt_version=row.prompt_version,
                outcome=row.outcome,
                settled=row.state == "settled",
                usd=Decimal(row.cost_nanousd) / NANO,
                tasks=len(row.task_ids),
                input_tokens=row.input_tokens,
                output_tokens=row.output_tokens,
                cached_input_tokens=row.cached_input_tokens,
            )
