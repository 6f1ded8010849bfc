"""``harambee label-errors``: accepted labels that somebody should look at again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from backend import loop
from backend.commands import review
from backend.commands.projects import ProjectOption, known_project
from backend.commands.review import DoneOption, SendOption
from backend.commands.terminal import (
    OutOption,
    command_line,
    console,
    progress_bar,
    teaching,
    write,
)
from backend.domain import ReviewItem, ReviewKind, Task
from backend.laboratory.label_errors import project_label_errors
from backend.operations import PROXY_FAMILY
from backend.quality.audit import is_audited
from backend.quality.label_errors import Suspect
from backend.reports.page import Cell, Column, Provenance, Report, Section, Table, Text
from backend.services import Services

app = typer.Typer()

NOTHING = "nothing"


@app.command("label-errors")
def label_errors(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    project: ProjectOption,
    most: Annotated[int, typer.Option(min=0, help="How many to list.")] = 20,
    out: OutOption = None,
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
            found_wrong = project_label_errors(work, services.families[PROXY_FAMILY], progress)
        tasks = {task.id: task for task, _ in work.tasks.labelled()}
        # Training takes a while, and people take labels back meanwhile.
        suspects = [suspect for suspect in found_wrong if suspect.task_id in tasks]
        console.print(standing(suspects, tasks))
        for suspect in suspects[:most]:
            task = tasks[suspect.task_id]
            line = f"{work.tool.task_link(task)}  {reason(suspect, task.text)}"
            console.print(line, markup=False, soft_wrap=True)
        if out is not None:
            data = f"project {project}, {len(tasks)} labelled tasks"
            made_by = Provenance(
                command_line(), data, work.learning.seed, model=f"{PROXY_FAMILY}, cross-validated"
            )
            write(report(suspects, tasks, work.tool.task_link, made_by), out)
        if send is not None:
            candidates = to_review(suspects, tasks, work.audit_share)
            review.send(services, found, ReviewKind.LABEL_ERRORS, candidates, send, done)


def standing(suspects: Sequence[Suspect], tasks: Mapping[str, Task]) -> str:
    """How many there are, in words."""
    return f"{len(suspects)} of {len(tasks)} labelled tasks hold a doubtful label."


def report(
    suspects: Sequence[Suspect],
    tasks: Mapping[str, Task],
    link: Callable[[Task], str],
    provenance: Provenance,
) -> Report:
    """All of them as a page, the worst first. ``link``: where a person opens a task."""
    columns = [
        Column("place"),
        Column("words"),
        Column("labelled"),
        Column("expected"),
        Column("believed", percent=True),
        Column("text", words=True),
        Column("where it is", words=True),
    ]
    rows: list[Sequence[Cell]] = []
    for place, it in enumerate(suspects, start=1):
        task = tasks[it.task_id]
        mention = task.text[it.start : it.end]
        given, expected = it.given or NOTHING, it.expected or NOTHING
        rows.append([place, mention, given, expected, it.score, task.text, link(task)])
    words = Text(
        "A tagger that has not learnt from a text says how believable its labels are; its least "
        "believable word stands here. This is a list for eyes, not a verdict. harambee "
        "label-errors --send 100 puts its head in front of reviewers."
    )
    caption = "Doubtful labels; how far they are believed in %"
    return Report(
        title="Which labels look wrong?",
        lead=[standing(suspects, tasks)],
        sections=[Section("The worst first", [words, Table(caption, columns, rows)])],
        provenance=provenance,
        results={"labelled": len(tasks), "suspects": suspects},
    )


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
