"""The durable memory of what was suggested in a project, in SQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, or_, select, update

from backend.domain import NO_SOURCE, Answer, Outcome, Source, SourceKind, Suggestion
from backend.store.database import Database
from backend.store.rows import (
    chunks,
    chunks_to_write,
    read_in_pages,
    spans_from_json,
    spans_to_json,
    table_of,
    upsert,
)
from backend.store.schema import AnswerRow, ProjectRow, SuggestionRow, TaskRow

VERSION_PREFIX = "harambee-v"


def version_name(number: int) -> str:
    """The version string for a number, as the labelling tool shows it."""
    return f"{VERSION_PREFIX}{number}"


def version_number(name: str) -> int:
    """Undo :func:`version_name`."""
    return int(name.removeprefix(VERSION_PREFIX))


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the tool holds for a task: the number of its version, and a digest of what it is."""

    version: int
    digest: str


class SqlSuggestionRecords:
    """:class:`backend.protocols.SuggestionRecords` of the project ``project_id`` of the store."""

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id

    def keep_answer(self, answer: Answer) -> None:
        """See :meth:`backend.protocols.SuggestionRecords.keep_answer`."""
        row = {
            "project_id": self._project_id,
            "task_id": answer.task_id,
            "outcome": answer.outcome.value,
            "detail": answer.detail,
            "repaired": answer.repaired,
            "rejected": [[item.mention, item.label, item.reason] for item in answer.rejected],
            "answered_at": datetime.now(UTC),
        }
        with self._database.write() as session:
            upsert(session, AnswerRow, [row], ["project_id", "task_id"])
            if answer.suggestion:
                upsert(
                    session,
                    SuggestionRow,
                    [self._suggestion_row(answer.suggestion)],
                    SUGGESTION_KEY,
                )

    def keep(self, suggestions: Iterable[Suggestion]) -> None:
        """See :meth:`backend.protocols.SuggestionRecords.keep`."""
        for chunk in chunks_to_write(suggestions):
            with self._database.write() as session:
                rows = [self._suggestion_row(suggestion) for suggestion in chunk]
                upsert(session, SuggestionRow, rows, SUGGESTION_KEY)

    def _suggestion_row(self, suggestion: Suggestion) -> dict[str, Any]:
        return {
            "project_id": self._project_id,
            "task_id": suggestion.task_id,
            "kind": suggestion.source.kind.value,
            "model": suggestion.source.model,
            "prompt_version": suggestion.source.prompt_version,
            "spans": spans_to_json(suggestion.spans),
            "confidence": suggestion.confidence,
            "suggested_at": datetime.now(UTC),
        }

    def by_source(
        self, kind: SourceKind, task_ids: Collection[str] | None = None
    ) -> dict[str, Suggestion]:
        """See :meth:`backend.protocols.SuggestionRecords.by_source`."""
        query = select(*SUGGESTION_COLUMNS).where(
            SuggestionRow.project_id == self._project_id, SuggestionRow.kind == kind.value
        )
        queries = (
            [query]
            if task_ids is None
            else [query.where(SuggestionRow.task_id.in_(chunk)) for chunk in chunks(task_ids)]
        )
        return {
            row.task_id: _suggestion_from_row(row)
            for query in queries
            for row in read_in_pages(self._database, query, SuggestionRow.task_id)
        }

    def version_for(self, suggestions: Sequence[Suggestion]) -> str:
        """See :meth:`backend.protocols.SuggestionRecords.version_for`."""
        digests = {item.task_id: suggestion_digest(item) for item in suggestions}
        basis = _digest(sorted(digests.items()))
        unchanged = self._serving_unchanged(digests)
        with self._database.write() as session:
            project = session.get_one(
                ProjectRow, self._project_id, with_for_update={"key_share": True}
            )
            # While a push is pending, marks of what the tool serves may have been replaced.
            if project.pending is None and project.version and project.version == unchanged:
                return version_name(project.version)
            if project.pending is None or project.pending_basis != basis:
                project.last_version += 1
                project.pending, project.pending_basis = project.last_version, basis
            return version_name(project.pending)

    def _serving_unchanged(self, digests: Mapping[str, str]) -> int | None:
        with self._database.read() as session:
            number = session.get_one(ProjectRow, self._project_id).version
        carried = select(TaskRow.external_id, TaskRow.pushed_digest).where(
            TaskRow.project_id == self._project_id, TaskRow.pushed_version == number
        )
        changed = any(
            digests.get(row.external_id, row.pushed_digest) != row.pushed_digest
            for row in read_in_pages(self._database, carried, TaskRow.external_id)
        )
        return None if changed else number

    def mark_pushed(self, suggestions: Iterable[Suggestion], version: str) -> None:
        """See :meth:`backend.protocols.SuggestionRecords.mark_pushed`."""
        number = version_number(version)
        statement = (
            update(table_of(TaskRow))
            .where(
                TaskRow.project_id == self._project_id,
                TaskRow.external_id == bindparam("task_id"),
            )
            .values(pushed_version=number, pushed_digest=bindparam("digest"))
        )
        for chunk in chunks_to_write(suggestions):
            marks = [{"task_id": item.task_id, "digest": suggestion_digest(item)} for item in chunk]
            with self._database.write() as session:
                session.execute(statement, marks)

    def serving_version(self) -> str | None:
        """See :meth:`backend.protocols.SuggestionRecords.serving_version`."""
        with self._database.read() as session:
            number = session.get_one(ProjectRow, self._project_id).version
        return version_name(number) if number else None

    def serve(self, version: str) -> None:
        """See :meth:`backend.protocols.SuggestionRecords.serve`."""
        with self._database.write() as session:
            project = session.get_one(ProjectRow, self._project_id)
            project.version = version_number(version)
            project.pending = project.pending_basis = None

    def outcomes(self) -> dict[str, int]:
        """How many of the LLM's last answers ended in which outcome."""
        query = (
            select(AnswerRow.outcome, func.count())
            .where(AnswerRow.project_id == self._project_id)
            .group_by(AnswerRow.outcome)
        )
        with self._database.read() as session:
            return dict(iter(session.execute(query)))

    def outcomes_by_task(self) -> dict[str, Outcome]:
        """See :meth:`backend.protocols.SuggestionRecords.outcomes_by_task`."""
        query = select(AnswerRow.task_id, AnswerRow.outcome).where(
            AnswerRow.project_id == self._project_id
        )
        return {
            row.task_id: Outcome(row.outcome)
            for row in read_in_pages(self._database, query, AnswerRow.task_id)
        }

    def shown_nothing(self) -> set[str]:
        """See :meth:`backend.protocols.SuggestionRecords.shown_nothing`."""
        nothing = suggestion_digest(Suggestion("", (), 0.0, NO_SOURCE))
        query = select(TaskRow.external_id).where(
            TaskRow.project_id == self._project_id,
            or_(TaskRow.pushed_digest.is_(None), TaskRow.pushed_digest == nothing),
        )
        return {
            row.external_id for row in read_in_pages(self._database, query, TaskRow.external_id)
        }

    def pushed(self) -> dict[str, Pushed]:
        """What the tool holds, by task; without tasks for which nothing was ever pushed."""
        query = select(TaskRow.external_id, TaskRow.pushed_version, TaskRow.pushed_digest).where(
            TaskRow.project_id == self._project_id, TaskRow.pushed_digest.is_not(None)
        )
        return {
            row.external_id: Pushed(row.pushed_version, row.pushed_digest)
            for row in read_in_pages(self._database, query, TaskRow.external_id)
        }

    def rejections(self) -> int:
        """How many mentions of the LLM could not become a span."""
        query = select(AnswerRow.rejected).where(AnswerRow.project_id == self._project_id)
        with self._database.read() as session:
            return sum(len(rejected) for rejected in session.scalars(query))


SUGGESTION_KEY = ("project_id", "task_id", "kind")
SUGGESTION_COLUMNS = (
    SuggestionRow.task_id,
    SuggestionRow.kind,
    SuggestionRow.model,
    SuggestionRow.prompt_version,
    SuggestionRow.spans,
    SuggestionRow.confidence,
)


def suggestion_digest(suggestion: Suggestion) -> str:
    """A digest of what the tool shows and orders by: spans, source and the rounded confidence.

    Where nobody has an answer the confidence is only a place in the queue, which moves whenever a
    task comes or goes, so it does not count.
    """
    spans = [[span.start, span.end, span.label] for span in suggestion.spans]
    source = suggestion.source
    confidence = None if source == NO_SOURCE else round(suggestion.confidence, 2)
    return _digest([spans, source.kind.value, source.model, source.prompt_version, confidence])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


def _suggestion_from_row(row: Row[Any]) -> Suggestion:
    source = Source(SourceKind(row.kind), row.model, row.prompt_version)
    return Suggestion(row.task_id, spans_from_json(row.spans), row.confidence, source)
