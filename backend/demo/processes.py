"""harambee's own processes, as a user would start them, under one roof."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from backend.errors import ConfigurationError

LONGEST_START_SECONDS = 60.0
LONGEST_STOP_SECONDS = 15.0


@contextmanager
def running(name: str, config: Path, log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``harambee NAME`` with a settings file, stopped at the end; its log goes to a file."""
    command = [sys.executable, "-m", "backend", "--config", str(config), name]
    with log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it."""
    process.terminate()
    try:
        process.wait(LONGEST_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_health(url: str, process: subprocess.Popen[bytes], log_file: Path) -> None:
    """Wait until a backend answers; an error with the end of its log if it does not."""
    deadline = time.monotonic() + LONGEST_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{url}/health", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    end = "\n".join(log_file.read_text(encoding="utf-8").splitlines()[-15:])
    raise ConfigurationError(f"harambee did not start. The end of {log_file}:\n{end}")
