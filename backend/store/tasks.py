"""The durable memory of a project's tasks and annotations, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from backend.domain import Annotation, Task
from backend.store.database import Database
from backend.store.rows import chunks, spans_from_json, spans_to_json, upsert
from backend.store.schema import AnnotationRow, TaskRow


class SqlTaskRecords:
    """:class:`backend.protocols.TaskRecords` of the project ``project_id`` of the store."""

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id

    def replace_tasks(self, tasks: Iterable[Task]) -> int:
        """See :meth:`backend.protocols.TaskRecords.replace_tasks`."""
        gone = self._task_ids()
        new = 0
        for chunk in chunks(tasks):
            ids = [task.id for task in chunk]
            with self._database.write() as session:
                known = self._known_texts(session, ids)
                changed = [task for task in chunk if known.get(task.id) != task.text]
                upsert(session, TaskRow, [self._task_row(task) for task in changed], TASK_KEY)
            new += len(chunk) - len(known)
            gone.difference_update(ids)
            self._refresh_labelled({task.id for task in changed})
        self._forget(gone)
        return new

    def _task_ids(self) -> set[str]:
        query = select(TaskRow.external_id).where(TaskRow.project_id == self._project_id)
        with self._database.read() as session:
            return set(session.scalars(query))

    def _forget(self, task_ids: set[str]) -> None:
        for chunk in chunks(sorted(task_ids)):
            with self._database.write() as session:
                for table, column in (
                    (TaskRow, TaskRow.external_id),
                    (AnnotationRow, AnnotationRow.task_id),
                ):
                    session.execute(
                        delete(table).where(table.project_id == self._project_id, column.in_(chunk))
                    )

    def _known_texts(self, session: Session, ids: Sequence[str]) -> dict[str, str]:
        query = select(TaskRow.external_id, TaskRow.text).where(
            TaskRow.project_id == self._project_id, TaskRow.external_id.in_(ids)
        )
        return {row.external_id: row.text for row in session.execute(query)}

    def _task_row(self, task: Task) -> dict[str, Any]:
        return {
            "project_id": self._project_id,
            "external_id": task.id,
            "text": task.text,
            "language": task.language,
            "meta": dict(task.meta),
            "pushed_version": None,
            "pushed_digest": None,
        }

    def pool(self) -> list[Task]:
        """See :meth:`backend.protocols.TaskRecords.pool`."""
        query = (
            select(TaskRow)
            .where(TaskRow.project_id == self._project_id, TaskRow.labelled.is_(False))
            .order_by(TaskRow.confidence.asc().nulls_last(), TaskRow.id)
        )
        with self._database.read() as session:
            return [task_from_row(row) for row in session.scalars(query)]

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Those of the ids that the store holds no task for."""
        ids = sorted(set(task_ids))
        with self._database.read() as session:
            known = {i for chunk in chunks(ids) for i in self._known_texts(session, chunk)}
        return [task_id for task_id in ids if task_id not in known]

    def tasks_of_annotations(self, annotation_ids: Iterable[str]) -> set[str]:
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

    def replace_annotations(
        self, annotations: Iterable[Annotation], as_of: datetime, task_ids: Iterable[str] | None
    ) -> int:
        """See :meth:`backend.protocols.TaskRecords.replace_annotations`."""
        incoming = {annotation.id: annotation for annotation in annotations}
        scope = None if task_ids is None else set(task_ids)
        stored = {row.external_id: row for row in self._annotation_rows(scope)}
        gone = [i for i, row in stored.items() if i not in incoming and row.seen_at <= as_of]
        changed = [
            annotation
            for annotation in incoming.values()
            if _is_news(annotation, stored.get(annotation.id), as_of)
        ]
        touched = {stored[i].task_id for i in gone} | {item.task_id for item in changed}
        for ids in chunks(gone):
            with self._database.write() as session:
                session.execute(
                    delete(AnnotationRow).where(
                        AnnotationRow.project_id == self._project_id,
                        AnnotationRow.external_id.in_(ids),
                        AnnotationRow.seen_at <= as_of,
                    )
                )
        for items in chunks(changed):
            with self._database.write() as session:
                rows = [self._annotation_row(item, as_of) for item in items]
                upsert(session, AnnotationRow, rows, ["project_id", "external_id"])
        self._refresh_labelled(touched | (scope or set()))
        return len(gone) + len(changed)

    def _annotation_rows(self, task_ids: set[str] | None) -> list[AnnotationRow]:
        query = select(AnnotationRow).where(AnnotationRow.project_id == self._project_id)
        with self._database.read() as session:
            if task_ids is None:
                return list(session.scalars(query))
            return [
                row
                for chunk in chunks(sorted(task_ids))
                for row in session.scalars(query.where(AnnotationRow.task_id.in_(chunk)))
            ]

    def _annotation_row(self, annotation: Annotation, as_of: datetime) -> dict[str, Any]:
        return {
            "project_id": self._project_id,
            "external_id": annotation.id,
            "task_id": annotation.task_id,
            "annotator": annotation.annotator,
            "spans": spans_to_json(annotation.spans),
            "skipped": annotation.skipped,
            "lead_time": annotation.lead_time,
            "updated_at": annotation.updated_at,
            "seen_at": as_of,
        }

    def _refresh_labelled(self, task_ids: set[str]) -> None:
        standing = exists().where(
            AnnotationRow.project_id == TaskRow.project_id,
            AnnotationRow.task_id == TaskRow.external_id,
        )
        for chunk in chunks(sorted(task_ids)):
            with self._database.write() as session:
                session.execute(
                    update(TaskRow)
                    .where(TaskRow.project_id == self._project_id, TaskRow.external_id.in_(chunk))
                    .values(labelled=standing)
                    .execution_options(synchronize_session=False)
                )

    def labelled(self) -> list[tuple[Task, Annotation]]:
        """See :meth:`backend.protocols.TaskRecords.labelled`."""
        query = (
            select(TaskRow, AnnotationRow)
            .join(
                AnnotationRow,
                (AnnotationRow.project_id == TaskRow.project_id)
                & (AnnotationRow.task_id == TaskRow.external_id),
            )
            .where(TaskRow.project_id == self._project_id, AnnotationRow.skipped.is_(False))
            .order_by(TaskRow.id, AnnotationRow.updated_at, AnnotationRow.id)
        )
        with self._database.read() as session:
            newest = {
                task.id: (task_from_row(task), annotation_from_row(annotation))
                for task, annotation in session.execute(query)
            }
        return list(newest.values())

    def set_confidence(self, confidence: Mapping[str, float]) -> None:
        """See :meth:`backend.protocols.TaskRecords.set_confidence`."""
        for chunk in chunks(confidence.items()):
            with self._database.write() as session:
                for task_id, value in chunk:
                    session.execute(
                        update(TaskRow)
                        .where(
                            TaskRow.project_id == self._project_id, TaskRow.external_id == task_id
                        )
                        .values(confidence=value)
                        .execution_options(synchronize_session=False)
                    )

    def counts(self) -> tuple[int, int]:
        """How many tasks there are, and how many of them are labelled or skipped."""
        mine = TaskRow.project_id == self._project_id
        with self._database.read() as session:
            total = session.scalar(select(func.count()).where(mine)) or 0
            labelled = session.scalar(select(func.count()).where(mine, TaskRow.labelled)) or 0
        return total, labelled


TASK_KEY = ("project_id", "external_id")


def _is_news(annotation: Annotation, row: AnnotationRow | None, as_of: datetime) -> bool:
    if row is None:
        return True
    if row.seen_at > as_of:
        return False
    return annotation != annotation_from_row(row)


def task_from_row(row: TaskRow) -> Task:
    """The task in a row."""
    return Task(row.external_id, row.text, row.language, row.meta)


def annotation_from_row(row: AnnotationRow) -> Annotation:
    """The annotation in a row."""
    return Annotation(
        id=row.external_id,
        task_id=row.task_id,
        spans=spans_from_json(row.spans),
        annotator=row.annotator,
        updated_at=row.updated_at,
        skipped=row.skipped,
        lead_time=row.lead_time,
    )
