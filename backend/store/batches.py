"""Batches of paid calls (:class:`backend.protocols.BatchRecords`), in SQL."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert, select, update

from backend.protocols import OpenBatch
from backend.store.database import Database
from backend.store.schema import BatchCallRow, BatchRow

OPEN, FINISHED = "open", "finished"


class SqlBatchRecords:
    """The batches of one account at one provider's model."""

    def __init__(self, database: Database, account: str, provider: str, model: str) -> None:
        self._database = database
        self._account = account
        self._provider = provider
        self._model = model

    def begin(self, batch: OpenBatch) -> None:
        """See :meth:`backend.protocols.BatchRecords.begin`."""
        calls = [
            {"batch_id": batch.id, "custom_id": digest, "entry": entry}
            for digest, entry in batch.entries.items()
        ]
        with self._database.write() as session:
            session.add(
                BatchRow(
                    id=batch.id,
                    account=self._account,
                    provider=self._provider,
                    model=self._model,
                    provider_id=batch.provider_id,
                    state=OPEN,
                    created_at=datetime.now(UTC),
                )
            )
            session.flush()
            session.execute(insert(BatchCallRow), calls)

    def submitted(self, batch_id: str, provider_id: str) -> None:
        """See :meth:`backend.protocols.BatchRecords.submitted`."""
        self._set(batch_id, provider_id=provider_id)

    def open(self) -> list[OpenBatch]:
        """See :meth:`backend.protocols.BatchRecords.open`."""
        query = (
            select(BatchRow)
            .where(
                BatchRow.account == self._account,
                BatchRow.provider == self._provider,
                BatchRow.model == self._model,
                BatchRow.state == OPEN,
            )
            .order_by(BatchRow.created_at)
        )
        with self._database.read() as session:
            rows = session.scalars(query).all()
            calls = select(BatchCallRow.custom_id, BatchCallRow.entry)
            return [
                OpenBatch(
                    row.id,
                    row.provider_id,
                    {
                        call.custom_id: call.entry
                        for call in session.execute(calls.where(BatchCallRow.batch_id == row.id))
                    },
                )
                for row in rows
            ]

    def finish(self, batch_id: str) -> None:
        """See :meth:`backend.protocols.BatchRecords.finish`."""
        self._set(batch_id, state=FINISHED)

    def _set(self, batch_id: str, **values: str) -> None:
        with self._database.write() as session:
            session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(**values))
