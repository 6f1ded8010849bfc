"""Sending labelled tasks back to the tool for review, each until somebody has looked at it.

Whether somebody has is told by the tool's own clock: the labels of a task that was sent have
changed or have been submitted again since. Such a task stays out of the queue until its labels
change once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain import Annotation, ReviewItem, ReviewKind, ReviewQueue, Sighting, Task
from backend.protocols import Progress, ReviewRecords, silent
from backend.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Turn:
    """Who waits for review now, the most urgent first, and what is remembered of it.

    ``reviewed``: candidates that somebody has looked at since they were sent; ``later``: how many
    candidates are left for another turn.
    """

    queue: tuple[ReviewItem, ...]
    sightings: Mapping[str, Sighting]
    reviewed: int
    later: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sending came to: the queue in the tool, and the counts of its :class:`Turn`."""

    queue: ReviewQueue
    reviewed: int
    later: int


def send_to_review(  # noqa: PLR0913, PLR0917 - what is sent, from where, and how much of it
    work: Workspace,
    records: ReviewRecords,
    kind: ReviewKind,
    candidates: Sequence[ReviewItem],
    most: int,
    progress: Progress = silent,
) -> Sent:
    """Put the first ``most`` candidates that nobody has looked at since into the tool's queue.

    The records have to be as new as the candidates. Can be cut off at any point and done again:
    what is remembered is written before the tool is told.
    """
    now = last_labelled(work.tasks.annotated())
    turn = next_turn(candidates, now, records.all(kind), most)
    records.replace(kind, turn.sightings)
    queue = work.tool.review(kind, turn.queue, progress)
    return Sent(queue, turn.reviewed, turn.later)


def last_labelled(annotated: Iterable[tuple[Task, Sequence[Annotation]]]) -> dict[str, datetime]:
    """When the labels of each task last changed, by task id."""
    return {task.id: max(note.updated_at for note in notes) for task, notes in annotated}


def next_turn(
    candidates: Sequence[ReviewItem],
    labelled_at: Mapping[str, datetime],
    sightings: Mapping[str, Sighting],
    most: int,
) -> Turn:
    """Whom to send now, given what was seen when tasks were last sent.

    ``candidates``: most urgent first; one without a time in ``labelled_at`` has lost its labels
    meanwhile and is passed over.
    """
    done = {
        task_id: Sighting(labelled_at[task_id], reviewed=True)
        for task_id, seen in sightings.items()
        if task_id in labelled_at and _is_done(seen, labelled_at[task_id])
    }
    labelled = [item for item in candidates if item.task_id in labelled_at]
    waiting = [item for item in labelled if item.task_id not in done]
    queue = tuple(waiting[:most])
    sent = {item.task_id: Sighting(labelled_at[item.task_id]) for item in queue}
    return Turn(queue, done | sent, len(labelled) - len(waiting), len(waiting) - len(queue))


def _is_done(seen: Sighting, labelled_at: datetime) -> bool:
    """Sent and touched since, or reviewed and not touched since."""
    return seen.reviewed == (labelled_at == seen.labelled_at)
