"""Queue and worker: huey wakes, the job table remembers.

huey acknowledges a message before it runs, so a killed worker would lose it. A message here says
only "look at the table": jobs are rows, claimed under a lease that the worker keeps renewing, and
taken over by another worker when it runs out. Two lanes keep quick work (webhooks, reconciliation)
from waiting behind training.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from huey import Huey, MemoryHuey, RedisHuey, SqliteHuey

from backend.domain import Job, JobKind, JobState
from backend.errors import (
    ConfigurationError,
    HarambeeError,
    JobLostError,
    MissingExtraError,
    ToolUnreachableError,
)
from backend.protocols import JobTable, Progress

Handler = Callable[[int, Progress], str]
"""Does a job for the project with this number and returns a sentence on what it did."""

LANES: Mapping[str, tuple[JobKind, ...]] = {
    "quick": (JobKind.INBOX, JobKind.RECONCILE),
    "learning": (JobKind.BEGIN, JobKind.LEARN, JobKind.AUDIT),
}
RETRY_SECONDS = 10.0
REPORT_SECONDS = 1.0
REDIS_CONNECT_SECONDS = 0.5
REDIS_REPLY_SECONDS = 2.0
"""Longer than the second that the consumer waits for a message."""

log = structlog.get_logger(__name__)


def make_huey(data_dir: Path, broker_url: str | None, *, inline: bool) -> Huey:
    """A queue for wake-ups: in process, in Redis, or in a SQLite file of its own."""
    if inline:
        return MemoryHuey("harambee", immediate=True, results=False)
    if broker_url:
        try:
            return RedisHuey("harambee", connection_pool=_redis_pool(broker_url), results=False)
        except ImportError as error:
            raise MissingExtraError("A Redis queue", "redis") from error
        except ValueError as error:
            raise ConfigurationError(
                f"The address of the queue cannot be used ({error}). Give REDIS_URL one like "
                "redis://localhost:6379/0, or leave it empty for a queue in the data folder."
            ) from error
    return SqliteHuey(
        "harambee", filename=str(data_dir / "queue.sqlite3"), journal_mode="delete", results=False
    )


def _redis_pool(url: str) -> Any:
    """Connections that give up soon: a Redis that hangs must not hold up a webhook."""
    from redis import ConnectionPool  # noqa: PLC0415 - an optional dependency

    return ConnectionPool.from_url(
        url, socket_connect_timeout=REDIS_CONNECT_SECONDS, socket_timeout=REDIS_REPLY_SECONDS
    )


class JobQueue:
    """:class:`backend.protocols.Jobs`: writes jobs down and has them run by lane."""

    def __init__(
        self, table: JobTable, huey: Huey, handlers: Mapping[JobKind, Handler], lease_seconds: float
    ) -> None:
        self.huey = huey
        self._table = table
        self._handlers = handlers
        self._lease_seconds = lease_seconds
        self._draining = {lane: threading.Lock() for lane in LANES}
        self._asked = {lane: threading.Event() for lane in LANES}
        self._wake = huey.task(name="wake")(self.drain)

    def enqueue(self, kind: JobKind, project_id: int) -> int:
        """See :meth:`backend.protocols.Jobs.enqueue`."""
        number = self._table.enqueue(kind, project_id)
        self.wake(lane for lane, kinds in LANES.items() if kind in kinds)
        return number

    def wake(self, lanes: Iterable[str] = tuple(LANES)) -> None:
        """Have a worker look at the table. A queue that is down delays work, it loses none."""
        for lane in lanes:
            try:
                self._wake(lane)
            except Exception as error:
                log.warning("queue_unreachable", error=type(error).__name__, lane=lane)

    def drain(self, lane: str) -> None:
        """Run the due jobs of a lane until there are none; returns at once if somebody does.

        Who does so looks again for whoever was turned away, or a job could wait for a wake-up that
        came while he was leaving.
        """
        self._asked[lane].set()
        while self._asked[lane].is_set() and self._draining[lane].acquire(blocking=False):
            try:
                self._asked[lane].clear()
                while job := self._table.claim(LANES[lane], self._lease_seconds):
                    self.run(job)
            finally:
                self._draining[lane].release()

    def run(self, job: Job) -> None:
        """Run one claimed job to its end; an error ends the job, never the worker."""
        logger = log.bind(job=job.id, kind=job.kind.value, project=job.project_id)
        try:
            with self._leased(job) as progress:
                message = self._handlers[job.kind](job.project_id, progress)
        except JobLostError:
            logger.warning("job_lost")
        except ToolUnreachableError as error:
            logger.warning("job_postponed", reason=str(error))
            self._table.postpone(job, RETRY_SECONDS, str(error))
        except HarambeeError as error:
            logger.warning("job_failed", reason=str(error))
            self._table.finish(job, JobState.FAILED, str(error))
        except Exception as error:
            logger.exception("job_crashed")
            reason = f"Unexpected {type(error).__name__}; the worker's log has the details."
            self._table.finish(job, JobState.FAILED, reason)
        else:
            logger.info("job_done", result=message)
            self._table.finish(job, JobState.DONE, message)

    @contextmanager
    def _leased(self, job: Job) -> Iterator[Progress]:
        lease = Lease(self._table, job, self._lease_seconds)
        lease.start()
        try:
            yield lease.report
        finally:
            lease.stop()


class Lease:
    """Renews a job's lease in a thread and passes its progress on, until another has the job."""

    def __init__(self, table: JobTable, job: Job, seconds: float) -> None:
        self._table = table
        self._job = job
        self._seconds = seconds
        self._stopped = threading.Event()
        self._lost = threading.Event()
        self._latest: tuple[int, int, str] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"lease-{job.id}", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Write the last progress down and stop renewing."""
        self._stopped.set()
        self._thread.join()
        try:
            self._write_progress()
        except HarambeeError as error:
            log.warning("progress_not_written", job=self._job.id, reason=str(error))

    def report(self, done: int, total: int, what: str = "") -> None:
        """Note progress; raises :class:`~backend.errors.JobLostError` when it is in vain."""
        self._latest = (done, total, what)
        if self._lost.is_set():
            raise JobLostError(f"Job {self._job.id} was taken over by another worker.")

    def _keep(self) -> None:
        renewed = time.monotonic()
        step = min(REPORT_SECONDS, self._seconds / 3)
        while not self._lost.is_set() and not self._stopped.wait(step):
            asked = time.monotonic()
            try:
                self._write_progress()
                if asked - renewed >= self._seconds / 3:
                    if not self._table.renew(self._job, self._seconds):
                        self._lost.set()
                    renewed = asked
            except HarambeeError as error:
                log.warning("lease_not_renewed", job=self._job.id, reason=str(error))
                # By now somebody else may have the job, though the database cannot say so.
                if time.monotonic() - renewed >= self._seconds:
                    self._lost.set()

    def _write_progress(self) -> None:
        latest, self._latest = self._latest, None
        if latest and not self._table.report(self._job, *latest):
            self._lost.set()


class Ticker(threading.Thread):
    """Calls ``tick`` every so many seconds until stopped; an error is logged and tried again."""

    def __init__(self, seconds: float, tick: Callable[[], Any]) -> None:
        super().__init__(name="ticker", daemon=True)
        self._seconds = seconds
        self._tick = tick
        self._stopped = threading.Event()

    def run(self) -> None:
        """Tick at once, and again and again."""
        while True:
            try:
                self._tick()
            except HarambeeError as error:
                log.warning("tick_failed", reason=str(error))
            except Exception:
                log.exception("tick_crashed")
            if self._stopped.wait(self._seconds):
                return

    def stop(self) -> None:
        """Stop before the next tick."""
        self._stopped.set()


def run_worker(queue: JobQueue, every_seconds: float, tick: Callable[[], Any]) -> None:
    """Run jobs until the process is told to stop. ``tick`` asks for what is due by time."""
    ticker = Ticker(every_seconds, tick)
    ticker.start()
    try:
        queue.huey.create_consumer(workers=len(LANES), periodic=False, max_delay=1.0).run()
    finally:
        ticker.stop()
