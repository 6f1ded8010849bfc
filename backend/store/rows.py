"""Between the store's JSON and the domain's values, and an upsert for both databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.domain import Span
from backend.store.schema import Base

T = TypeVar("T")

CHUNK = 200
"""Rows per transaction: few enough that a webhook never waits long for the lock."""


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


def upsert(
    session: Session,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    *,
    replace: bool = True,
) -> None:
    """Insert rows; where ``keys`` are taken, set the other given columns, or leave the row."""
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(list(rows))
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.execute(
        statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
        if changed and replace
        else statement.on_conflict_do_nothing(index_elements=list(keys))
    )
