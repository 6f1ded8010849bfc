"""The ``harambee-argilla`` command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from argilla_pipeline import transfer
from argilla_pipeline.convert import DISCARDED, DRAFT, SUBMITTED
from argilla_pipeline.kind import ARGILLA
from argilla_pipeline.operations import ArgillaOperations, Pulled
from backend import loop
from backend.commands.terminal import (
    ConfigOption,
    VersionOption,
    begin,
    console,
    progress_bar,
    teaching,
)
from backend.domain import RoundReport
from backend.operations import Operations, audit_and_keep
from backend.report import rounds_table, status_view
from backend.services import Services
from backend.status import project_status

app = typer.Typer(
    name="harambee-argilla",
    help="LLMs, annotators and a small tagger label low-resource text together, in Argilla.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(transfer.app)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context, config: ConfigOption = None, version: VersionOption = False
) -> None:
    """Read the settings, once, for every command."""
    begin(context, config, version=version)
    context.meta["config"] = config


def note(text: str) -> None:
    """Something that a person may want to do something about."""
    console.print(Text.assemble(("Note:", "yellow"), f" {text}"), soft_wrap=True)


def begin_here(link: str) -> None:
    """Where annotators begin: Argilla itself would show the texts in a random order."""
    console.print("Annotators begin here, with the least certain text:")
    console.print(Text(link), soft_wrap=True)


@app.command()
def setup(context: typer.Context) -> None:
    """Make the dataset with its labels, users and webhook, or make one that exists ready."""
    with teaching():
        _, done = ArgillaOperations(Services(context.obj)).set_up()
        for warning in done.warnings:
            note(warning)
        for name, password in done.passwords.items():
            console.print(f"New user {name}, password {password} (shown this once)", markup=False)
        what = "was made" if done.created else "is ready"
        labels = ", ".join(done.schema.scheme.labels)
        console.print(f"The dataset {done.title} {what}: {labels}.", markup=False)
        begin_here(done.link)


@app.command()
def push(context: typer.Context) -> None:
    """Have the LLM and the tagger suggest, and send what has changed."""
    with teaching():
        operations = ArgillaOperations(Services(context.obj))
        project = operations.project()
        with progress_bar() as progress:
            report = loop.begin(operations.services.workspace(project), progress)
        tell(report)
        console.print(f"{report.pushed} suggestions changed and were sent as {report.version}.")
        begin_here(operations.tool(project).link)


@app.command()
def pull(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option(help="Write every response with its provenance, as JSON lines.")
    ] = None,
) -> None:
    """Fetch what annotators submitted, discarded and drafted."""
    with teaching():
        operations = ArgillaOperations(Services(context.obj))
        project = operations.project()
        with progress_bar() as progress:
            pulled = operations.pull(project, progress)
        console.print(responses_table(pulled))
        if output is not None:
            with output.open("w", encoding="utf-8") as file:
                for row in operations.responses(project):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


@app.command("round")
def play_round(context: typer.Context) -> None:
    """Learn from the labels accepted so far, score the rest anew and send what has changed."""
    with teaching():
        operations = ArgillaOperations(Services(context.obj))
        project = operations.project()
        work = operations.services.workspace(project)
        with progress_bar() as progress:
            report = loop.play_round(work, progress)
            if operations.services.settings.audit.share:
                audit_and_keep(operations.services, project, progress=progress)
        tell(report)
        console.print(rounds_table(work.rounds.all()))
        console.print(f"{report.pushed} suggestions changed and were sent as {report.version}.")
        begin_here(operations.tool(project).link)


def tell(report: RoundReport) -> None:
    """Why something was not done, if it was not."""
    for problem in filter(None, (report.llm_problem, report.reason)):
        note(problem)


@app.command()
def watch(context: typer.Context) -> None:
    """Receive webhooks and do what they ask for, until Ctrl-C: serve and worker in one."""
    with teaching():
        services = Services(context.obj)
        services.check()
        ArgillaOperations(services).project()
        config: Path | None = context.meta["config"]
        chosen = [] if config is None else ["--config", str(config)]
        web = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "backend", *chosen, "serve"]
        )
        # A plain end, so that the web process is ended with this one.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            console.print(f"Listening for Argilla at {services.settings.public_url}. Ctrl-C ends.")
            Operations(services).run_worker()
        finally:
            web.terminate()
            web.wait()


@app.command()
def status(context: typer.Context) -> None:
    """Show where every dataset stands; Argilla itself is not asked."""
    with teaching():
        services = Services(context.obj)
        projects = [item for item in services.projects.all() if item.tool == ARGILLA]
        for project in projects:
            console.print(status_view(project_status(services, project)))
        if not projects:
            console.print("No dataset yet. Run: harambee-argilla setup")


@app.command()
def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option(help="End after the last round.")] = False,
    port: Annotated[int, typer.Option(help="harambee's port; 0 takes a free one.")] = 9090,
    argilla_port: Annotated[int, typer.Option(help="Argilla's port, or 0.")] = 6900,
) -> None:
    """Play two rounds on the sample corpus in a real Argilla."""
    from argilla_pipeline.demo import run_demo  # noqa: PLC0415 - brings its own servers

    with teaching():
        run_demo(context.obj, console, once=once, ports=(port, argilla_port))


def responses_table(pulled: Pulled) -> Table:
    """What each annotator did."""
    title = f"{pulled.labelled} of {pulled.tasks} records labelled"
    table = Table(title=title, box=SIMPLE)
    table.add_column("annotator")
    for status_name in (SUBMITTED, DISCARDED, DRAFT):
        table.add_column(status_name, justify="right")
    for annotator, counts in sorted(pulled.by_annotator.items()):
        row = [str(counts[name]) for name in (SUBMITTED, DISCARDED, DRAFT)]
        table.add_row(Text(annotator), *row)
    return table
