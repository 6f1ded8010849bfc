"""The durable memory of a project's tasks and annotations, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from backend.domain import Annotation, Route, Task
from backend.store.annotations import AnnotationReadings
from backend.store.database import Database
from backend.store.rows import chunks, chunks_to_write, read_in_pages, table_of, upsert
from backend.store.schema import AnnotationRow, AnswerRow, SuggestionRow, TaskRow


class SqlTaskRecords:
    """:class:`backend.protocols.TaskRecords` of the project ``project_id`` of the store."""

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id
        self._annotations = AnnotationReadings(database, project_id)

    # Tasks.

    def replace_tasks(self, tasks: Iterable[Task]) -> int:
        """See :meth:`backend.protocols.TaskRecords.replace_tasks`.

        A task whose text has changed starts anew: what was suggested for it is forgotten.
        """
        gone = self._task_ids()
        new = 0
        for chunk in chunks_to_write(tasks):
            listed = {task.id: task for task in chunk}
            with self._database.write() as session:
                known = self._known(session, listed)
                changed = [task for task in listed.values() if task != known.get(task.id)]
                upsert(session, TaskRow, [self._task_row(task) for task in changed], TASK_KEY)
                rewritten = [
                    task.id
                    for task in changed
                    if task.id in known and task.text != known[task.id].text
                ]
                self._forget_suggestions(session, rewritten)
            new += len(listed) - len(known)
            gone -= listed.keys()
        self._forget(gone)
        return new

    def _task_ids(self) -> set[str]:
        query = select(TaskRow.external_id).where(TaskRow.project_id == self._project_id)
        return {
            row.external_id for row in read_in_pages(self._database, query, TaskRow.external_id)
        }

    def _known(self, session: Session, task_ids: Iterable[str]) -> dict[str, Task]:
        query = select(*TASK_COLUMNS).where(
            TaskRow.project_id == self._project_id, TaskRow.external_id.in_(list(task_ids))
        )
        return {row.external_id: _task_from_row(row) for row in session.execute(query)}

    def _task_row(self, task: Task) -> dict[str, Any]:
        return {
            "project_id": self._project_id,
            "external_id": task.id,
            "text": task.text,
            "language": task.language,
            "meta": dict(task.meta),
        }

    def _forget_suggestions(self, session: Session, task_ids: Sequence[str]) -> None:
        if not task_ids:
            return
        for table in (SuggestionRow, AnswerRow):
            session.execute(
                delete(table).where(
                    table.project_id == self._project_id, table.task_id.in_(task_ids)
                )
            )
        session.execute(
            update(TaskRow)
            .where(TaskRow.project_id == self._project_id, TaskRow.external_id.in_(task_ids))
            .values(pushed_version=None, pushed_digest=None)
        )

    def _forget(self, task_ids: set[str]) -> None:
        for chunk in chunks_to_write(sorted(task_ids)):
            with self._database.write() as session:
                for table, task_id in (
                    (SuggestionRow, SuggestionRow.task_id),
                    (AnswerRow, AnswerRow.task_id),
                    (AnnotationRow, AnnotationRow.task_id),
                    (TaskRow, TaskRow.external_id),
                ):
                    session.execute(
                        delete(table).where(
                            table.project_id == self._project_id, task_id.in_(chunk)
                        )
                    )

    def pool(self) -> list[Task]:
        """See :meth:`backend.protocols.TaskRecords.pool`."""
        query = select(*TASK_COLUMNS, TaskRow.id, TaskRow.confidence).where(
            TaskRow.project_id == self._project_id, TaskRow.labelled.is_(False)
        )
        rows = list(read_in_pages(self._database, query, TaskRow.id))
        rows.sort(key=lambda row: (row.confidence is None, row.confidence or 0.0))
        return [_task_from_row(row) for row in rows]

    def set_confidence(self, confidence: Mapping[str, float]) -> None:
        """See :meth:`backend.protocols.TaskRecords.set_confidence`."""
        statement = (
            update(table_of(TaskRow))
            .where(
                TaskRow.project_id == self._project_id,
                TaskRow.external_id == bindparam("task_id"),
            )
            .values(confidence=bindparam("value"))
        )
        for chunk in chunks_to_write(confidence.items()):
            values = [{"task_id": task_id, "value": value} for task_id, value in chunk]
            with self._database.write() as session:
                session.execute(statement, values)

    def set_routes(self, routes: Mapping[str, Route]) -> None:
        """See :meth:`backend.protocols.TaskRecords.set_routes`."""
        by_route: dict[Route, list[str]] = {}
        for task_id, route in routes.items():
            by_route.setdefault(route, []).append(task_id)
        for route, task_ids in by_route.items():
            for chunk in chunks_to_write(task_ids):
                with self._database.write() as session:
                    session.execute(
                        update(TaskRow)
                        .where(
                            TaskRow.project_id == self._project_id,
                            TaskRow.external_id.in_(chunk),
                        )
                        .values(route=route.value)
                    )

    def routes(self) -> dict[str, Route]:
        """See :meth:`backend.protocols.TaskRecords.routes`."""
        query = select(TaskRow.external_id, TaskRow.route, TaskRow.id).where(
            TaskRow.project_id == self._project_id,
            TaskRow.labelled.is_(False),
            TaskRow.route.is_not(None),
        )
        return {
            row.external_id: Route(row.route)
            for row in read_in_pages(self._database, query, TaskRow.id)
        }

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Those of the ids that the store holds no task for."""
        ids = sorted(set(task_ids))
        with self._database.read() as session:
            known = {task_id for chunk in chunks(ids) for task_id in self._known(session, chunk)}
        return [task_id for task_id in ids if task_id not in known]

    def counts(self) -> tuple[int, int]:
        """How many tasks there are, and how many of them are labelled or skipped."""
        mine = TaskRow.project_id == self._project_id
        with self._database.read() as session:
            total = session.scalar(select(func.count()).where(mine)) or 0
            labelled = session.scalar(select(func.count()).where(mine, TaskRow.labelled)) or 0
        return total, labelled

    # Annotations.

    def replace_annotations(
        self, annotations: Iterable[Annotation], as_of: datetime, task_ids: Iterable[str] | None
    ) -> int:
        """See :meth:`backend.protocols.TaskRecords.replace_annotations`.

        Annotations of tasks that the store does not know are left out.
        """
        return self._annotations.apply(annotations, as_of, task_ids)

    def labelled(self) -> list[tuple[Task, Annotation]]:
        """See :meth:`backend.protocols.TaskRecords.labelled`."""
        newest = self._annotations.newest()
        tasks = select(*TASK_COLUMNS, TaskRow.id).where(
            TaskRow.project_id == self._project_id, TaskRow.labelled
        )
        return [
            (_task_from_row(row), newest[row.external_id])
            for row in read_in_pages(self._database, tasks, TaskRow.id)
            if row.external_id in newest
        ]

    def annotated(self) -> list[tuple[Task, list[Annotation]]]:
        """Each task that anybody labelled or skipped, with all its annotations, oldest first."""
        standing = self._annotations.standing()
        tasks = select(*TASK_COLUMNS, TaskRow.id).where(TaskRow.project_id == self._project_id)
        return [
            (_task_from_row(row), standing[row.external_id])
            for row in read_in_pages(self._database, tasks, TaskRow.id)
            if row.external_id in standing
        ]

    def tasks_of_annotations(self, annotation_ids: Iterable[str]) -> set[str]:
        """The tasks of annotations that the store knows; a deletion names no task itself."""
        return self._annotations.tasks_of(annotation_ids)


TASK_KEY = ("project_id", "external_id")
TASK_COLUMNS = (TaskRow.external_id, TaskRow.text, TaskRow.language, TaskRow.meta)


def _task_from_row(row: Row[Any]) -> Task:
    return Task(row.external_id, row.text, row.language, row.meta)
