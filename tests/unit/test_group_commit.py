"""Writes that share a transaction: each is durable when it returns, and fails alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from backend.store.database import Database
from backend.store.group_commit import GroupCommit


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with database.write() as session:
        session.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    return database


class Transactions:
    """A database's write transactions, counted, and held back until they may begin."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        self.may_begin = threading.Event()
        self._database = database

    @contextmanager
    def __call__(self):
        self.count += 1
        self.may_begin.wait()
        with self._database.writing_connection() as connection:
            yield connection


def add(number):
    def work(connection):
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
        return number

    return work


def stored(database):
    with database.read() as session:
        return list(session.scalars(text("SELECT n FROM numbers ORDER BY n")))


def test_a_write_is_visible_to_others_when_it_returns(database):
    assert database.write_together(add(7)) == 7
    assert stored(database) == [7]


def test_writes_that_wait_together_are_committed_together(database):
    transactions = Transactions(database)
    group = GroupCommit(transactions)
    with ThreadPoolExecutor(20) as pool:
        results = [pool.submit(group.run, add(n)) for n in range(20)]
        while transactions.count == 0 or len(group._waiting) < 19:
            pass
        transactions.may_begin.set()
        assert [result.result() for result in results] == list(range(20))
    assert stored(database) == list(range(20))
    assert transactions.count == 2


def test_only_the_write_at_fault_sees_its_error(database):
    transactions = Transactions(database)
    group = GroupCommit(transactions)
    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(group.run, add(n)) for n in (1, 2, 2)]
        while transactions.count == 0 or len(group._waiting) < 2:
            pass
        transactions.may_begin.set()
        errors = [result.exception() for result in results]
    assert stored(database) == [1, 2]
    assert sum(error is not None for error in errors) == 1
