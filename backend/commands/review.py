"""What commands that send labelled tasks to review have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from backend.commands.terminal import console, progress_bar
from backend.domain import ReviewItem, ReviewKind
from backend.errors import InputError
from backend.laboratory.review import Sent, send_to_review
from backend.services import Services
from backend.store.projects import Project
from backend.store.reviews import SqlReviewRecords

SendOption = Annotated[
    int | None,
    typer.Option(
        "--send",
        min=0,
        help="Put so many into the labelling tool, as a queue for reviewers; 0 empties it.",
        show_default=False,
    ),
]
DoneOption = Annotated[
    int,
    typer.Option(
        "--done",
        min=0,
        help="With --send: the first so many of the queue were looked at; their labels stand.",
        show_default=False,
    ),
]


def check(send: int | None, done: int) -> None:
    """Refuse to take tasks out of a queue that is not made anew."""
    if done and send is None:
        raise InputError(
            "--done takes tasks out of the queue, which --send makes anew. Give both, for example "
            f"--done {done} --send 100."
        )


def send(  # noqa: PLR0913, PLR0917 - what is sent, from where, and how much of it
    services: Services,
    project: Project,
    kind: ReviewKind,
    candidates: Sequence[ReviewItem],
    most: int,
    done: int,
) -> None:
    """Put the first ``most`` of them into the tool, and say what waits there and where it is.

    ``done``: how many of the queue before have been looked at, from the first.
    What the store knows of the project's labels has to be as new as the candidates.
    """
    records = SqlReviewRecords(services.database, project.id)
    work = services.workspace(project)
    with progress_bar() as progress:
        sent = send_to_review(work, records, kind, candidates, most, done=done, progress=progress)
    console.print(f"{standing(sent)} Reviewers begin here:", markup=False, soft_wrap=True)
    console.print(Text(sent.queue.link), soft_wrap=True)


def standing(sent: Sent) -> str:
    """What waits for review now, and what does not, in words."""
    queue = sent.queue
    waits = "1 task waits" if queue.tasks == 1 else f"{queue.tasks} tasks wait"
    parts = [f"{waits} for review in the labelling tool"]
    if queue.left:
        parts.append(f"{queue.left} left the queue")
    if sent.reviewed:
        parts.append(f"{sent.reviewed} looked at since {_sent(sent.reviewed)}")
    if sent.later:
        parts.append(f"{sent.later} more to be sent when these are done")
    return f"{'; '.join(parts)}."


def _sent(count: int) -> str:
    return "it was sent" if count == 1 else "they were sent"
