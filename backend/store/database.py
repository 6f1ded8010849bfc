"""One database, SQLite or PostgreSQL, with short transactions that say whether they write.

SQLite runs with ``journal_mode=DELETE`` and ``synchronous=FULL``: releases before 3.51.3 can
corrupt a WAL database, and an acknowledged label has to be on the disk. A writing transaction
takes its lock at once (``BEGIN IMMEDIATE``), so that two writers wait instead of deadlocking.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Row, Select, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    SQLAlchemyError,
    TimeoutError,
)
from sqlalchemy.orm import Session

from backend.errors import ConfigurationError, MissingExtraError, StoreError
from backend.store.group_commit import GroupCommit

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 20.0
POLL_SECONDS = 0.003
"""How often a writer tries for SQLite's lock; SQLite itself backs off to 0.1 s and may starve."""
MIGRATION_LOCK = 4242
TOGETHER_LOCK = 4244
WRITES = "harambee_writes"
"""The execution option of a transaction that will write."""

T = TypeVar("T")


class Database:
    """Connections to the store; safe to share between threads, opened per process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            _make_folder(url)
        try:
            self._engine = create_engine(
                url,
                pool_pre_ping=not self.is_sqlite,
                connect_args=self._connect_args(),
                hide_parameters=True,
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError("A PostgreSQL store", "postgres") from error
        except (ArgumentError, NoSuchModuleError) as error:
            raise ConfigurationError(
                "The database URL cannot be used. Give one like sqlite:///data/harambee.sqlite3 "
                "or postgresql+psycopg://user:password@host/name."
            ) from error
        # The same connections without events around every statement, which cost more than it does.
        self._bare = create_engine(url, pool=self._engine.pool, hide_parameters=True)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _set_pragmas)
            event.listen(self._engine, "begin", _begin)
        self._together = GroupCommit(self.writing_connection)

    def _connect_args(self) -> dict[str, Any]:
        return {"timeout": BUSY_SECONDS, "check_same_thread": False} if self.is_sqlite else {}

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading; a consistent snapshot, never written back."""
        with self._session(writes=False) as session:
            yield session

    @contextmanager
    def write(self, lock: int | None = None) -> Iterator[Session]:
        """Open a session that commits, durably, when the block ends without an error.

        No two sessions with the same ``lock`` run side by side. SQLite has one writer anyway.
        """
        with self._session(writes=True) as session:
            if lock is not None and not self.is_sqlite:
                session.execute(_advisory_lock(lock))
            yield session
            session.commit()

    def write_together(self, work: Callable[[Connection], T]) -> T:
        """Do a short write in a transaction that other threads may share; see ``GroupCommit``."""
        return self._together.run(work)

    def look_up(self, query: Select[Any], parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """All rows of one query, without a transaction around it: for queries run very often."""
        with teaching_errors(), self._bare.connect() as connection:
            return connection.execute(query, parameters).all()

    @contextmanager
    def writing_connection(self) -> Iterator[Connection]:
        """Open a write transaction without a session around it, which commits when it ends."""
        with teaching_errors(), self._bare.connect() as connection:
            if self.is_sqlite:
                _open(connection, writes=True)
            with connection.begin():
                # Groups of several processes touch the same rows in different orders; without
                # taking turns, as on SQLite, PostgreSQL would find deadlocks.
                if not self.is_sqlite:
                    connection.execute(_advisory_lock(TOGETHER_LOCK))
                yield connection

    @contextmanager
    def _session(self, *, writes: bool) -> Iterator[Session]:
        with teaching_errors(), Session(self._engine, expire_on_commit=False) as session:
            session.connection(execution_options={WRITES: writes})
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest version; safe when several processes start at once."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        try:
            with self._engine.execution_options(**{WRITES: True}).begin() as connection:
                if not self.is_sqlite:
                    connection.execute(_advisory_lock(MIGRATION_LOCK))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigurationError(
                f"Cannot upgrade the database ({error}). Usually a newer harambee has used it: "
                "install that version again, or give this one a database of its own."
            ) from error
        except SQLAlchemyError as error:
            raise ConfigurationError(
                f"Cannot open or upgrade the database ({_reason(error)}). Check that the data "
                "folder is writable (HARAMBEE_STORE__DATA_DIR) or that DATABASE_URL is right."
            ) from error

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


@contextmanager
def teaching_errors() -> Iterator[None]:
    """Say what to do about a database that fails."""
    try:
        yield
    except (DBAPIError, TimeoutError, sqlite3.Error) as error:
        raise StoreError(
            f"The database did not take the request ({_reason(error)}). Check that it runs, "
            "that its disk has room and can be written, and that no other program locks it."
        ) from error


def _advisory_lock(number: int) -> Select[Any]:
    return select(func.pg_advisory_xact_lock(number))


def _reason(error: SQLAlchemyError | sqlite3.Error) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _make_folder(url: str) -> None:
    database = make_url(url).database
    if not database or database == ":memory:":
        return
    folder = Path(database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot create the data folder {folder}: {error.strerror}. Choose a writable one "
            "with HARAMBEE_STORE__DATA_DIR or DATABASE_URL."
        ) from error


def _set_pragmas(connection: Any, _record: object) -> None:
    # With the driver's own transaction control off, "begin" below decides how one starts.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    _open(connection, writes=connection.get_execution_options().get(WRITES, False))


def _open(connection: Connection, *, writes: bool) -> None:
    """Begin a transaction of SQLite's, by its driver: these run more often than any other."""
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    if not writes:
        driver.execute("BEGIN")
        return
    deadline = time.monotonic() + BUSY_SECONDS
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while not _takes_lock(driver, deadline):
            time.sleep(POLL_SECONDS)
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")


def _takes_lock(driver: sqlite3.Connection, deadline: float) -> bool:
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        # Extended codes carry the plain one in their lowest byte.
        busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        if not busy or time.monotonic() >= deadline:
            raise
        return False
    return True
