"""The labelling tool that the team already uses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from backend.domain import Annotation, ReviewItem, ReviewKind, ReviewQueue, Suggestion, Task
from backend.protocols.progress import Progress, silent


class AnnotationTool(Protocol):
    """One project inside the labelling tool that the team already uses.

    Errors are :class:`~backend.errors.ToolError` and its children.
    """

    def tasks(self) -> Iterator[Task]:
        """Every task of the project, labelled or not, in the tool's own order."""

    def suggest(
        self, suggestions: Sequence[Suggestion], version: str, progress: Progress = silent
    ) -> int:
        """Put suggestions under ``version`` into the tool, in bulk; returns how many it stored.

        Idempotent: a task that already carries a suggestion of ``version`` keeps it, so that a
        push which was cut off can be repeated. A tool that keeps one suggestion a task may pass
        over what would change nothing. Raises when the tool stored fewer than were sent.
        """

    def accepted(self, task_ids: Collection[str] | None = None) -> Iterator[Annotation]:
        """Every annotation that annotators submitted and that still stands, skips included.

        Of the whole project, or of the tasks with these ids; an id that is gone has none.
        """

    def annotators(self) -> Mapping[str, str]:
        """What annotators are called, by the id that annotations carry; no two the same.

        As far as the tool tells whoever asks; somebody who is not there goes by the id.
        """

    def prioritise(self, version: str) -> None:
        """Make ``version`` the current one: the task with its lowest score is served first."""

    def task_link(self, task: Task) -> str:
        """Where a person opens this task in a browser; the tool is not asked."""

    def review(
        self, kind: ReviewKind, items: Sequence[ReviewItem], progress: Progress = silent
    ) -> ReviewQueue:
        """Make these tasks, in this order, the ones that reviewers are shown for this reason.

        What waited before and is not among them leaves the queue; without items it is emptied.
        Queues of different kinds do not touch each other. Labels, suggestions and the order of
        what is still to be labelled stay as they are. Idempotent, so that a sending which was cut
        off can be repeated; tasks that are gone are passed over.
        """
