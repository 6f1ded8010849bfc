"""Tables whose columns stand beside what fills them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from backend.evaluation.laboratory import Measured
from backend.reports.page import Cell, Column, Table

Item = TypeVar("Item")

Filled = tuple[Column, Callable[[Item], Cell]]
"""A column, and what it holds of an item, which is a row."""


def table_of(
    caption: str, items: Iterable[Item], columns: Sequence[Filled[Item]], note: str = ""
) -> Table:
    """A table with one row for each item."""
    rows = [tuple(cell_of(item) for _, cell_of in columns) for item in items]
    return Table(caption, [column for column, _ in columns], rows, note)


def name_of(measured: Measured) -> Cell:
    """The annotator."""
    return measured.name


def language_of(measured: Measured) -> Cell:
    """The language."""
    return measured.language


WHO: tuple[Filled[Measured], ...] = (
    (Column("annotator"), name_of),
    (Column("language", words=True), language_of),
)
"""The columns that say what a row is about."""
