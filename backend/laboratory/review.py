"""Sending labelled tasks back to the tool for review, each until somebody has looked at it.

Whether somebody has is told by the tool's own clock: the labels of a task that was sent have
changed since. No tool tells that a label was looked at and left as it is, so people do: the first
so many of the queue are done. What was reviewed stays out until its labels change once more.
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


def send_to_review(  # noqa: PLR0913 - what is sent, from where, and how much of it
    work: Workspace,
    records: ReviewRecords,
    kind: ReviewKind,
    candidates: Sequence[ReviewItem],
    most: int,
    *,
    done: int = 0,
    progress: Progress = silent,
) -> Sent:
    """Put the first ``most`` candidates that nobody has looked at since into the tool's queue.

    Of the queue before, the first ``done`` have been looked at. The records have to be as new as
    the candidates. Can be cut off at any point and done again: what is remembered is written
    before the tool is told.
    """
    now = last_labelled(work.tasks.annotated())
    turn = next_turn(candidates, now, records.all(kind), most, done=done)
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
    *,
    done: int = 0,
) -> Turn:
    """Whom to send now, given what was seen when tasks were last sent.

    ``candidates``: most urgent first; one without a time in ``labelled_at`` has lost its labels
    meanwhile and is passed over. ``done``: how many places from the first have been looked at.
    """
    reviewed = {
        task_id: Sighting(labelled_at[task_id], reviewed=True)
        for task_id, seen in sightings.items()
        if task_id in labelled_at and _is_reviewed(seen, labelled_at[task_id], done)
    }
    labelled = [item for item in candidates if item.task_id in labelled_at]
    waiting = [item for item in labelled if item.task_id not in reviewed]
    queue = tuple(waiting[:most])
    sent = {
        item.task_id: Sighting(labelled_at[item.task_id], place)
        for place, item in enumerate(queue, start=1)
    }
    return Turn(queue, reviewed | sent, len(labelled) - len(waiting), len(waiting) - len(queue))


def _is_reviewed(seen: Sighting, labelled_at: datetime, done: int) -> bool:
    """Sent and touched since, or said to be done, or reviewed and not touched since."""
    if seen.reviewed:
        return labelled_at == seen.labelled_at
    return labelled_at != seen.labelled_at or 0 < seen.place <= done
