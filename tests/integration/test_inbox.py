"""The inbox: what was acknowledged is on the disk, whoever is killed afterwards."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from multiprocessing.connection import Connection
from pathlib import Path

import processes
import pytest
from servers import LABEL_CONFIG

from backend.errors import StoreError
from backend.store import database as database_module
from backend.store.database import Database
from backend.store.inbox import Inbox
from backend.store.projects import Project, Projects


@pytest.fixture
def inbox(database: Database, project: Project) -> Inbox:
    return Inbox(database, project.id)


def put_many(inbox: Inbox, *actions: str) -> None:
    for action in actions:
        inbox.put(action, ["1"], ["2"])


def test_hints_wait_in_the_order_in_which_they_came(inbox: Inbox) -> None:
    put_many(inbox, "CREATED", "UPDATED", "DELETED")

    assert [hint.action for hint in inbox.waiting()] == ["CREATED", "UPDATED", "DELETED"]


def test_a_hint_keeps_the_ids_it_came_with(inbox: Inbox) -> None:
    inbox.put("CREATED", ["7", "8"], [])

    hint = inbox.waiting()[0]
    assert (hint.task_ids, hint.annotation_ids) == (("7", "8"), ())


def test_a_handled_hint_waits_no_more(inbox: Inbox) -> None:
    put_many(inbox, "CREATED", "UPDATED")

    inbox.handled(inbox.waiting(at_most=1))

    assert [hint.action for hint in inbox.waiting()] == ["UPDATED"]
    assert inbox.count_waiting() == 1


def test_a_hint_that_came_while_others_were_handled_still_waits(inbox: Inbox) -> None:
    put_many(inbox, "CREATED")
    being_handled = inbox.waiting()
    put_many(inbox, "UPDATED")

    inbox.handled(being_handled)

    assert [hint.action for hint in inbox.waiting()] == ["UPDATED"]


def test_projects_have_inboxes_of_their_own(
    database: Database, inbox: Inbox, other_project: Project
) -> None:
    put_many(inbox, "CREATED")

    assert Inbox(database, other_project.id).waiting() == []


# Killed writers ---------------------------------------------------------------------------------


def write_until_killed(url: str, project_id: int, acknowledge: Connection) -> None:
    inbox = Inbox(Database(url), project_id)
    number = 0
    while True:
        number += 1
        inbox.put(f"{os.getpid()}-{number}", ["1"], [])
        acknowledge.send(f"{os.getpid()}-{number}")


def acknowledged_before_kill(url: str, project_id: int, seconds: float) -> list[str]:
    receiver, sender = processes.CONTEXT.Pipe(duplex=False)
    writer = processes.start(write_until_killed, url, project_id, sender)
    sender.close()
    acknowledged = [receiver.recv()]
    time.sleep(seconds)
    processes.kill(writer)
    while True:
        try:
            acknowledged.append(receiver.recv())
        except EOFError:
            return acknowledged


def test_no_acknowledged_hint_is_lost_when_its_writer_is_killed(
    database_url: str, inbox: Inbox, project: Project
) -> None:
    moments = random.Random(7)

    acknowledged = [
        action
        for _ in range(6)
        for action in acknowledged_before_kill(database_url, project.id, moments.uniform(0.0, 0.1))
    ]

    kept = [hint.action for hint in inbox.waiting(at_most=100_000)]
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
    assert len(kept) - len(acknowledged) <= 6, "a killed writer leaves one unacknowledged at most"


# Databases that cannot take it ------------------------------------------------------------------


def test_a_full_disk_is_said_before_anything_is_acknowledged(
    sqlite_database: Database, sqlite_url: str
) -> None:
    inbox = Inbox(sqlite_database, Projects(sqlite_database).register("ls", "1", LABEL_CONFIG).id)
    put_many(inbox, "BEFORE")
    fill_up(sqlite_database)

    with pytest.raises(StoreError, match=r"full.*its disk has room"):
        inbox.put("x" * 60, [str(number) for number in range(10_000)], [])

    assert [hint.action for hint in Inbox(Database(sqlite_url), 1).waiting()] == ["BEFORE"]


def fill_up(database: Database) -> None:
    """SQLite itself then says that the disk is full, on every connection of this pool."""
    with database.write() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages}")


def test_a_file_that_cannot_be_written_is_said(
    sqlite_database: Database, project_in_file: int
) -> None:
    with sqlite_database.read() as session:
        session.connection().exec_driver_sql("PRAGMA query_only=ON")

    with pytest.raises(StoreError, match=r"readonly.*can be written"):
        Inbox(sqlite_database, project_in_file).put("CREATED", ["1"], [])


def test_a_database_that_another_program_locks_is_said(
    sqlite_url: str, project_in_file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreError, match=r"locked.*no other program locks it"):
        Inbox(Database(sqlite_url), project_in_file).put("CREATED", ["1"], [])


def test_a_database_that_was_taken_away_is_said(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'folder' / 'harambee.sqlite3'}")
    database.migrate()
    database.close()
    (tmp_path / "folder" / "harambee.sqlite3").unlink()
    (tmp_path / "folder").rmdir()

    with pytest.raises(StoreError, match="unable to open"):
        Inbox(database, 1).put("CREATED", ["1"], [])


@pytest.fixture
def project_in_file(sqlite_database: Database) -> int:
    return Projects(sqlite_database).register("label_studio", "1", LABEL_CONFIG).id
