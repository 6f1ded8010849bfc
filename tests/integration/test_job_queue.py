"""Jobs on real queues: SQLite and Redis, consumers, worker processes, and their sudden ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import processes
import pytest
from servers import LABEL_CONFIG, RedisServer

from backend.domain import Job, JobKind, JobState
from backend.jobs import Handler, JobQueue, make_huey, run_worker
from backend.protocols import Progress
from backend.store.database import Database
from backend.store.jobs import SqlJobTable
from backend.store.projects import Projects

LEASE_SECONDS = 0.6
LONG_LEASE_SECONDS = 2.0
"""Longer than a busy machine keeps a thread waiting that has a lease to renew."""
OFTEN = 0.1


@pytest.fixture(params=["sqlite", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str | None:
    """Where wake-ups go: to a file in the data folder, or to Redis."""
    return request.getfixturevalue("redis_url") if request.param == "redis" else None


@pytest.fixture
def project_id(sqlite_database: Database) -> int:
    return Projects(sqlite_database).register("label_studio", "1", LABEL_CONFIG).id


@pytest.fixture
def table(sqlite_database: Database, project_id: int) -> SqlJobTable:
    return SqlJobTable(sqlite_database)


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        if time.monotonic() > deadline:
            pytest.fail("it did not happen within twenty seconds")
        time.sleep(0.01)


def ended(table: SqlJobTable, project_id: int, number: int = 1) -> list[Job]:
    """The newest jobs, once that many have ended."""
    over = (JobState.DONE, JobState.FAILED)

    def all_over() -> bool:
        jobs = table.recent(project_id)
        return sum(job.state in over for job in jobs) >= number

    wait_until(all_over)
    return table.recent(project_id)


@contextmanager
def worker(queue: JobQueue) -> Iterator[None]:
    """A consumer in threads, as ``run_worker`` makes it, without taking over the signals."""
    consumer = queue.huey.create_consumer(workers=2, periodic=False, max_delay=0.1)
    consumer.start()
    try:
        yield
    finally:
        consumer.stop(graceful=True)


def make_queue(
    table: SqlJobTable,
    folder: Path,
    broker_url: str | None,
    lease_seconds: float = LEASE_SECONDS,
    **handlers: Handler,
) -> JobQueue:
    by_kind = {JobKind(kind): handler for kind, handler in handlers.items()}
    huey = make_huey(folder, broker_url, inline=False)
    return JobQueue(table, huey, by_kind, lease_seconds)


def test_a_worker_does_what_is_asked(
    table: SqlJobTable, project_id: int, tmp_path: Path, broker_url: str | None
) -> None:
    queue = make_queue(table, tmp_path, broker_url, learn=lambda number, _: f"learnt for {number}")

    with worker(queue):
        queue.enqueue(JobKind.LEARN, project_id)
        job = ended(table, project_id)[0]

    assert (job.state, job.message) == (JobState.DONE, f"learnt for {project_id}")


def test_a_queue_in_another_process_is_woken(
    table: SqlJobTable, project_id: int, tmp_path: Path, broker_url: str | None
) -> None:
    asking = make_queue(table, tmp_path, broker_url)
    asking.enqueue(JobKind.LEARN, project_id)

    with worker(make_queue(table, tmp_path, broker_url, learn=lambda *_: "done elsewhere")):
        assert ended(table, project_id)[0].message == "done elsewhere"


def test_quick_jobs_do_not_wait_for_learning(
    table: SqlJobTable, project_id: int, tmp_path: Path, broker_url: str | None
) -> None:
    may_end = threading.Event()

    def learn(project_id: int, progress: Progress) -> str:
        may_end.wait(20)
        return "learnt"

    queue = make_queue(table, tmp_path, broker_url, learn=learn, inbox=lambda *_: "read")
    with worker(queue):
        queue.enqueue(JobKind.LEARN, project_id)
        queue.enqueue(JobKind.INBOX, project_id)
        meanwhile = {job.kind: job.state for job in ended(table, project_id)}
        may_end.set()
        ended(table, project_id, number=2)

    assert meanwhile[JobKind.INBOX] is JobState.DONE
    assert meanwhile[JobKind.LEARN] is not JobState.DONE


def test_a_job_longer_than_its_lease_is_kept(
    table: SqlJobTable, project_id: int, tmp_path: Path
) -> None:
    rivals: list[Job | None] = []

    def learn(project_id: int, progress: Progress) -> str:
        until = time.monotonic() + 2 * LONG_LEASE_SECONDS
        while time.monotonic() < until:
            progress(1, 2, "training")
            rivals.append(table.claim([JobKind.LEARN], LONG_LEASE_SECONDS))
            time.sleep(0.05)
        return "learnt"

    queue = make_queue(table, tmp_path, None, LONG_LEASE_SECONDS, learn=learn)
    with worker(queue):
        queue.enqueue(JobKind.LEARN, project_id)
        job = ended(table, project_id)[0]

    assert (job.state, job.fence, set(rivals)) == (JobState.DONE, 1, {None})


def test_a_job_that_was_taken_over_stops_and_reports_nothing(
    table: SqlJobTable, project_id: int, tmp_path: Path
) -> None:
    stopped = threading.Event()

    def learn(project_id: int, progress: Progress) -> str:
        table.renew(table.recent(project_id)[0], -1.0)
        assert table.claim([JobKind.LEARN], 1000.0) is not None
        try:
            for done in range(10_000):
                progress(done, 10_000, "in vain")
                time.sleep(0.005)
        finally:
            stopped.set()
        return "in vain"

    queue = make_queue(table, tmp_path, None, learn=learn)
    with worker(queue):
        queue.enqueue(JobKind.LEARN, project_id)
        assert stopped.wait(20)

    job = table.recent(project_id)[0]
    assert (job.state, job.fence, job.message, job.what) == (JobState.RUNNING, 2, "", "")


def test_a_lost_wake_up_delays_a_job_until_the_next_tick(
    table: SqlJobTable, project_id: int, tmp_path: Path, redis_server: RedisServer, redis_url: str
) -> None:
    queue = make_queue(table, tmp_path, redis_url, learn=lambda *_: "learnt after all")
    redis_server.stop()
    queue.enqueue(JobKind.LEARN, project_id)
    redis_server.start()

    with worker(queue):
        before_the_tick = table.recent(project_id)[0].state
        queue.wake()
        job = ended(table, project_id)[0]

    assert (before_the_tick, job.message) == (JobState.QUEUED, "learnt after all")


# Worker processes -------------------------------------------------------------------------------


def work(url: str, folder: Path, broker_url: str | None, started: Path) -> None:
    """A worker process. The first time it is asked to learn it never comes to an end."""
    table = SqlJobTable(Database(url))

    def learn(project_id: int, progress: Progress) -> str:
        if not started.exists():
            started.touch()
            time.sleep(1000)
        return "taken over"

    queue = make_queue(table, folder, broker_url, learn=learn)
    run_worker(queue, OFTEN, queue.wake)


def test_the_job_of_a_killed_worker_is_taken_over(
    table: SqlJobTable, project_id: int, sqlite_url: str, tmp_path: Path, broker_url: str | None
) -> None:
    started = tmp_path / "started"
    arguments = (sqlite_url, tmp_path, broker_url, started)
    make_queue(table, tmp_path, broker_url).enqueue(JobKind.LEARN, project_id)
    first = processes.start(work, *arguments)
    wait_until(started.exists)

    processes.kill(first)
    second = processes.start(work, *arguments)
    job = ended(table, project_id)[0]
    processes.kill(second)

    assert (job.state, job.message, job.fence) == (JobState.DONE, "taken over", 2)
