"""``harambee crowd``: who labels how well, and which tasks somebody has to decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from backend import loop
from backend.commands import review
from backend.commands.projects import ProjectOption, known_project
from backend.commands.review import DoneOption, SendOption
from backend.commands.terminal import console, progress_bar, teaching
from backend.domain import ReviewItem, ReviewKind, Task
from backend.laboratory.crowd import ProjectCrowd, project_crowd
from backend.quality.audit import is_audited
from backend.quality.crowd import NOTHING, Agreed, Candidate
from backend.services import Services

app = typer.Typer()


@app.command("crowd")
def crowd(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    project: ProjectOption,
    llm: Annotated[bool, typer.Option(help="Judge the LLM as one more annotator.")] = False,
    contested: Annotated[int, typer.Option(min=0, help="Contested tasks to list.")] = 10,
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
        result = project_crowd(work, count_llm=llm)
        console.print(standing(result), markup=False, soft_wrap=True)
        console.print(_annotators(result))
        if result.agreement:
            console.print(_agreement(result))
        tasks = {task.id: task for task, _ in work.tasks.annotated()}
        for agreed in result.queue[:contested]:
            task = tasks[agreed.task_id]
            console.print(f"\n{work.tool.task_link(task)}", markup=False, soft_wrap=True)
            for line in reasons(result, agreed, task.text):
                console.print(f"  {line}", markup=False, soft_wrap=True)
        if send is not None:
            candidates = to_decide(result, tasks, work.audit_share if llm else 0.0)
            review.send(services, found, ReviewKind.ADJUDICATION, candidates, send, done)


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


def standing(result: ProjectCrowd) -> str:
    """How much there is to compare, in words."""
    words = f"{result.tasks} tasks are labelled, {result.shared} of them by several people"
    if not result.shared:
        return f"{words}: annotators cannot be compared."
    return f"{words}; on {len(result.queue)} they disagree."


def reasons(result: ProjectCrowd, agreed: Agreed, text: str) -> Iterator[str]:
    """What is contested in a task: each such place, who says what, and what is believed."""
    for candidate in agreed.candidates:
        if len(set(candidate.votes.values())) > 1:
            mention = " ".join(text[candidate.start : candidate.end].split())
            yield f"{mention!r}: {_votes(result, candidate)}; {_belief(result, candidate)}"


def _label(result: ProjectCrowd, number: int) -> str:
    return "nothing" if number == NOTHING else result.crowd.labels[number - 1]


def _votes(result: ProjectCrowd, candidate: Candidate) -> str:
    return ", ".join(f"{name} {_label(result, said)}" for name, said in candidate.votes.items())


def _belief(result: ProjectCrowd, candidate: Candidate) -> str:
    best = int(candidate.probabilities.argmax())
    return f"probably {_label(result, best)} ({candidate.probabilities[best]:.0%})"


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
            "suspect" if one.spammer else "",
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
