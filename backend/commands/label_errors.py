"""``harambee label-errors``: accepted labels that somebody should look at again."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.commands.projects import ProjectOption, known_project
from backend.commands.terminal import console, progress_bar, teaching
from backend.laboratory.label_errors import project_label_errors
from backend.operations import PROXY_FAMILY
from backend.quality.label_errors import Suspect
from backend.services import Services
from backend.store.tasks import SqlTaskRecords

app = typer.Typer()


@app.command("label-errors")
def label_errors(
    context: typer.Context,
    project: ProjectOption,
    most: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
) -> None:
    """List accepted labels that are probably wrong, the worst first, with their tasks."""
    with teaching():
        services = Services(context.obj)
        found = known_project(services, project)
        work = services.workspace(found)
        with progress_bar() as progress:
            suspects = project_label_errors(work, services.families[PROXY_FAMILY], progress)
        labelled = SqlTaskRecords(services.database, found.id).labelled()
        texts = {task.id: task.text for task, _ in labelled}
        console.print(f"{len(suspects)} of {len(texts)} labelled tasks hold a doubtful label.")
        address = f"{services.settings.label_studio.url.rstrip('/')}/projects/{project}/data"
        for suspect in suspects[:most]:
            line = f"{address}?task={suspect.task_id}  {reason(suspect, texts[suspect.task_id])}"
            console.print(line, markup=False, soft_wrap=True)


def reason(suspect: Suspect, text: str) -> str:
    """What is doubtful, in words."""
    return (
        f"{text[suspect.start : suspect.end]!r} is labelled {suspect.given or 'as nothing'}, "
        f"expected {suspect.expected or 'nothing'} (believed {suspect.score:.1%})"
    )
