"""What the labelling tool said of a project's annotations, in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from backend.domain import Annotation
from backend.store.database import Database
from backend.store.rows import (
    chunks,
    chunks_to_write,
    read_in_pages,
    spans_from_json,
    spans_to_json,
    upsert,
)
from backend.store.schema import AnnotationRow, ProjectRow, TaskRow


class AnnotationReadings:
    """The annotations of the project ``project_id``, made equal to one reading after another.

    Readings of the tool arrive late, twice and out of order; whatever is stored for a task is what
    the newest reading of it has told.
    """

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id

    def apply(
        self, annotations: Iterable[Annotation], as_of: datetime, task_ids: Iterable[str] | None
    ) -> int:
        """Do :meth:`backend.protocols.TaskRecords.replace_annotations`."""
        told: Told = defaultdict(dict)
        for annotation in annotations:
            told[annotation.task_id][annotation.id] = annotation
        if task_ids is None:
            # Refuse older readings first, compare then: nothing old can slip in between.
            self._note_full_reading(as_of)
            task_ids = self._tasks_that_differ(told)
        changed = 0
        for chunk in chunks_to_write(sorted(set(task_ids))):
            with self._database.write() as session:
                changed += self._apply_reading(session, told, as_of, chunk)
        return changed

    def _note_full_reading(self, as_of: datetime) -> None:
        with self._database.write() as session:
            session.execute(
                update(ProjectRow)
                .where(
                    ProjectRow.id == self._project_id,
                    or_(ProjectRow.labels_read_at.is_(None), ProjectRow.labels_read_at < as_of),
                )
                .values(labels_read_at=as_of)
            )

    def _tasks_that_differ(self, told: Told) -> set[str]:
        query = select(*ANNOTATION_COLUMNS, AnnotationRow.id).where(
            AnnotationRow.project_id == self._project_id
        )
        stored: Told = defaultdict(dict)
        for row in read_in_pages(self._database, query, AnnotationRow.id):
            stored[row.task_id][row.external_id] = _annotation_from_row(row)
        return {
            task_id for task_id in told.keys() | stored if told.get(task_id) != stored.get(task_id)
        }

    def _apply_reading(
        self, session: Session, told: Told, as_of: datetime, task_ids: Sequence[str]
    ) -> int:
        readable = self._not_read_since(session, as_of, task_ids)
        stored = self._stored(session, readable)
        standing = {
            annotation.id: annotation
            for task_id in readable
            for annotation in told.get(task_id, {}).values()
        }
        gone = stored.keys() - standing.keys()
        changed = [item for item in standing.values() if item != stored.get(item.id)]
        session.execute(
            delete(AnnotationRow).where(
                AnnotationRow.project_id == self._project_id, AnnotationRow.external_id.in_(gone)
            )
        )
        rows = [self._annotation_row(item) for item in changed]
        upsert(session, AnnotationRow, rows, ["project_id", "external_id"])
        self._mark_read(session, as_of, readable)
        return len(gone) + len(changed)

    def _not_read_since(
        self, session: Session, as_of: datetime, task_ids: Sequence[str]
    ) -> list[str]:
        # The lock lets one reading at a time decide what is older; webhooks do not wait for it.
        project = session.get_one(ProjectRow, self._project_id, with_for_update={"key_share": True})
        if project.labels_read_at is not None and project.labels_read_at > as_of:
            return []
        query = select(TaskRow.external_id).where(
            TaskRow.project_id == self._project_id,
            TaskRow.external_id.in_(task_ids),
            or_(TaskRow.labels_read_at.is_(None), TaskRow.labels_read_at <= as_of),
        )
        return list(session.scalars(query))

    def _stored(self, session: Session, task_ids: Sequence[str]) -> dict[str, Annotation]:
        query = select(*ANNOTATION_COLUMNS).where(
            AnnotationRow.project_id == self._project_id, AnnotationRow.task_id.in_(task_ids)
        )
        return {row.external_id: _annotation_from_row(row) for row in session.execute(query)}

    def _mark_read(self, session: Session, as_of: datetime, task_ids: Sequence[str]) -> None:
        standing = exists().where(
            AnnotationRow.project_id == TaskRow.project_id,
            AnnotationRow.task_id == TaskRow.external_id,
        )
        session.execute(
            update(TaskRow)
            .where(TaskRow.project_id == self._project_id, TaskRow.external_id.in_(task_ids))
            .values(labelled=standing, labels_read_at=as_of)
            .execution_options(synchronize_session=False)
        )

    def _annotation_row(self, annotation: Annotation) -> dict[str, Any]:
        return {
            "project_id": self._project_id,
            "external_id": annotation.id,
            "task_id": annotation.task_id,
            "annotator": annotation.annotator,
            "spans": spans_to_json(annotation.spans),
            "skipped": annotation.skipped,
            "lead_time": annotation.lead_time,
            "updated_at": annotation.updated_at,
        }

    def standing(self) -> dict[str, list[Annotation]]:
        """Every annotation, skips included, oldest first, by task id."""
        query = select(*ANNOTATION_COLUMNS, AnnotationRow.id).where(
            AnnotationRow.project_id == self._project_id
        )
        found: Told = defaultdict(dict)
        for row in read_in_pages(self._database, query, AnnotationRow.id):
            found[row.task_id][row.external_id] = _annotation_from_row(row)
        return {
            task_id: sorted(told.values(), key=lambda each: each.updated_at)
            for task_id, told in found.items()
        }

    def newest(self) -> dict[str, Annotation]:
        """The newest annotation that is not a skip, by task id."""
        query = select(*ANNOTATION_COLUMNS, AnnotationRow.id).where(
            AnnotationRow.project_id == self._project_id, AnnotationRow.skipped.is_(False)
        )
        newest: dict[str, Annotation] = {}
        for row in read_in_pages(self._database, query, AnnotationRow.id):
            annotation = _annotation_from_row(row)
            rival = newest.get(annotation.task_id)
            if rival is None or rival.updated_at <= annotation.updated_at:
                newest[annotation.task_id] = annotation
        return newest

    def tasks_of(self, annotation_ids: Iterable[str]) -> set[str]:
        """The tasks of annotations that the store knows; a deletion names no task itself."""
        with self._database.read() as session:
            return {
                task_id
                for chunk in chunks(annotation_ids)
                for task_id in session.scalars(
                    select(AnnotationRow.task_id).where(
                        AnnotationRow.project_id == self._project_id,
                        AnnotationRow.external_id.in_(chunk),
                    )
                )
            }


Told = dict[str, dict[str, Annotation]]
"""Annotations by task id and by their own id."""

ANNOTATION_COLUMNS = (
    AnnotationRow.external_id,
    AnnotationRow.task_id,
    AnnotationRow.spans,
    AnnotationRow.annotator,
    AnnotationRow.updated_at,
    AnnotationRow.skipped,
    AnnotationRow.lead_time,
)


def _annotation_from_row(row: Row[Any]) -> Annotation:
    return Annotation(
        id=row.external_id,
        task_id=row.task_id,
        spans=spans_from_json(row.spans),
        annotator=row.annotator,
        updated_at=row.updated_at,
        skipped=row.skipped,
        lead_time=row.lead_time,
    )
