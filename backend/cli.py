"""The ``harambee`` command."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from backend import loop
from backend.commands import (
    annotate,
    audit,
    cost,
    crowd,
    data,
    drift,
    evaluate,
    fairness,
    label_errors,
    leakage,
    llm,
    prompt,
    recordings,
    sample,
    simulate,
)
from backend.commands.projects import ProjectOption, known_project
from backend.commands.terminal import (
    ConfigOption,
    VersionOption,
    begin,
    console,
    progress_bar,
    teaching,
)
from backend.domain import JobKind, SourceKind
from backend.errors import InputError
from backend.label_studio.connection import disconnect as disconnect_backend
from backend.operations import Operations, audit_and_keep
from backend.report import rounds_table, status_view, suggestions_table
from backend.services import Services
from backend.settings import Settings
from backend.status import project_status
from backend.store.suggestions import SqlSuggestionRecords

app = typer.Typer(
    name="harambee",
    help="LLMs, annotators and a small tagger label low-resource text together.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
label_studio = typer.Typer(help="Set up and leave projects of Label Studio.", no_args_is_help=True)
app.add_typer(label_studio, name="label-studio")
llm.app.add_typer(recordings.app)
app.add_typer(llm.app, name="llm")
app.add_typer(cost.app, name="cost")
app.add_typer(prompt.app, name="prompt")
app.add_typer(evaluate.app)
app.add_typer(leakage.app)
app.add_typer(sample.app)
app.add_typer(data.app, name="data")
app.add_typer(annotate.app)
app.add_typer(audit.app)
app.add_typer(crowd.app)
app.add_typer(drift.app)
app.add_typer(fairness.app)
app.add_typer(label_errors.app)
app.add_typer(simulate.app)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context, config: ConfigOption = None, version: VersionOption = False
) -> None:
    """Read the settings, once, for every command."""
    begin(context, config, version=version)


@app.command()
def serve(context: typer.Context) -> None:
    """Serve Label Studio's ML backend calls and webhooks."""
    from backend.server import Server  # noqa: PLC0415 - only this command needs a server

    with teaching():
        settings: Settings = context.obj
        services = Services(settings)
        services.check()
        services.database.close()
        Server(settings).run()


@app.command()
def worker(context: typer.Context) -> None:
    """Do the slow work: fetch labels, train, push suggestions."""
    with teaching():
        services = Services(context.obj)
        services.check()
        Operations(services).run_worker()


@app.command()
def status(context: typer.Context) -> None:
    """Show where every project stands."""
    with teaching():
        services = Services(context.obj)
        projects = services.projects.all()
        for project in projects:
            console.print(status_view(project_status(services, project)))
        if not projects:
            console.print(
                "No project yet. Run: harambee label-studio connect --project ID, or "
                "harambee-argilla setup"
            )


@app.command()
def learn(
    context: typer.Context,
    project: ProjectOption,
    later: Annotated[bool, typer.Option(help="Leave it to the worker.")] = False,
) -> None:
    """Train on the accepted labels and push better suggestions."""
    with teaching():
        services = Services(context.obj)
        found = known_project(services, project)
        if later:
            Operations(services).queue.enqueue(JobKind.LEARN, found.id)
            console.print("The worker has been told.")
            return
        with progress_bar() as progress:
            report = loop.play_round(services.workspace(found), progress)
            if services.settings.audit.share:
                audit_and_keep(services, found, progress=progress)
        console.print(rounds_table([report]))


@app.command()
def suggestions(
    context: typer.Context,
    project: ProjectOption,
    task: Annotated[str, typer.Option("--task", help="The labelling tool's task id.")],
) -> None:
    """Show what each source suggests for a task, the one that is not shown included."""
    with teaching():
        services = Services(context.obj)
        records = SqlSuggestionRecords(services.database, known_project(services, project).id)
        kinds = (SourceKind.LLM, SourceKind.TAGGER)
        found = [records.by_source(kind, [task]).get(task) for kind in kinds]
        console.print(suggestions_table([item for item in found if item]))


@app.command()
def rollback(context: typer.Context, project: ProjectOption) -> None:
    """Let the tagger that served before serve again."""
    with teaching():
        services = Services(context.obj)
        found = known_project(services, project)
        number = services.shelf(found.id).rollback()
        console.print(f"Model version {number} serves. Run {services.push_command(found)} to push.")


@label_studio.command("connect")
def connect(context: typer.Context, project: ProjectOption) -> None:
    """Set a project up in Label Studio and give every task a first suggestion."""
    with teaching():
        operations = Operations(Services(context.obj))
        with progress_bar() as progress:
            connected = operations.connect(str(project), progress)
        problem = connected.report.llm_problem
        for warning in (*connected.connection.warnings, *([problem] if problem else [])):
            console.print(Text.assemble(("Note:", "yellow"), f" {warning}"), soft_wrap=True)
        console.print(
            f"Project {project} is connected: {connected.report.pushed} suggestions pushed as "
            f"{connected.report.version}, least certain task first."
        )


@label_studio.command("disconnect")
def disconnect(context: typer.Context, project: ProjectOption) -> None:
    """Remove this backend and its webhook from a project; labels and predictions stay."""
    with teaching():
        services = Services(context.obj)
        disconnect_backend(services.label_studio, project, services.settings.public_url)
        console.print(f"Project {project} is disconnected.")


@app.command()
def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option(help="End after the last round.")] = False,
    tool: Annotated[str, typer.Option(help="The labelling tool.")] = "label-studio",
    port: Annotated[int, typer.Option(help="harambee's port; 0 takes a free one.")] = 9090,
    label_studio_port: Annotated[int, typer.Option(help="Label Studio's port, or 0.")] = 8080,
) -> None:
    """Play two rounds on the sample corpus in a real Label Studio."""
    from backend.demo.stage import run_demo  # noqa: PLC0415 - brings its own servers

    with teaching():
        if tool != "label-studio":
            raise InputError(
                f"This demo knows the tool label-studio, not {tool!r}. The one in Argilla is "
                "harambee-argilla demo."
            )
        run_demo(context.obj, console, once=once, ports=(port, label_studio_port))
