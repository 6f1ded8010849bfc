"""What every command shows in the same way: errors as sentences, progress as a bar."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from backend import __version__
from backend.errors import HarambeeError
from backend.logs import configure_logging
from backend.protocols import Progress as ProgressCallback
from backend.reports.page import Report, write_report
from backend.settings import load_settings

console = Console()
ConfigOption = Annotated[
    Path | None, typer.Option(help="Settings file (YAML); default: HARAMBEE_CONFIG.")
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder for report.json and report.html.", show_default=False)
]
VersionOption = Annotated[bool, typer.Option("--version", help="Say the version.")]


def begin(context: typer.Context, config: Path | None, *, version: bool) -> None:
    """Say the version and end, or read the settings, once, for every command of a program."""
    if version:
        console.print(f"harambee {__version__}")
        raise typer.Exit
    with teaching():
        settings = load_settings(config)
    configure_logging(settings.server.log_level)
    context.obj = settings


def command_line() -> str:
    """The command as it was given, for whoever wants to run it again."""
    return shlex.join(["harambee", *sys.argv[1:]])


def write(report: Report, folder: Path) -> None:
    """Write a report as JSON and as a page, and say where."""
    as_json, as_html = write_report(report, folder)
    console.print(f"Written to {as_html} and {as_json}.", markup=False, soft_wrap=True)


@contextmanager
def teaching() -> Iterator[None]:
    """Show our errors as a sentence, without a traceback."""
    try:
        yield
    except HarambeeError as error:
        message = Text.assemble(("Error:", "bold red"), f" {error}")
        Console(stderr=True).print(message, soft_wrap=True)
        raise typer.Exit(1) from error


@contextmanager
def progress_bar() -> Iterator[ProgressCallback]:
    """A bar that shows what is being done, how far it is and how long it took."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=not sys.stdout.isatty()) as bar:
        tasks: dict[str, object] = {}

        def report(done: int, total: int, what: str = "") -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield report
