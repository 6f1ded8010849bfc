"""The durable memory of which tasks were sent to review, and which came back, in SQL."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from backend.domain import ReviewKind, Sighting
from backend.store.database import Database
from backend.store.schema import ReviewRow


class SqlReviewRecords:
    """:class:`backend.protocols.ReviewRecords` of the project ``project_id`` of the store."""

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id

    def all(self, kind: ReviewKind) -> dict[str, Sighting]:
        """See :meth:`backend.protocols.ReviewRecords.all`."""
        query = select(ReviewRow).where(
            ReviewRow.project_id == self._project_id, ReviewRow.kind == kind.value
        )
        with self._database.read() as session:
            return {
                row.task_id: Sighting(row.labelled_at, row.place, row.reviewed)
                for row in session.scalars(query)
            }

    def replace(self, kind: ReviewKind, sightings: Mapping[str, Sighting]) -> None:
        """See :meth:`backend.protocols.ReviewRecords.replace`."""
        rows = [
            {
                "project_id": self._project_id,
                "kind": kind.value,
                "task_id": task_id,
                "labelled_at": sighting.labelled_at,
                "place": sighting.place,
                "reviewed": sighting.reviewed,
            }
            for task_id, sighting in sightings.items()
        ]
        with self._database.write() as session:
            session.execute(
                delete(ReviewRow).where(
                    ReviewRow.project_id == self._project_id, ReviewRow.kind == kind.value
                )
            )
            if rows:
                session.execute(insert(ReviewRow), rows)
