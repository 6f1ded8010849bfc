"""``harambee label-errors``: accepted labels that somebody should look at again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from backend import loop
from backend.commands import review
from backend.commands.projects import ProjectOption, known_project
from backend.commands.review import DoneOption, SendOption
from backend.commands.terminal import console, progress_bar, teaching
from backend.domain import ReviewItem, ReviewKind, Task
from backend.laboratory.label_errors import project_label_errors
from backend.operations import PROXY_FAMILY
from backend.quality.audit import is_audited
from backend.quality.label_errors import Suspect
from backend.services import Services

app = typer.Typer()


@app.command("label-errors")
def label_errors(
    context: typer.Context,
    project: ProjectOption,
    most: Annotated[int, typer.Option(min=0, help="How many to list.")] = 20,
    send: SendOption = None,
    done: DoneOption = 0,
) -> None:
    """Find accepted labels that are probably wrong, the worst first, and have them reviewed."""
    with teaching():
        review.check(send, done)
        services = Services(context.obj)
        found = known_project(services, project)
        work = services.workspace(found)
        with progress_bar() as progress:
            if send is not None:
                loop.pull(work, progress)
            suspects = project_label_errors(work, services.families[PROXY_FAMILY], progress)
        tasks = {task.id: task for task, _ in work.tasks.labelled()}
        console.print(f"{len(suspects)} of {len(tasks)} labelled tasks hold a doubtful label.")
        for suspect in suspects[:most]:
            task = tasks[suspect.task_id]
            line = f"{work.tool.task_link(task)}  {reason(suspect, task.text)}"
            console.print(line, markup=False, soft_wrap=True)
        if send is not None:
            candidates = to_review(suspects, tasks, work.audit_share)
            review.send(services, found, ReviewKind.LABEL_ERRORS, candidates, send, done)


def to_review(
    suspects: Sequence[Suspect], tasks: Mapping[str, Task], audit_share: float
) -> list[ReviewItem]:
    """The suspects with their reasons, in order, without audited texts.

    The labels of those count as made without a hint, so they must not get one now.
    """
    return [
        ReviewItem(it.task_id, reason(it, tasks[it.task_id].text))
        for it in suspects
        if not is_audited(tasks[it.task_id].text, audit_share)
    ]


def reason(suspect: Suspect, text: str) -> str:
    """What is doubtful, in words."""
    return (
        f"{text[suspect.start : suspect.end]!r} is labelled {suspect.given or 'as nothing'}, "
        f"expected {suspect.expected or 'nothing'} (believed {suspect.score:.1%})"
    )
