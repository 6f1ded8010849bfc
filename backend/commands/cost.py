"""``harambee cost``: what the LLM has cost so far, and what a quality costs."""

from __future__ import annotations

import csv
import enum
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from backend.commands.projects import PROJECT_HELP, known_project
from backend.commands.savings import savings
from backend.commands.terminal import console, teaching
from backend.cost.ledger import COLUMNS, TOTAL, CostLine, Grouping, cost_lines
from backend.services import Services
from backend.store.charges import charges

app = typer.Typer(help="What the LLM has cost, and what a quality costs.", no_args_is_help=True)


app.command("savings")(savings)


class ReportFormat(enum.StrEnum):
    """How a report is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command("report")
def report(
    context: typer.Context,
    project: Annotated[
        int | None, typer.Option(help=f"{PROJECT_HELP} Default: everything.")
    ] = None,
    by: Annotated[Grouping, typer.Option(help="What to sum up by.")] = Grouping.DAY,
    format_name: Annotated[
        ReportFormat, typer.Option("--format", help="How to write it.")
    ] = ReportFormat.TABLE,
) -> None:
    """Add up every attempt in the ledger."""
    with teaching():
        services = Services(context.obj)
        found = None if project is None else known_project(services, project)
        lines = cost_lines(charges(services.database, found.id if found else None), by)
        WRITERS[format_name](lines, by)


def _print_table(lines: Sequence[CostLine], by: Grouping) -> None:
    table = Table(title="LLM cost in US dollars", box=SIMPLE)
    table.add_column(by.value, no_wrap=True)
    for heading in ("attempts", "tasks", "input", "cached", "output", "usd", "unsettled"):
        table.add_column(heading, justify="right")
    for line in lines:
        if line.name == TOTAL:
            table.add_section()
        cells = asdict(line) | {
            "usd": f"{line.usd:.4f}",
            "unsettled_usd": f"{line.unsettled_usd:.4f}",
        }
        table.add_row(*(str(cells[column]) for column in COLUMNS))
    console.print(table)


def _print_json(lines: Sequence[CostLine], by: Grouping) -> None:
    sys.stdout.write(json.dumps([_plain(line, by) for line in lines], indent=1) + "\n")


def _print_csv(lines: Sequence[CostLine], by: Grouping) -> None:
    rows = [_plain(line, by) for line in lines]
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)


def _plain(line: CostLine, by: Grouping) -> dict[str, object]:
    """Exact amounts as strings, which no reader rounds."""
    values: dict[str, object] = {
        key: format(value, "f") if key.endswith("usd") else value
        for key, value in asdict(line).items()
        if key != "name"
    }
    return {by.value: line.name} | values


WRITERS = {
    ReportFormat.TABLE: _print_table,
    ReportFormat.JSON: _print_json,
    ReportFormat.CSV: _print_csv,
}
