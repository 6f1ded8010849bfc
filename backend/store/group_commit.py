"""Writes of many threads in few transactions: the wait for the disk is shared.

A commit that survives a crash costs milliseconds, whether it holds one write or fifty. So whoever
finds nobody committing commits for all that wait by then (group commit; DeWitt et al., 1984).
Nobody is told that a write was done before it is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from typing import Generic, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class _Write(Generic[T]):
    """One thread's write, and what it came to."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.done = False
        self.error: BaseException | None = None
        self.results: list[T] = []

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.results[-1]


class GroupCommit:
    """Shares the transactions that ``write`` opens between threads."""

    def __init__(self, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._write = write
        self._waiting: list[_Write[object]] = []
        self._queue = Lock()
        self._turn = Lock()

    def run(self, work: Callable[[Connection], T]) -> T:
        """The result of ``work``, committed when this returns.

        ``work`` may run more than once: where a shared transaction fails, each write is tried
        again alone, so that only the one at fault sees the error.
        """
        mine = _Write(work)
        with self._queue:
            self._waiting.append(mine)  # type: ignore[arg-type]
        with self._turn:
            if not mine.done:
                with self._queue:
                    group, self._waiting = self._waiting, []
                self._commit(group)
        return mine.result()

    def _commit(self, group: list[_Write[object]]) -> None:
        try:
            with self._write() as connection:
                results = [write.work(connection) for write in group]
        except Exception as error:
            if len(group) > 1:
                for write in group:
                    self._commit([write])
            else:
                group[0].error = error
        except BaseException as interruption:
            for write in group:
                write.error = interruption
        else:
            for write, result in zip(group, results, strict=True):
                write.results.append(result)
        for write in group:
            write.done = True
