"""Durable work that a worker does later."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from backend.domain import Job, JobKind, JobState


class JobTable(Protocol):
    """The durable list of work; the queue only wakes workers that look here."""

    def enqueue(self, kind: JobKind, project_id: int) -> int:
        """Ask for a job, once: while an equal one waits, its number is returned."""

    def claim(self, kinds: Collection[JobKind], lease_seconds: float) -> Job | None:
        """Take the oldest due job of these kinds, or one whose worker let its lease run out.

        Jobs of one project and of ``kinds`` never run at the same time.
        """

    def renew(self, job: Job, lease_seconds: float) -> bool:
        """Keep the lease; ``False`` when another worker has the job."""

    def report(self, job: Job, done: int, total: int, what: str) -> bool:
        """Write progress down; ``False`` when another worker has the job."""

    def finish(self, job: Job, state: JobState, message: str) -> None:
        """End a job as done or failed, unless another worker has it."""

    def postpone(self, job: Job, seconds: float, message: str) -> None:
        """Let a job wait and be tried again, unless another worker has it."""


class Jobs(Protocol):
    """Durable work that a worker does later."""

    def enqueue(self, kind: JobKind, project_id: int) -> int:
        """Write a job down, once, and wake a worker."""
