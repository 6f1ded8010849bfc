"""What a project's last blind audit said, for pages that have no time to work it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from backend.domain import SourceKind
from backend.quality.audit import AuditedModel, AuditSummary
from backend.quality.intervals import Interval
from backend.store.database import Database
from backend.store.rows import upsert
from backend.store.schema import AuditRow


class SqlAudits:
    """The last audit of the project ``project_id`` of the store."""

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id

    def keep(self, summary: AuditSummary) -> None:
        """Put an audit in the place of the one before."""
        row = {
            "project_id": self._project_id,
            "summary": asdict(summary),
            "audited_at": datetime.now(UTC),
        }
        with self._database.write() as session:
            upsert(session, AuditRow, [row], ["project_id"])

    def last(self) -> AuditSummary | None:
        """The newest audit, ``None`` where there was none yet."""
        with self._database.read() as session:
            row = session.get(AuditRow, self._project_id)
            return None if row is None else _from_json(row.summary)


def _from_json(summary: Mapping[str, Any]) -> AuditSummary:
    models = tuple(_model(each) for each in summary["models"])
    return AuditSummary(**(dict(summary) | {"models": models}))


def _model(data: Mapping[str, Any]) -> AuditedModel:
    scores = {
        name: Interval(**data[name]) if data[name] else None
        for name in ("precision", "recall", "f1")
    }
    return AuditedModel(**(dict(data) | scores | {"kind": SourceKind(data["kind"])}))
