"""What is over is forgotten after a while; what waits is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backend.domain import JobKind, JobState
from backend.store.database import Database
from backend.store.inbox import Inbox
from backend.store.jobs import SqlJobTable
from backend.store.projects import Project
from backend.store.retention import forget_finished

LATER = timedelta(minutes=1)


def test_only_what_ended_before_the_moment_is_forgotten(
    database: Database, project: Project
) -> None:
    jobs, inbox = SqlJobTable(database), Inbox(database, project.id)
    for hint in ("1", "2"):
        inbox.put("ANNOTATION_CREATED", [hint], [])
    inbox.handled(inbox.waiting()[:1])
    jobs.enqueue(JobKind.RECONCILE, project.id)
    done = jobs.claim([JobKind.RECONCILE], 10)
    assert done is not None
    jobs.finish(done, JobState.DONE, "")
    jobs.enqueue(JobKind.LEARN, project.id)

    kept = forget_finished(database, datetime.now(UTC) - LATER)
    gone = forget_finished(database, datetime.now(UTC) + LATER)

    assert (kept, gone) == (0, 2)
    assert [job.kind for job in jobs.recent(project.id)] == [JobKind.LEARN]
    assert [hint.task_ids for hint in inbox.waiting()] == [("2",)]
