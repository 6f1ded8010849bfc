"""``harambee crowd``: who labels how well, and which tasks somebody has to decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from backend import loop
from backend.commands import review
from backend.commands.crowd_page import SUSPECT, crowd_report, reasons, standing
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
from backend.errors import ToolError
from backend.laboratory.crowd import ProjectCrowd, project_crowd
from backend.protocols import AnnotationTool
from backend.quality.audit import is_audited
from backend.reports.page import Provenance
from backend.services import Services

app = typer.Typer()


@app.command("crowd")
def crowd(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    project: ProjectOption,
    llm: Annotated[bool, typer.Option(help="Judge the LLM as one more annotator.")] = False,
    contested: Annotated[int, typer.Option(min=0, help="Contested tasks to list.")] = 10,
    out: OutOption = None,
    send: SendOption = None,
    done: DoneOption = 0,
) -> None:
    """Compare annotators with each other, without gold, and have their disagreements decided."""
    with teaching():
        review.check(send, done)
        services = Services(context.obj)
        found = known_project(services, project)
        work = services.workspace(found)
        if send is not None:
            with progress_bar() as progress:
                loop.pull(work, progress)
        result = project_crowd(work, count_llm=llm, names=_names(work.tool))
        console.print(standing(result), markup=False, soft_wrap=True)
        console.print(_annotators(result))
        if result.agreement:
            console.print(_agreement(result))
        for agreed in result.queue[:contested]:
            task = result.texts[agreed.task_id]
            console.print(f"\n{work.tool.task_link(task)}", markup=False, soft_wrap=True)
            for line in reasons(result, agreed, task.text):
                console.print(f"  {line}", markup=False, soft_wrap=True)
        if out is not None:
            data = f"project {project}, {result.tasks} labelled tasks"
            made_by = Provenance(command_line(), data, model=", ".join(result.llm))
            write(crowd_report(result, work.tool.task_link, made_by), out)
        if send is not None:
            candidates = to_decide(result, result.texts, work.audit_share if llm else 0.0)
            review.send(services, found, ReviewKind.ADJUDICATION, candidates, send, done)


def _names(tool: AnnotationTool) -> Mapping[str, str]:
    """What annotators are called; nothing else here needs the tool, so it may be down."""
    try:
        return tool.annotators()
    except ToolError as error:
        console.print(f"Annotators go by their ids: {error}", markup=False, soft_wrap=True)
        return {}


def to_decide(
    result: ProjectCrowd, tasks: Mapping[str, Task], audit_share: float
) -> list[ReviewItem]:
    """The contested tasks with what is contested in each, in order, without audited texts.

    With the LLM as one more annotator the reason tells what it says, and of audited texts nobody
    may know that.
    """
    return [
        ReviewItem(it.task_id, "; ".join(reasons(result, it, tasks[it.task_id].text)))
        for it in result.queue
        if not is_audited(tasks[it.task_id].text, audit_share)
    ]


def _annotators(result: ProjectCrowd) -> Table:
    table = Table(title="Annotators", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("annotator")
    headings = ("tasks", "spans", "agreement", "quality", *result.crowd.labels, "seconds a task")
    for heading in headings:
        table.add_column(Text(heading), justify="right")
    table.add_column("")
    for one in result.annotators:
        quality = one.quality
        table.add_row(
            Text(one.name),
            str(one.texts),
            str(one.spans),
            _percent(one.agreement),
            "-"
            if quality is None
            else f"{_percent(quality.value)} ({100 * quality.low:.0f}-{100 * quality.high:.0f})",
            *(_percent(one.by_label.get(label)) for label in result.crowd.labels),
            f"{result.seconds[one.name]:.0f}" if one.name in result.seconds else "-",
            SUSPECT if one.spammer else "",
        )
    return table


def _agreement(result: ProjectCrowd) -> Table:
    table = Table(title="Agreement (strict span F1 in %)", box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("one", "other"):
        table.add_column(heading)
    table.add_column("F1", justify="right")
    for (one, other), scores in result.agreement.items():
        table.add_row(Text(one), Text(other), _percent(scores.f1))
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f}"
