"""The durable list of work (:class:`backend.protocols.JobTable`), in SQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, Update, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from backend.domain import Job, JobKind, JobState
from backend.store.database import Database
from backend.store.schema import JobRow

MOST_DEATHS = 5
"""A job at which so many workers died is the likely cause, and is not tried again."""
QUEUE_LOCK = 4243
"""Held while a job is looked for and taken or added, so that nobody decides on old rows."""


class SqlJobTable:
    """All jobs of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, kind: JobKind, project_id: int) -> int:
        """See :meth:`backend.protocols.JobTable.enqueue`."""
        waiting = select(JobRow).where(
            JobRow.project_id == project_id,
            JobRow.kind == kind.value,
            JobRow.state == JobState.QUEUED.value,
        )
        with self._database.write(QUEUE_LOCK) as session:
            now = datetime.now(UTC)
            row = session.scalars(waiting.limit(1)).one_or_none()
            if row is None:
                row = JobRow(
                    project_id=project_id,
                    kind=kind.value,
                    state=JobState.QUEUED.value,
                    run_after=now,
                    created_at=now,
                )
                session.add(row)
                session.flush()
            return row.id

    def claim(self, kinds: Collection[JobKind], lease_seconds: float) -> Job | None:
        """See :meth:`backend.protocols.JobTable.claim`."""
        with self._database.write(QUEUE_LOCK) as session:
            now = datetime.now(UTC)
            session.execute(_given_up(kinds, now))
            row = session.scalars(_claimable(kinds, now)).first()
            if row is None:
                return None
            row.deaths += row.state == JobState.RUNNING.value
            row.state = JobState.RUNNING.value
            row.fence += 1
            row.lease_until = now + timedelta(seconds=lease_seconds)
            row.started_at = row.started_at or now
            return job_from_row(row)

    def renew(self, job: Job, lease_seconds: float) -> bool:
        """See :meth:`backend.protocols.JobTable.renew`."""
        return self._change(job, lease_until=datetime.now(UTC) + timedelta(seconds=lease_seconds))

    def report(self, job: Job, done: int, total: int, what: str) -> bool:
        """See :meth:`backend.protocols.JobTable.report`."""
        return self._change(job, done=done, total=total, what=what)

    def finish(self, job: Job, state: JobState, message: str) -> None:
        """See :meth:`backend.protocols.JobTable.finish`."""
        self._change(
            job,
            state=state.value,
            message=message,
            lease_until=None,
            finished_at=datetime.now(UTC),
        )

    def postpone(self, job: Job, seconds: float, message: str) -> None:
        """See :meth:`backend.protocols.JobTable.postpone`."""
        self._change(
            job,
            state=JobState.QUEUED.value,
            message=message,
            lease_until=None,
            run_after=datetime.now(UTC) + timedelta(seconds=seconds),
        )

    def _change(self, job: Job, **values: object) -> bool:
        mine = and_(
            JobRow.id == job.id,
            JobRow.fence == job.fence,
            JobRow.state == JobState.RUNNING.value,
        )
        with self._database.write() as session:
            changed = session.execute(
                update(JobRow).where(mine).values(**values).returning(JobRow.id)
            )
            return changed.first() is not None

    def recent(self, project_id: int, at_most: int = 10) -> list[Job]:
        """The project's newest jobs, newest first."""
        query = select(JobRow).where(JobRow.project_id == project_id)
        with self._database.read() as session:
            rows = session.scalars(query.order_by(JobRow.id.desc()).limit(at_most))
            return [job_from_row(row) for row in rows]

    def standing(self, project_id: int) -> list[Job]:
        """The project's unfinished jobs, and the last one of each kind, newest first.

        While labels come in there is an inbox job for each, which would hide a long training.
        """
        mine = JobRow.project_id == project_id
        last = select(func.max(JobRow.id)).where(mine).group_by(JobRow.kind)
        unfinished = JobRow.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
        query = select(JobRow).where(mine, or_(unfinished, JobRow.id.in_(last)))
        with self._database.read() as session:
            rows = session.scalars(query.order_by(JobRow.id.desc()))
            return [job_from_row(row) for row in rows]


def _given_up(kinds: Collection[JobKind], now: datetime) -> Update:
    return (
        update(JobRow)
        .where(
            JobRow.kind.in_([kind.value for kind in kinds]),
            JobRow.state == JobState.RUNNING.value,
            JobRow.lease_until <= now,
            JobRow.deaths >= MOST_DEATHS - 1,
        )
        .values(
            state=JobState.FAILED.value,
            finished_at=now,
            lease_until=None,
            message=f"{MOST_DEATHS} workers died at this job; their log may say why.",
        )
        .execution_options(synchronize_session=False)
    )


def _claimable(kinds: Collection[JobKind], now: datetime) -> Select[JobRow]:
    names = [kind.value for kind in kinds]
    other = aliased(JobRow)
    occupied = exists().where(
        other.project_id == JobRow.project_id,
        other.id != JobRow.id,
        other.kind.in_(names),
        other.state == JobState.RUNNING.value,
        other.lease_until > now,
    )
    due = and_(JobRow.state == JobState.QUEUED.value, JobRow.run_after <= now)
    abandoned = and_(JobRow.state == JobState.RUNNING.value, JobRow.lease_until <= now)
    return (
        select(JobRow)
        .where(JobRow.kind.in_(names), or_(due, abandoned), ~occupied)
        .order_by(JobRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def job_from_row(row: JobRow) -> Job:
    """The job in a row."""
    return Job(
        id=row.id,
        project_id=row.project_id,
        kind=JobKind(row.kind),
        fence=row.fence,
        state=JobState(row.state),
        done=row.done,
        total=row.total,
        what=row.what,
        message=row.message,
    )
