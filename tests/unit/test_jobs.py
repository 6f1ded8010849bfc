"""A queue's own rules, on a job table in memory: what a job's end means, leases, wake-ups."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain import Job, JobKind, JobState
from backend.errors import (
    ConfigurationError,
    InputError,
    JobLostError,
    MissingExtraError,
    StoreError,
    ToolUnreachableError,
)
from backend.jobs import Handler, JobQueue, Lease, Ticker, make_huey
from backend.protocols import Progress

JOB = Job(1, 7, JobKind.LEARN, fence=1)


class MemoryJobTable:
    """:class:`backend.protocols.JobTable` that can lose leases, and the database, on demand."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.renewals = 0
        self.lost = False
        self.down = False
        self.before_claim_returns: Callable[[], object] = lambda: None

    def enqueue(self, kind: JobKind, project_id: int) -> int:
        self.jobs.append(Job(len(self.jobs), project_id, kind))
        return len(self.jobs) - 1

    def claim(self, kinds: Collection[JobKind], lease_seconds: float) -> Job | None:
        waiting = [j for j in self.jobs if j.state is JobState.QUEUED and j.kind in kinds]
        if waiting:
            return self._set(waiting[0], state=JobState.RUNNING)
        self.before_claim_returns()
        return None

    def renew(self, job: Job, lease_seconds: float) -> bool:
        if self.down:
            raise StoreError("the database is down")
        self.renewals += 1
        return not self.lost

    def report(self, job: Job, done: int, total: int, what: str) -> bool:
        if self.down:
            raise StoreError("the database is down")
        if not self.lost and self.jobs:
            self._set(job, done=done, total=total, what=what)
        return not self.lost

    def finish(self, job: Job, state: JobState, message: str) -> None:
        self._set(job, state=state, message=message)

    def postpone(self, job: Job, seconds: float, message: str) -> None:
        self._set(job, message=f"postponed: {message}")

    def _set(self, job: Job, **values: object) -> Job:
        self.jobs[job.id] = replace(self.jobs[job.id], **values)  # type: ignore[arg-type]
        return self.jobs[job.id]


@pytest.fixture
def table() -> MemoryJobTable:
    return MemoryJobTable()


def inline_queue(table: MemoryJobTable, **handlers: Handler) -> JobQueue:
    by_kind = {JobKind(kind): handler for kind, handler in handlers.items()}
    return JobQueue(table, make_huey(data_dir=Path(), broker_url=None, inline=True), by_kind, 60.0)


def raising(error: Exception) -> Handler:
    def handler(project_id: int, progress: Progress) -> str:
        raise error

    return handler


class TestTheEndOfAJob:
    def test_a_job_that_is_done_keeps_what_it_said(self, table: MemoryJobTable) -> None:
        queue = inline_queue(table, learn=lambda project_id, _: f"learnt for {project_id}")

        queue.enqueue(JobKind.LEARN, 7)

        assert (table.jobs[0].state, table.jobs[0].message) == (JobState.DONE, "learnt for 7")

    def test_an_expected_error_fails_the_job_with_its_message(self, table: MemoryJobTable) -> None:
        inline_queue(table, learn=raising(InputError("No span to learn from."))).enqueue(
            JobKind.LEARN, 7
        )

        assert table.jobs[0].state is JobState.FAILED
        assert table.jobs[0].message == "No span to learn from."

    def test_a_crash_fails_the_job_without_its_details(self, table: MemoryJobTable) -> None:
        inline_queue(table, learn=raising(KeyError("sk-secret"))).enqueue(JobKind.LEARN, 7)

        assert table.jobs[0].state is JobState.FAILED
        assert "KeyError" in table.jobs[0].message
        assert "Traceback" not in table.jobs[0].message
        assert "sk-secret" not in table.jobs[0].message

    def test_a_tool_that_is_down_postpones_the_job(self, table: MemoryJobTable) -> None:
        inline_queue(table, learn=raising(ToolUnreachableError("no answer"))).enqueue(
            JobKind.LEARN, 7
        )

        assert table.jobs[0].message == "postponed: no answer"

    def test_a_lost_job_is_left_to_whoever_has_it(self, table: MemoryJobTable) -> None:
        inline_queue(table, learn=raising(JobLostError("gone"))).enqueue(JobKind.LEARN, 7)

        assert table.jobs[0].state is JobState.RUNNING

    def test_a_job_that_fails_does_not_stop_the_next(self, table: MemoryJobTable) -> None:
        table.enqueue(JobKind.BEGIN, 7)
        queue = inline_queue(table, begin=raising(ValueError()), learn=lambda *_: "")

        queue.enqueue(JobKind.LEARN, 7)

        assert [job.state for job in table.jobs] == [JobState.FAILED, JobState.DONE]

    def test_progress_ends_up_in_the_table(self, table: MemoryJobTable) -> None:
        def handler(project_id: int, progress: Progress) -> str:
            progress(3, 4, "training")
            return ""

        inline_queue(table, learn=handler).enqueue(JobKind.LEARN, 7)

        assert (table.jobs[0].done, table.jobs[0].total, table.jobs[0].what) == (3, 4, "training")

    def test_progress_that_cannot_be_written_fails_no_job(self, table: MemoryJobTable) -> None:
        def handler(project_id: int, progress: Progress) -> str:
            progress(3, 4, "training")
            table.down = True
            return ""

        inline_queue(table, learn=handler).enqueue(JobKind.LEARN, 7)

        assert table.jobs[0].state is JobState.DONE

    def test_a_job_can_ask_for_another(self, table: MemoryJobTable) -> None:
        done: list[str] = []

        def inbox(project_id: int, progress: Progress) -> str:
            queue.enqueue(JobKind.LEARN, project_id)
            done.append("inbox")
            return ""

        def learn(project_id: int, progress: Progress) -> str:
            done.append("learn")
            return ""

        queue = inline_queue(table, inbox=inbox, learn=learn)
        queue.enqueue(JobKind.INBOX, 7)

        assert sorted(done) == ["inbox", "learn"]


class TestWakeUps:
    def test_a_wake_up_that_comes_while_a_drain_ends_is_not_lost(
        self, table: MemoryJobTable
    ) -> None:
        queue = inline_queue(table, learn=lambda *_: "")

        def comes_late() -> None:
            table.before_claim_returns = lambda: None
            queue.enqueue(JobKind.LEARN, 8)

        table.before_claim_returns = comes_late
        queue.drain("learning")

        assert [job.state for job in table.jobs] == [JobState.DONE]

    def test_a_queue_that_is_down_does_not_fail_who_asks(self, table: MemoryJobTable) -> None:
        down = make_huey(data_dir=Path(), broker_url="redis://127.0.0.1:1/0", inline=False)
        queue = JobQueue(table, down, {JobKind.LEARN: lambda *_: ""}, 60.0)

        queue.enqueue(JobKind.LEARN, 7)

        assert table.jobs[0].state is JobState.QUEUED

    def test_a_missing_redis_library_is_explained(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)

        with pytest.raises(MissingExtraError, match=r"harambee\[redis\]"):
            make_huey(data_dir=Path(), broker_url="redis://localhost/0", inline=False)

    def test_an_address_that_is_none_is_explained(self) -> None:
        with pytest.raises(ConfigurationError, match="REDIS_URL"):
            make_huey(data_dir=Path(), broker_url="localhost", inline=False)


class TestLease:
    def test_it_is_renewed_while_the_job_runs(self, table: MemoryJobTable) -> None:
        lease = Lease(table, JOB, seconds=0.03)
        lease.start()
        wait_until(lambda: table.renewals >= 3)
        lease.stop()

    def test_a_lost_one_stops_the_job_at_its_next_progress(self, table: MemoryJobTable) -> None:
        table.lost = True
        lease = Lease(table, JOB, seconds=0.03)
        lease.start()

        with pytest.raises(JobLostError, match="another worker"):
            wait_until(lambda: lease.report(1, 2))

    def test_it_counts_as_lost_when_the_database_is_down_for_too_long(
        self, table: MemoryJobTable
    ) -> None:
        table.down = True
        lease = Lease(table, JOB, seconds=0.03)
        lease.start()

        with pytest.raises(JobLostError):
            wait_until(lambda: lease.report(1, 2))

    def test_a_short_trouble_of_the_database_loses_nothing(self, table: MemoryJobTable) -> None:
        job = table.jobs[table.enqueue(JobKind.LEARN, 1)]
        table.down = True
        lease = Lease(table, job, seconds=30.0)
        lease.start()
        lease.report(1, 2)
        table.down = False

        lease.report(2, 2)
        lease.stop()

        assert (table.jobs[job.id].done, table.jobs[job.id].total) == (2, 2)


class TestTicker:
    @pytest.mark.parametrize("error", [StoreError("locked"), KeyError("a bug")])
    def test_an_error_does_not_end_it(self, error: Exception) -> None:
        ticks = []
        thrice = threading.Event()

        def tick() -> None:
            ticks.append(1)
            if len(ticks) == 3:
                thrice.set()
            raise error

        ticker = Ticker(0.001, tick)
        ticker.start()

        assert thrice.wait(10)
        ticker.stop()

    def test_it_stops_when_told(self) -> None:
        ticker = Ticker(60, lambda: None)
        ticker.start()

        ticker.stop()
        ticker.join(10)

        assert not ticker.is_alive()


def wait_until(happened: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if happened():
            return
        pause.wait(0.005)
    pytest.fail("it did not happen within ten seconds")
