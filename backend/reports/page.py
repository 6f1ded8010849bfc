"""A report as data, as JSON and as one HTML file that needs nothing else.

A report says what was found (sections of paragraphs, tables and figures), what made it, and holds
the results themselves for a program to read. The HTML page has its style and its figures inside,
runs no script, works without a network, on paper, and in light and dark.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from backend import __version__
from backend.errors import InputError
from backend.quality.intervals import Interval

DASH, MINUS = "–", "−"
LONG = 24
"""Tables of more rows scroll under their headings; on paper they are whole."""
NOT_STATED = "not stated"
NO_SEED = "none: nothing was drawn"
_ID = re.compile(r'(\bid="|url\(#|href="#)')


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean of several numbers with the lowest and the highest: no interval of confidence."""

    value: float
    low: float
    high: float


Cell = str | int | float | Interval | Spread | None
"""What a table holds: words, numbers, numbers with their bounds; ``None`` for nothing to say."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and how its numbers are shown.

    Numbers have ``decimals`` and a ``unit`` behind them. ``percent``: the cells are shares in
    [0, 1], shown times 100. ``words``: aligned and wrapped as text.
    """

    heading: str
    decimals: int = 1
    unit: str = ""
    percent: bool = False
    words: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under columns. ``note`` says what a reader has to know to read it.

    The first column names the rows. ``strong``: the numbers of rows to make stand out.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture as SVG source, from :mod:`backend.reports.figures`.

    ``alt`` tells somebody who cannot see it what it shows.
    """

    caption: str
    svg: str
    alt: str


Block = Text | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a report, so that somebody else can make it again.

    It stands under every table and figure, as these are copied out of their page. ``seed``: a
    number, or words where there are several. ``more``: anything else that a result depends on, by
    name.
    """

    command: str
    data: str
    seed: int | str | None = None
    model: str = ""
    prompt_version: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    def main(self) -> dict[str, str]:
        """What every result depends on, by name, shortest first; what is not known says so."""
        return {
            "seed": NO_SEED if self.seed is None else str(self.seed),
            "command": self.command,
            "prompt version": self.prompt_version or NOT_STATED,
            "data": self.data,
            "model": self.model or NOT_STATED,
        }

    def lines(self) -> dict[str, str]:
        """All of it, by name, in the order to read it in."""
        main = self.main()
        order = ("command", "data", "model", "prompt version", "seed")
        known = {**{name: main[name] for name in order}, **self.more, "harambee": __version__}
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``lead``: the answer in a few sentences; ``results``: for a program."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    provenance: Provenance
    results: Mapping[str, Any] = field(default_factory=dict)


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html`` into a folder, which is made if need be.

    Raises :class:`~backend.errors.InputError` where that cannot be.
    """
    as_json, as_html = folder / "report.json", folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        as_json.write_text(to_json(report), encoding="utf-8")
        as_html.write_text(to_html(report), encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write the report: {error}. Choose another --out.") from error
    return as_json, as_html


def to_json(report: Report) -> str:
    """Everything but the pictures: title, lead, provenance, results, and every table's cells.

    Each table repeats what made it, as it does on the page.

    Numbers are as they were measured, not rounded; NaN and infinities are ``null``.
    """
    made_by = report.provenance.lines()
    tables = [
        {
            "section": section.title,
            "caption": block.caption,
            "note": block.note,
            "rows": _records(block),
            "made_by": made_by,
        }
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Table)
    ]
    whole = {
        "title": report.title,
        "lead": list(report.lead),
        "provenance": made_by,
        "results": report.results,
        "tables": tables,
    }
    return json.dumps(_plain(whole), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_html(report: Report) -> str:
    """The page. Whatever the report holds is shown as text, never read as HTML."""
    return _environment().get_template("report.html").render(report=report)


def shown(cell: Cell, column: Column) -> str:
    """A cell's value in words, without its interval."""
    value = cell.value if isinstance(cell, Interval | Spread) else cell
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not column.percent:
        return f"{value:,}{column.unit}"
    return _number(value, column) + column.unit


def bounds(cell: Cell, column: Column) -> str:
    """The bounds of a cell's interval or spread, empty if it has none."""
    if not isinstance(cell, Interval | Spread):
        return ""
    if not all(map(math.isfinite, (cell.value, cell.low))) or math.isnan(cell.high):
        return ""
    if math.isinf(cell.high):
        return f"{_number(cell.low, column)} or more"
    low, high = (_number(bound, column) for bound in (cell.low, cell.high))
    return f"{low} to {high}" if cell.low < 0 else f"{low}{DASH}{high}"


def _number(value: float, column: Column) -> str:
    scaled = 100 * value if column.percent else value
    return f"{scaled:,.{column.decimals}f}".replace("-", MINUS)


def _records(table: Table) -> list[dict[str, Any]]:
    headings: list[str] = []
    for column in table.columns:
        again = headings.count(column.heading)
        headings.append(f"{column.heading} ({again + 1})" if again else column.heading)
    return [dict(zip(headings, row, strict=True)) for row in table.rows]


def _plain(value: Any) -> Any:
    """A value as JSON has it; data classes by field, exact amounts as strings."""
    if isinstance(value, Interval):
        return value.as_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _inline(figure: Figure, number: int) -> Markup:
    """The SVG as a part of a page: without a prologue, its ids those of no other figure."""
    start = figure.svg.find("<svg")
    # Figures are drawn by this program, with every text in them escaped; nobody else makes any.
    return Markup(_ID.sub(rf"\g<1>f{number}-", figure.svg[start:]))  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("backend.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(shown=shown, bounds=bounds, inline=_inline, LONG=LONG)
    kinds = {"Text": Text, "Table": Table, "Figure": Figure}
    for name, kind in kinds.items():
        environment.tests[name.lower()] = _is_a(kind)
    return environment


def _is_a(kind: type) -> Any:
    return lambda block: isinstance(block, kind)
