"""What need not be kept for ever."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from backend.store.database import Database
from backend.store.schema import InboxRow, JobRow


def forget_finished(database: Database, before: datetime) -> int:
    """Delete jobs that ended and hints that were handled before a moment; returns how many."""
    with database.write() as session:
        jobs = session.execute(
            delete(JobRow).where(JobRow.finished_at < before).returning(JobRow.id)
        )
        hints = session.execute(
            delete(InboxRow).where(InboxRow.handled_at < before).returning(InboxRow.id)
        )
        return len(jobs.all()) + len(hints.all())
