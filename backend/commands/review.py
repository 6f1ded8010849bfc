"""What commands that send labelled tasks to review have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from backend.commands.terminal import console, progress_bar
from backend.domain import ReviewItem, ReviewKind
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


def send(
    services: Services,
    project: Project,
    kind: ReviewKind,
    candidates: Sequence[ReviewItem],
    most: int,
) -> None:
    """Put the first ``most`` of them into the tool, and say what waits there and where it is.

    What the store knows of the project's labels has to be as new as the candidates.
    """
    records = SqlReviewRecords(services.database, project.id)
    work = services.workspace(project)
    with progress_bar() as progress:
        sent = send_to_review(work, records, kind, candidates, most, progress)
    console.print(f"{standing(sent)} Reviewers begin here:", markup=False, soft_wrap=True)
    console.print(Text(sent.queue.link), soft_wrap=True)


def standing(sent: Sent) -> str:
    """What waits for review now, and what does not, in words."""
    queue = sent.queue
    parts = [f"{queue.tasks} tasks wait for review in the labelling tool"]
    if queue.left:
        parts.append(f"{queue.left} left the queue")
    if sent.reviewed:
        parts.append(f"{sent.reviewed} have been looked at since they were sent")
    if sent.later:
        parts.append(f"{sent.later} more can be sent when these are done")
    return f"{'; '.join(parts)}."
