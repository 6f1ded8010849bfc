"""``harambee cost savings``: what an F1 costs by humans, by an LLM and by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE
from rich.table import Table

from backend.commands.projects import known_project
from backend.commands.terminal import (
    OutOption,
    command_line,
    console,
    progress_bar,
    teaching,
    write,
)
from backend.cost.savings import Prices
from backend.cost.uncertainty import Measured, Reach
from backend.domain import SourceKind
from backend.errors import InputError
from backend.evaluation import savings_page
from backend.evaluation.savings_curves import read_curves
from backend.laboratory.costs import Pace, pace_of, project_curves, usual_targets
from backend.reports.page import Provenance, bounds, shown
from backend.services import Services
from backend.store.charges import charges
from backend.store.projects import Project
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords

TARGETS = (0.5, 0.6, 0.7)
SEED = 0


def savings(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    simulation: Annotated[
        Path | None, typer.Option(help="results.json of harambee simulate: its curves.")
    ] = None,
    out: OutOption = None,
    target: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="F1 to reach, repeatable.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Default: the mean of all.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Whose curves; default: most.")] = None,
    project: Annotated[
        int | None,
        typer.Option(help="A project: its times and prices and, without --simulation, its rounds."),
    ] = None,
    usd_per_hour: Annotated[
        float | None, typer.Option(help="A human's wage; default: cost.usd_per_hour.")
    ] = None,
    seconds_per_text: Annotated[
        float | None, typer.Option(help="A human's time; default: the project's, or 30.")
    ] = None,
    llm_usd_per_text: Annotated[
        float | None, typer.Option(help="An LLM's price; default: the project's, or 0.0034.")
    ] = None,
    gpu_usd_per_hour: Annotated[
        float | None,
        typer.Option(help="Price of training; default: cost.training_usd_per_hour."),
    ] = None,
    gpu_seconds_per_round: Annotated[
        float | None, typer.Option(help="Time of training where none was measured.")
    ] = None,
    audit_share: Annotated[float, typer.Option(help="Texts labelled blind on top.")] = 0.0,
) -> None:
    """Say what an F1 costs by humans, by an LLM and by both, and how sure that is."""
    with teaching():
        services = Services(context.obj)
        known = None if project is None else known_project(services, project)
        prices = replace(
            _measured_prices(services, known),
            audit_share=audit_share,
            **_given(
                usd_per_hour=usd_per_hour,
                seconds_per_text=seconds_per_text,
                assisted_seconds_per_text=seconds_per_text,
                llm_usd_per_text=llm_usd_per_text,
                gpu_usd_per_hour=gpu_usd_per_hour,
                gpu_seconds_per_round=gpu_seconds_per_round,
            ),
        )
        rng = np.random.default_rng(SEED)
        targets = sorted(target or TARGETS)
        if simulation is not None:
            measured, data = read_curves(simulation, language, strategy, rng), str(simulation)
        elif known is not None:
            measured, data = _of_rounds(services, known, prices, rng), f"project {project}"
            targets = sorted(target or usual_targets(measured.curves))
        else:
            raise InputError(
                "Curves have to come from somewhere: give --simulation results.json (of harambee "
                "simulate), or --project N for those of its rounds."
            )
        found = savings_page.reaches(measured, targets, prices)
        for sentence in savings_page.in_words(measured, found):
            console.print(sentence, markup=False, soft_wrap=True)
        console.print(_table(found))
        if out is not None:
            provenance = Provenance(command_line(), data, seed=SEED)
            write(savings_page.savings_report(measured, targets, prices, provenance), out)


def _given(**options: float | None) -> dict[str, float]:
    return {name: value for name, value in options.items() if value is not None}


def _of_rounds(
    services: Services, project: Project, prices: Prices, rng: np.random.Generator
) -> Measured:
    with progress_bar() as progress:
        measured = project_curves(
            services.workspace(project), prices.llm_usd_per_text, rng, progress
        )
    words = _pace(services, project).in_words()
    return replace(measured, remarks=(*measured.remarks, *([words] if words else [])))


def _measured_prices(services: Services, project: Project | None) -> Prices:
    """What the settings say, and what a project has measured: times, and dollars of an answer."""
    costs = services.settings.cost
    prices = Prices(usd_per_hour=costs.usd_per_hour, gpu_usd_per_hour=costs.training_usd_per_hour)
    if project is None:
        return prices
    pace = _pace(services, project)
    paid = sum(charge.usd for charge in charges(services.database, project.id))
    answers = SqlSuggestionRecords(services.database, project.id).by_source(SourceKind.LLM)
    rounds = SqlRoundRecords(services.database, project.id).all()
    trained = [it.training_seconds for it in rounds if it.training_seconds is not None]
    return replace(
        prices,
        **_given(
            seconds_per_text=pace.blind,
            assisted_seconds_per_text=pace.assisted,
            llm_usd_per_text=float(paid) / len(answers) if paid and answers else None,
            gpu_seconds_per_round=float(np.mean(trained)) if trained else None,
        ),
    )


def _pace(services: Services, project: Project) -> Pace:
    annotated = SqlTaskRecords(services.database, project.id).annotated()
    unseen = SqlSuggestionRecords(services.database, project.id).shown_nothing()
    return pace_of(annotated, unseen)


def _table(found: Sequence[Reach]) -> Table:
    """The report's table for a terminal."""
    told = savings_page.reach_table(found)
    table = Table(title=told.caption, box=SIMPLE, padding=(0, 1, 0, 0))
    for column in told.columns:
        right = column is not told.columns[0]
        table.add_column(column.heading, justify="right" if right else "left")
    for row in told.rows:
        cells = []
        for cell, column in zip(row, told.columns, strict=True):
            ends = bounds(cell, column)
            cells.append(shown(cell, replace(column, unit="")) + (f" ({ends})" if ends else ""))
        table.add_row(*cells)
    return table
