"""``harambee-argilla import``, ``export`` and ``migrate``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.convert import hides_letters
from argilla_pipeline.formats import (
    FileKind,
    Labelled,
    kind_of_file,
    labelled_of,
    read_file,
    write_file,
)
from argilla_pipeline.importing import NewRecord, add_records, new_record
from argilla_pipeline.migration import Migration, Target
from argilla_pipeline.operations import ArgillaOperations
from argilla_pipeline.schema import Schema
from argilla_pipeline.tool import ArgillaTool
from backend.commands.terminal import console, progress_bar, teaching
from backend.domain import Annotation
from backend.errors import InputError
from backend.services import Services
from backend.text.spans import valid_spans

app = typer.Typer()

FormatOption = Annotated[
    FileKind | None, typer.Option("--format", help="Default: what the file's name says.")
]


@app.command("import")
def import_file(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A file, or a folder of Hugging Face datasets.")],
    file_format: FormatOption = None,
    language: Annotated[str | None, typer.Option(help="The texts' language.")] = None,
    with_labels: Annotated[
        bool, typer.Option(help="Take the file's labels as submitted by you.")
    ] = False,
) -> None:
    """Add texts to the dataset, each once however often it is imported."""
    with teaching():
        operations = ArgillaOperations(Services(context.obj))
        project = operations.project()
        tool = operations.tool(project)
        items = read_file(path, file_format or kind_of_file(path), tool.schema.scheme, language)
        me = str(operations.client.me()["id"]) if with_labels else None
        left_out: list[str] = []
        unreadable: list[str] = []
        new = to_records(noted(items, unreadable), tool.schema, me, left_out)
        with progress_bar() as progress:
            dataset = project.external_id
            added = add_records(operations.client, dataset, tool.schema, new, progress)
            count = sum(1 for _ in added)
        console.print(f"{count} texts are in the dataset.")
        if left_out:
            console.print(f"{len(left_out)} spans were left out; the first: {left_out[0]}")
        if unreadable:
            console.print(
                f"{len(unreadable)} texts hold letters that Argilla's page counts wrongly; it "
                "shows a placeholder for each, and annotators cannot read them. Label these in "
                f"Label Studio. The first: {unreadable[0]}"
            )


def noted(items: Iterable[Labelled], unreadable: list[str]) -> Iterator[Labelled]:
    """The same texts; ids of those that annotators could not read are noted."""
    for item in items:
        if hides_letters(item.text):
            unreadable.append(item.id)
        yield item


def to_records(
    items: Iterable[Labelled], schema: Schema, user: str | None, left_out: list[str]
) -> Iterator[NewRecord]:
    """Texts as new records; spans that Argilla would refuse are left out."""
    for item in items:
        accepted = None
        if user is not None and item.spans is not None:
            spans, wrong = valid_spans(item.text, item.spans, schema.scheme)
            left_out += [f"{item.id}: {reason}" for reason in wrong]
            accepted = (user, spans)
        yield new_record(item.id, item.text, item.language, accepted)


@app.command("export")
def export_file(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Where to write to.")],
    file_format: FormatOption = None,
) -> None:
    """Write the texts with their labels; Label Studio's format keeps each annotator's apart."""
    with teaching():
        operations = ArgillaOperations(Services(context.obj))
        tool = operations.tool(operations.project())
        kind = file_format or kind_of_file(path)
        count = write_file(path, kind, labelled(tool, operations.names()), tool.schema.scheme)
        console.print(f"{count} texts were written to {path}.", soft_wrap=True)


def labelled(tool: ArgillaTool, names: dict[str, str]) -> Iterator[Labelled]:
    """Every text with the annotations that stand."""
    by_task: dict[str, list[Annotation]] = defaultdict(list)
    for made in tool.accepted():
        annotator = names.get(made.annotator, made.annotator)
        by_task[made.task_id].append(replace(made, annotator=annotator))
    for task in tool.tasks():
        yield labelled_of(task, by_task.get(task.id, ()))


@app.command()
def migrate(  # noqa: PLR0913, PLR0917 - each option of a command line is an argument
    context: typer.Context,
    to: Annotated[str, typer.Option(help="The new dataset's name.")],
    workspace: Annotated[str | None, typer.Option(help="Its workspace, if another.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option(help="OLD=NEW renames a label; may be repeated.")
    ] = None,
    to_url: Annotated[str | None, typer.Option(help="Another Argilla's address.")] = None,
    to_key: Annotated[
        str | None, typer.Option(help="An owner's key there.", envvar="HARAMBEE_TO_KEY")
    ] = None,
) -> None:
    """Carry the dataset over into a new one, with the settings' labels if they name any."""
    with teaching():
        services = Services(context.obj)
        operations = ArgillaOperations(services)
        project = operations.project()
        chosen = services.settings.argilla
        if (to_url is None) != (to_key is None):
            raise InputError("Another Argilla needs both, --to-url and --to-key.")
        client = operations.client
        if to_url is not None and to_key is not None:
            client = ArgillaClient(to_url, to_key, chosen.timeout_seconds)
        named = chosen.labels if "labels" in chosen.model_fields_set else {}
        target = Target(
            client,
            workspace or chosen.workspace,
            to,
            tuple(named),
            {label: text for label, text in named.items() if text},
            dict(pairs(rename or [])),
        )
        with progress_bar() as progress:
            migration = Migration(operations.client, chosen, project.external_id, target)
            done = migration.run(progress)
        console.print(
            f"{done.records} records, {done.responses} responses and {done.suggestions} "
            f"suggestions are in {to}.",
            markup=False,
        )
        for name, password in done.passwords.items():
            console.print(f"New user {name}, password {password} (shown this once)", markup=False)
        for label, count in done.lost_spans.items():
            console.print(f"{count} spans of {label}, which is gone, are not in it.", markup=False)
        if done.uncertain:
            console.print(
                f"{done.uncertain} responses are to texts with emoji that were not imported by "
                "harambee: look at their spans, Argilla's page may have shifted them."
            )
        for warning in done.warnings:
            console.print(warning, markup=False)
        console.print(f"Set argilla.dataset to {to} and run: harambee-argilla setup", markup=False)


def pairs(renames: list[str]) -> Iterator[tuple[str, str]]:
    """``OLD=NEW`` in two."""
    for item in renames:
        old, sign, new = item.partition("=")
        if not (sign and old and new):
            raise InputError(f"--rename takes OLD=NEW, not {item!r}.")
        yield old, new
