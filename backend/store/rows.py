"""Between the store's JSON and the domain's values, and an upsert for both databases."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import Row, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.domain import Span
from backend.store.database import Database
from backend.store.schema import Base

T = TypeVar("T")

CHUNK = 1000
"""Rows per transaction: few enough that a webhook never waits long for the lock."""
BREATH_SECONDS = 0.01
"""Pause between two writing transactions of bulk work, in which a waiting writer gets the lock."""


def spans_to_json(spans: Iterable[Span]) -> list[Any]:
    """Lists of start, end, label and score."""
    return [[span.start, span.end, span.label, span.score] for span in spans]


def spans_from_json(rows: Iterable[Sequence[Any]]) -> tuple[Span, ...]:
    """Undo :func:`spans_to_json`."""
    return tuple(Span(start, end, label, score) for start, end, label, score in rows)


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Lists of at most ``size`` items, in order."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def chunks_to_write(items: Iterable[T]) -> Iterator[list[T]]:
    """Chunks for one transaction each, with a breath between them for other writers."""
    for number, chunk in enumerate(chunks(items)):
        if number:
            time.sleep(BREATH_SECONDS)
        yield chunk


def read_in_pages(
    database: Database, query: Select[*tuple[Any, ...]], key: InstrumentedAttribute[Any]
) -> Iterator[Row[Any]]:
    """All rows of a query in order of ``key``, which is one of its columns, unique and fixed.

    Each page is a transaction of its own: on SQLite, writers wait for readers to end. Every row is
    as it was at some moment of the reading.
    """
    page = query.order_by(key).limit(CHUNK)
    while True:
        with database.read() as session:
            rows = session.execute(page).all()
        yield from rows
        if len(rows) < CHUNK:
            return
        page = query.where(key > getattr(rows[-1], key.key)).order_by(key).limit(CHUNK)


def upsert(
    session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> None:
    """Insert rows; where ``keys`` are taken, set the other given columns. The last equal key wins.

    ``rows`` all have the same columns.
    """
    if not rows:
        return
    statement = _insert_into(session, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.execute(
        statement.on_conflict_do_update(index_elements=list(keys), set_=changed), list(rows)
    )


def insert_missing(
    session: Session, table: type[Base], row: Mapping[str, Any], keys: Sequence[str]
) -> None:
    """Insert a row unless ``keys`` are taken: the first one stays."""
    statement = _insert_into(session, table)
    session.execute(statement.on_conflict_do_nothing(index_elements=list(keys)), [row])


def _insert_into(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table_of(table))
    return sqlite.insert(table_of(table))


def table_of(row: type[Base]) -> Table:
    """The table under a class of rows, for statements whose many rows should pass by the ORM."""
    return cast(Table, row.__table__)
