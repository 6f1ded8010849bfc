"""The durable memory of what each round measured, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from backend.domain import RoundReport, SourceKind, SpanScores
from backend.store.database import Database
from backend.store.money import committed_usd
from backend.store.rows import upsert
from backend.store.schema import RoundRow


class SqlRoundRecords:
    """:class:`backend.protocols.RoundRecords` of the project ``project_id`` of the store."""

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id

    def all(self) -> list[RoundReport]:
        """See :meth:`backend.protocols.RoundRecords.all`."""
        query = (
            select(RoundRow.report)
            .where(RoundRow.project_id == self._project_id)
            .order_by(RoundRow.number)
        )
        with self._database.read() as session:
            return [_round_from_json(report) for report in session.scalars(query)]

    def keep(self, report: RoundReport) -> None:
        """See :meth:`backend.protocols.RoundRecords.keep`."""
        row = {
            "project_id": self._project_id,
            "number": report.number,
            "report": asdict(report),
            "finished_at": datetime.now(UTC),
        }
        with self._database.write() as session:
            upsert(session, RoundRow, [row], ["project_id", "number"])

    def spent_usd(self) -> Decimal:
        """See :meth:`backend.protocols.RoundRecords.spent_usd`."""
        return committed_usd(self._database, self._project_id)


def _round_from_json(report: Mapping[str, Any]) -> RoundReport:
    scores = {
        name: SpanScores(**report[name]) if report[name] else None
        for name in ("tagger", "previous", "llm", "shown")
    }
    preferred = SourceKind(report["preferred"])
    return RoundReport(**(dict(report) | scores | {"preferred": preferred}))
