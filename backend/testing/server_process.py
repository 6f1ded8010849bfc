"""What real servers for tests and for the demo have in common: a port, a process, and an end."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

LONGEST_STOP_SECONDS = 10.0
SHOWN_LOG_LINES = 15
PORTS = range(15_000, 32_000)
"""Below those that systems give to outgoing connections, one of which could otherwise take a
server's port while it is started, or restarted."""
TRIES = 100


class Startable(ABC):
    """A server as a context manager: ready to use inside, gone with its children after."""

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it answers."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it and everything it started."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def free_port() -> int:
    """A port that was free a moment ago, drawn at random so that two callers rarely meet."""
    drawn = random.SystemRandom().sample(PORTS, TRIES)
    return next(port for port in drawn if is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a process and its children; it leads a group of its own."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def end_group(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    """End a process with its children by a signal, and by ``SIGKILL`` if that takes too long."""
    signal_group(process, number)
    try:
        process.wait(LONGEST_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        signal_group(process, signal.SIGKILL)
        process.wait()


def log_end(log_file: Path) -> str:
    """The last lines of a log."""
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-SHOWN_LOG_LINES:])
