"""Both databases: migrated from anything to the newest schema, durable, clear when they fail."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from servers import LABEL_CONFIG
from sqlalchemy import create_engine, inspect, text

from backend.domain import Source, SourceKind, Suggestion, Task
from backend.errors import ConfigurationError, StoreError
from backend.store import database as database_module
from backend.store.database import Database
from backend.store.inbox import Inbox
from backend.store.projects import Projects
from backend.store.schema import Base
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords


def migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.close()


def tables(url: str) -> set[str]:
    return set(inspect(create_engine(url)).get_table_names())


class TestMigrations:
    def test_an_empty_database_gets_all_tables(self, empty_database_url: str) -> None:
        migrate(empty_database_url)

        assert tables(empty_database_url) == {*Base.metadata.tables, "alembic_version"}

    def test_the_migrations_make_exactly_the_schema_of_the_code(
        self, empty_database_url: str
    ) -> None:
        migrate(empty_database_url)

        with create_engine(empty_database_url).connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_migrating_again_keeps_what_is_there(self, empty_database_url: str) -> None:
        migrate(empty_database_url)
        project = Projects(Database(empty_database_url)).register("label_studio", "1", "<View/>")

        migrate(empty_database_url)

        assert Projects(Database(empty_database_url)).all() == [project]

    def test_processes_that_start_at_once_migrate_once(self, empty_database_url: str) -> None:
        starting = [processes.start(migrate, empty_database_url) for _ in range(4)]
        for process in starting:
            process.join()

        assert [process.exitcode for process in starting] == [0] * 4
        assert "projects" in tables(empty_database_url)

    def test_a_database_of_a_newer_release_is_left_alone(self, database_url: str) -> None:
        with create_engine(database_url).begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

        with pytest.raises(ConfigurationError, match="newer harambee"):
            migrate(database_url)


class TestOpening:
    @pytest.mark.parametrize("url", ["nonsense", "nosuchdatabase://host/name"])
    def test_a_wrong_url_is_explained(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="database URL"):
            Database(url)

    def test_a_folder_that_cannot_be_made_is_explained(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")

        with pytest.raises(ConfigurationError, match="HARAMBEE_STORE__DATA_DIR"):
            Database(f"sqlite:///{tmp_path / 'file' / 'harambee.sqlite3'}")

    def test_a_file_that_is_no_database_is_explained(self, tmp_path: Path) -> None:
        path = tmp_path / "harambee.sqlite3"
        path.write_bytes(b"not a database " * 1000)

        with pytest.raises(ConfigurationError, match="not a database"):
            migrate(f"sqlite:///{path}")

    def test_a_server_that_is_down_is_explained(self) -> None:
        with pytest.raises(ConfigurationError, match="DATABASE_URL"):
            migrate("postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none")

    def test_a_password_is_in_no_message(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            migrate("postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none")

        assert "hunter2" not in str(caught.value)

    def test_sqlite_is_as_durable_as_it_can_be(self, sqlite_database: Database) -> None:
        with sqlite_database.read() as session:
            pragmas = [
                session.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]

        assert pragmas == ["delete", 2, 1]


class TestSessions:
    def test_an_error_in_the_block_takes_its_writes_back(self, database: Database) -> None:
        with pytest.raises(RuntimeError), database.write() as session:
            session.execute(text("INSERT INTO budgets VALUES ('project:1', 5)"))
            raise RuntimeError

        with database.read() as session:
            assert session.scalar(text("SELECT count(*) FROM budgets")) == 0

    def test_a_reading_session_leaves_nothing_behind(self, database: Database) -> None:
        with database.read() as session:
            session.execute(text("INSERT INTO budgets VALUES ('project:1', 5)"))

        with database.read() as session:
            assert session.scalar(text("SELECT count(*) FROM budgets")) == 0

    def test_writers_wait_for_each_other(self, database: Database) -> None:
        database_and_key = text("UPDATE budgets SET committed_nanousd = :value")
        with database.write() as session:
            session.execute(text("INSERT INTO budgets VALUES ('project:1', 0)"))

        def add_one() -> None:
            for _ in range(20):
                with database.write(lock=7) as session:
                    now = session.scalar(text("SELECT committed_nanousd FROM budgets"))
                    session.execute(database_and_key, {"value": now + 1})

        threads = [threading.Thread(target=add_one) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        with database.read() as session:
            assert session.scalar(text("SELECT committed_nanousd FROM budgets")) == 100

    def test_a_database_that_stays_locked_is_explained(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
        holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError, match="locked"):
            Projects(Database(sqlite_url)).register("label_studio", "1", LABEL_CONFIG)

    def test_the_writer_after_a_locked_one_gets_its_turn(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
        database = Database(sqlite_url)
        holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            Projects(database).register("label_studio", "1", LABEL_CONFIG)
        holder.execute("ROLLBACK")

        Projects(database).register("label_studio", "1", LABEL_CONFIG)

        assert len(Projects(database).all()) == 1


class TestLargeProjects:
    def test_bulk_work_lets_small_writes_pass(self, database: Database) -> None:
        project = Projects(database).register("label_studio", "1", LABEL_CONFIG)
        tasks = SqlTaskRecords(database, project.id)
        suggestions = SqlSuggestionRecords(database, project.id)
        inbox = Inbox(database, project.id)
        source = Source(SourceKind.TAGGER, "crf-1")
        many = [Suggestion(str(number), (), 0.5, source) for number in range(5000)]
        tasks.replace_tasks(Task(item.task_id, "text") for item in many)
        version = suggestions.version_for(many)
        marked = text("SELECT count(*) FROM tasks WHERE pushed_version IS NOT NULL")

        def with_a_webhook_half_way() -> Iterator[Suggestion]:
            yield from many[:2500]
            inbox.put("ANNOTATION_CREATED", ["1"], [])
            with database.read() as session:
                assert 0 < session.scalar(marked) < len(many)
            yield from many[2500:]

        suggestions.mark_pushed(with_a_webhook_half_way(), version)

        assert inbox.count_waiting() == 1
        with database.read() as session:
            assert session.scalar(marked) == len(many)
