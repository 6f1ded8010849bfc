"""Other processes for tests: started clean, and ended without a word."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["backend.store.money", "backend.store.tasks", "backend.jobs"])


def start(target: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """Run a function of a test module in a process of its own."""
    process = CONTEXT.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """``kill -9``: no handler runs, nothing is flushed."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
