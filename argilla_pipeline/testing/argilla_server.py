"""A real Argilla on free ports, for tests and for the demo.

Argilla's server lives in a virtual environment of its own; beside it run its worker (which sends
webhooks), a Redis for the two, and :mod:`argilla_pipeline.testing.search_engine` in place of
Elasticsearch. Everything is kept in one folder and listens on the loopback interface only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from backend.errors import ConfigurationError, ToolUnreachableError
from backend.testing.server_process import Startable, end_group, free_port, is_free, log_end

LONGEST_START_SECONDS = 120.0
POLL_SECONDS = 0.1
SERVER, WORKER, REDIS, SEARCH = "server", "worker", "redis", "search"
SOURCES = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Owner:
    """The first user of the server, who may do everything."""

    username: str = "owner"
    password: str = "pull-together"  # noqa: S105 - of a server that only this machine reaches
    api_key: str = "owner.harambee.apikey"


class ArgillaServer(Startable):
    """Argilla as a context manager: ready to use inside, gone with its children after.

    ``environment`` is the virtual environment that holds it, ``folder`` its data (reused if it is
    there already), ``port`` 0 takes a free one. ``variables`` are set on top of the usual ones.
    Its four processes can be stopped and started one by one, by the names above.
    """

    def __init__(
        self,
        environment: Path,
        folder: Path,
        port: int = 0,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.owner = Owner()
        self.port = port or free_port()
        self.folder = folder.resolve()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._python = environment.absolute() / "bin" / "python"
        self._redis_port = free_port()
        self._search_port = free_port()
        self._variables = dict(variables or {})

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything and wait until it answers.

        Raises :class:`~backend.errors.ConfigurationError` where something is not installed or the
        port is taken, and :class:`~backend.errors.ToolUnreachableError` with the end of its log
        where a part fails.
        """
        if not self._python.exists():
            raise ConfigurationError(
                f"Argilla is not installed: {self._python} does not exist. 'make demo "
                "TOOL=argilla' makes the environment."
            )
        if shutil.which("redis-server", path=os.defpath) is None:
            raise ConfigurationError(
                "Argilla needs Redis. Install it with: apt-get install redis-server"
            )
        if not is_free(self.port):
            raise ConfigurationError(
                f"Port {self.port} is taken, perhaps by another Argilla. Stop what uses it, or "
                "choose another port."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            for name in (REDIS, SEARCH):
                self.start_one(name)
            if not (self.folder / "argilla.db").exists():
                self._make_database()
            for name in (SERVER, WORKER):
                self.start_one(name)
        except BaseException:
            self.stop()
            raise

    def start_one(self, name: str) -> None:
        """Start one of the processes and wait until it answers."""
        command, is_up = self._parts()[name]
        with self.log_file(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                command,
                env=self._environment(),
                cwd=SOURCES if name == SEARCH else self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process
        self._wait_until(is_up, process, name)

    def stop_one(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop one of the processes with its children."""
        end_group(self.processes.pop(name), number)

    def stop(self) -> None:
        """Stop everything, what depends on others first."""
        for name in (WORKER, SERVER, SEARCH, REDIS):
            if name in self.processes:
                # The worker's own shutdown waits for jobs; nothing here is worth waiting for.
                self.stop_one(name, signal.SIGKILL if name == WORKER else signal.SIGTERM)

    def log_file(self, name: str) -> Path:
        """Where a process writes."""
        return self.folder / f"{name}.log"

    def run(self, *arguments: str) -> None:
        """Run one of Argilla's own commands to its end."""
        done = subprocess.run(  # noqa: S603 - our own command line
            [str(self._python), "-m", "argilla_server", *arguments],
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolUnreachableError(f"Argilla's {arguments} failed:\n{done.stderr[-2000:]}")

    def _make_database(self) -> None:
        self.run("database", "migrate")
        self.run(
            *("database", "users", "create", "--first-name", "Owner", "--role", "owner"),
            *("--username", self.owner.username, "--password", self.owner.password),
            *("--api-key", self.owner.api_key),
        )

    def _parts(self) -> Mapping[str, tuple[list[str], Callable[[], bool]]]:
        """The command line of each process, and how to see that it is up."""
        argilla = [str(self._python), "-m", "argilla_server"]
        redis = ["redis-server", "--port", str(self._redis_port), "--bind", "127.0.0.1"]
        search = [sys.executable, "-m", "argilla_pipeline.testing.search_engine"]
        documents = self.folder / "search.sqlite3"
        return {
            REDIS: (
                [*redis, "--save", "", "--appendonly", "no", "--dir", str(self.folder)],
                lambda: not is_free(self._redis_port),
            ),
            SEARCH: (
                [*search, "--port", str(self._search_port), "--file", str(documents)],
                lambda: answers(f"http://127.0.0.1:{self._search_port}/"),
            ),
            SERVER: (
                [*argilla, "start", "--host", "127.0.0.1", "--port", str(self.port)],
                lambda: answers(f"{self.url}/api/v1/me", self.owner.api_key),
            ),
            WORKER: ([*argilla, "worker", "--num-workers", "1"], lambda: True),
        }

    def _environment(self) -> dict[str, str]:
        """All it is told: nothing of this process's own environment changes what it does."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ARGILLA_HOME_PATH": str(self.folder),
            "ARGILLA_DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'argilla.db'}",
            "ARGILLA_SEARCH_ENGINE": "elasticsearch",
            "ARGILLA_ELASTICSEARCH": f"http://127.0.0.1:{self._search_port}",
            "ARGILLA_REDIS_URL": f"redis://127.0.0.1:{self._redis_port}/0",
            "ARGILLA_AUTH_SECRET_KEY": "of-a-server-that-only-this-machine-reaches",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **self._variables,
        }

    def _wait_until(
        self, is_up: Callable[[], bool], process: subprocess.Popen[bytes], name: str
    ) -> None:
        deadline = time.monotonic() + LONGEST_START_SECONDS
        while not is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                end = log_end(self.log_file(name))
                raise ToolUnreachableError(f"Argilla's {name} did not start:\n{end}")
            time.sleep(POLL_SECONDS)


def answers(url: str, api_key: str = "") -> bool:
    """Whether a server answers, and knows the key: its port alone could be someone else's."""
    with suppress(requests.RequestException):
        return requests.get(url, headers={"X-Argilla-Api-Key": api_key}, timeout=5).ok
    return False


def initialised_folder(environment: Path, template: Path, folder: Path) -> Path:
    """``folder`` as a copy of a data folder whose database is made already.

    ``template`` is made once, which takes some seconds; every copy then starts without them.
    """
    if not (template / "argilla.db").exists():
        staging = template.with_name(f"{template.name}-{os.getpid()}")
        staging.mkdir(parents=True)
        ArgillaServer(environment, staging)._make_database()
        shutil.rmtree(template, ignore_errors=True)
        staging.rename(template)
    shutil.copytree(template, folder)
    return folder
