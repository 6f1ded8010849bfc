"""``harambee cost``: what the LLM has cost so far, and what a quality costs."""

from __future__ import annotations

import csv
import enum
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from backend.commands.projects import known_project
from backend.commands.terminal import console, teaching
from backend.cost.ledger import COLUMNS, TOTAL, CostLine, Grouping, cost_lines
from backend.cost.savings import Prices, usual_seconds
from backend.domain import SourceKind
from backend.errors import InputError
from backend.reports.page import Provenance, write_report
from backend.services import Services
from backend.store.charges import charges
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords

app = typer.Typer(help="What the LLM has cost, and what a quality costs.", no_args_is_help=True)


class ReportFormat(enum.StrEnum):
    """How a report is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command("report")
def report(
    context: typer.Context,
    project: Annotated[
        int | None, typer.Option(help="Label Studio's project id; default: everything.")
    ] = None,
    by: Annotated[Grouping, typer.Option(help="What to sum up by.")] = Grouping.DAY,
    format_name: Annotated[
        ReportFormat, typer.Option("--format", help="How to write it.")
    ] = ReportFormat.TABLE,
) -> None:
    """Add up every attempt in the ledger."""
    with teaching():
        services = Services(context.obj)
        found = None if project is None else services.project(str(project))
        if project is not None and found is None:
            raise InputError(f"Project {project} is not connected, so nothing was paid for it.")
        lines = cost_lines(charges(services.database, found.id if found else None), by)
        WRITERS[format_name](lines, by)


@app.command("savings")
def savings(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    simulation: Annotated[
        Path, typer.Option(help="results.json of harambee simulate.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report.", show_default=False)],
    target: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="F1 to reach, repeatable.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Default: the mean of all.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Whose curves; default: most.")] = None,
    project: Annotated[
        int | None, typer.Option(help="Take seconds and the LLM's price from this project.")
    ] = None,
    usd_per_hour: Annotated[float, typer.Option(help="A human's wage.")] = 10.0,
    seconds_per_text: Annotated[float, typer.Option(help="A human's time.")] = 30.0,
    llm_usd_per_text: Annotated[float, typer.Option(help="An LLM's price.")] = 0.0034,
    gpu_usd_per_hour: Annotated[float, typer.Option(help="Price of training.")] = 0.0,
    gpu_seconds_per_round: Annotated[float, typer.Option(help="Time of training.")] = 0.0,
    audit_share: Annotated[float, typer.Option(help="Texts labelled blind on top.")] = 0.0,
) -> None:
    """Say what an F1 costs by humans, by an LLM and by both, and how sure that is."""
    from backend.evaluation import savings_page  # noqa: PLC0415 - only for this command

    with teaching():
        prices = Prices(
            usd_per_hour,
            seconds_per_text,
            llm_usd_per_text,
            gpu_usd_per_hour,
            gpu_seconds_per_round,
            audit_share,
        )
        if project is not None:
            prices = _of_project(context, project, prices)
        what, curves = savings_page.read_curves(simulation, language, strategy)
        targets = sorted(target or (0.5, 0.6, 0.7))
        provenance = Provenance(shlex.join(["harambee", *sys.argv[1:]]), str(simulation))
        as_page = savings_page.savings_report(curves, what, targets, prices, provenance)
        as_json, as_html = write_report(as_page, out)
        for sentence in as_page.lead:
            console.print(sentence, markup=False, soft_wrap=True)
        console.print(f"Written to {as_html} and {as_json}.", markup=False, soft_wrap=True)


def _of_project(context: typer.Context, number: int, prices: Prices) -> Prices:
    """The prices with what a project has measured: seconds of a label, dollars of an answer."""
    services = Services(context.obj)
    found = known_project(services, number)
    labelled = SqlTaskRecords(services.database, found.id).annotated()
    seconds = usual_seconds(
        [note.lead_time for _, notes in labelled for note in notes if not note.skipped]
    )
    paid = sum(charge.usd for charge in charges(services.database, found.id))
    answered = len(SqlSuggestionRecords(services.database, found.id).by_source(SourceKind.LLM))
    return replace(
        prices,
        seconds_per_text=prices.seconds_per_text if seconds is None else seconds,
        llm_usd_per_text=float(paid) / answered if paid and answered else prices.llm_usd_per_text,
    )


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
