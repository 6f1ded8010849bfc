"""Real databases and a real Redis for tests: started once, on free ports, in temporary folders.

A missing program fails the tests that need it: what is not run is not known to work.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from backend.store.database import Database
from backend.store.projects import Project, Projects
from backend.testing.server_process import free_port

SERVER_USER = "postgres"
LABEL_CONFIG = '<View><Labels name="l" toName="t"><Label value="PER"/></Labels></View>'
_numbers = itertools.count(1)


def program(name: str, package: str, *folders: Path) -> str:
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        pytest.fail(f"The program {name!r} is missing. Install it with: apt-get install {package}")
    return found


def wait_until_up(process: subprocess.Popen[bytes], is_up: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 30
    while not is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{process.args!r} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def answers_at(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# PostgreSQL -------------------------------------------------------------------------------------


class PostgresServer:
    """A PostgreSQL cluster of its own. Durability is off: these tests kill clients, not servers."""

    def __init__(self, folder: Path) -> None:
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        self._as_server_user: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            setpriv = program("setpriv", "util-linux")
            self._as_server_user = [
                setpriv,
                f"--reuid={SERVER_USER}",
                f"--regid={SERVER_USER}",
                "--init-groups",
            ]
            shutil.chown(folder, SERVER_USER)
        initdb = program("initdb", "postgresql", *binaries)
        postgres = program("postgres", "postgresql", *binaries)
        self.port = free_port()
        data = str(folder / "data")
        subprocess.run(
            [
                *self._as_server_user,
                *(initdb, "-D", data, "-U", "harambee", "-A", "trust"),
                *("-E", "UTF8", "--locale=C", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        log = folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *self._as_server_user,
                    *(postgres, "-D", data, "-k", str(folder), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"),
                    *("-c", "fsync=off", "-c", "full_page_writes=off"),
                ],
                stdout=output,
                stderr=output,
                cwd="/",
            )
        wait_until_up(self._process, self._accepts, log)

    def _accepts(self) -> bool:
        try:
            self.execute("SELECT 1")
        except Exception:
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://harambee@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # SIGTERM would wait for clients to leave
        self._process.wait(30)


def _temporary_folder(config: pytest.Config, name: str) -> Path:
    # Not below pytest's own folder, which other users cannot enter.
    folder = Path(tempfile.mkdtemp(prefix=f"harambee-{name}-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


@functools.cache
def postgres_server(config: pytest.Config) -> PostgresServer:
    server = PostgresServer(_temporary_folder(config, "postgres"))
    config.add_cleanup(server.stop)
    return server


@functools.cache
def migrated_postgres(server: PostgresServer) -> str:
    """The name of an empty database with our schema, to be copied by each test."""
    name = "harambee_template"
    server.execute(f"CREATE DATABASE {name}")
    database = Database(server.url(name))
    database.migrate()
    database.close()
    return name


@functools.cache
def migrated_sqlite(config: pytest.Config) -> Path:
    """A SQLite file with our schema, to be copied by each test."""
    path = _temporary_folder(config, "sqlite") / "template.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


def new_database_url(kind: str, config: pytest.Config, folder: Path, *, migrated: bool) -> str:
    """A database of one's own: ``kind`` is a SQLAlchemy backend name."""
    if kind == "sqlite":
        path = folder / "harambee.sqlite3"
        if migrated:
            shutil.copy(migrated_sqlite(config), path)
        return f"sqlite:///{path}"
    server = postgres_server(config)
    name = f"test_{next(_numbers)}"
    template = migrated_postgres(server) if migrated else "template0"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables, on SQLite and on PostgreSQL."""
    return new_database_url(request.param, request.config, tmp_path, migrated=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with our tables, on SQLite and on PostgreSQL."""
    return new_database_url(request.param, request.config, tmp_path, migrated=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A SQLite file with our tables, for what depends on no database."""
    return new_database_url("sqlite", request.config, tmp_path, migrated=True)


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def project(database: Database) -> Project:
    return Projects(database).register("label_studio", "1", LABEL_CONFIG)


@pytest.fixture
def other_project(database: Database) -> Project:
    return Projects(database).register("label_studio", "2", LABEL_CONFIG)


# Redis ------------------------------------------------------------------------------------------


class RedisServer:
    """A Redis of its own that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._program = program("redis-server", "redis-server")
        self._log = folder / "log"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(self._program, "--port", str(self.port), "--bind", "127.0.0.1"),
                    *("--save", "", "--appendonly", "no", "--dir", str(self._log.parent)),
                ],
                stdout=output,
                stderr=output,
            )
        wait_until_up(self._process, lambda: answers_at(self.port), self._log)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> RedisServer:
    server = RedisServer(_temporary_folder(request.config, "redis"))
    request.config.add_cleanup(server.stop)
    return server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    with socket.create_connection(("127.0.0.1", redis_server.port)) as client:
        client.sendall(b"FLUSHALL\r\n")
        client.recv(16)
    return redis_server.url
