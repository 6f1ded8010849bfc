"""The durable memory of a project."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from backend.domain import (
    Annotation,
    Answer,
    Outcome,
    ReviewKind,
    RoundReport,
    Route,
    Sighting,
    SourceKind,
    Suggestion,
    Task,
)


class TaskRecords(Protocol):
    """The durable memory of a project's tasks and annotations, as the labelling tool told them.

    Every write is committed when the call returns. Nothing is read from the tool here.
    """

    def replace_tasks(self, tasks: Iterable[Task]) -> int:
        """Make the store equal to the tool's full list of tasks; returns how many were new."""

    def pool(self) -> list[Task]:
        """Tasks without a standing annotation, lowest confidence first, then in tool order."""

    def set_confidence(self, confidence: Mapping[str, float]) -> None:
        """Order the pool: confidence in [0, 1] by task id."""

    def set_routes(self, routes: Mapping[str, Route]) -> None:
        """Remember who is to label each of these tasks."""

    def routes(self) -> dict[str, Route]:
        """Who is to label each task of the pool that has a route."""

    def replace_annotations(
        self, annotations: Iterable[Annotation], as_of: datetime, task_ids: Iterable[str] | None
    ) -> int:
        """Make the store equal to what the tool held at ``as_of``; returns the rows changed.

        ``annotations`` are all that stand, of the tasks ``task_ids`` or (``None``) of the whole
        project. What was read from the tool later than ``as_of`` is left alone.
        """

    def labelled(self) -> list[tuple[Task, Annotation]]:
        """Each labelled task with its newest annotation that is not a skip, in tool order."""

    def annotated(self) -> list[tuple[Task, list[Annotation]]]:
        """Each task that anybody labelled or skipped, in tool order, with all its annotations.

        Oldest first, so the last that is not a skip is that of :meth:`labelled`.
        """


class SuggestionRecords(Protocol):
    """The durable memory of what was suggested in a project, by whom, and what the tool holds.

    Every write is committed when the call returns.
    """

    def keep_answer(self, answer: Answer) -> None:
        """Remember how an LLM answer ended, and its suggestion if there is one."""

    def keep(self, suggestions: Iterable[Suggestion]) -> None:
        """Remember what a source proposes for tasks, replacing its earlier proposals."""

    def by_source(
        self, kind: SourceKind, task_ids: Collection[str] | None = None
    ) -> dict[str, Suggestion]:
        """The last suggestion of that kind of source for each task (of these) it has one for."""

    def outcomes_by_task(self) -> dict[str, Outcome]:
        """How the LLM's last answer for each task ended that it was asked (or not) about."""

    def shown_nothing(self) -> set[str]:
        """Tasks of which the tool holds no suggestion, or an empty one that nobody made.

        What a label is worth depends on it: people lean towards what they are shown.
        """

    def version_for(self, suggestions: Sequence[Suggestion]) -> str:
        """The version string under which these suggestions have to be pushed.

        The serving version while no task that carries it would change; else a new one, durable at
        once, so that a push that was cut off goes on under the same version if it is the same push.
        """

    def mark_pushed(self, suggestions: Iterable[Suggestion], version: str) -> None:
        """The tool holds these suggestions under ``version``."""

    def serving_version(self) -> str | None:
        """The version the tool serves, ``None`` before the first."""

    def serve(self, version: str) -> None:
        """The tool serves ``version`` now."""


class RoundRecords(Protocol):
    """The durable memory of what each round measured."""

    def all(self) -> list[RoundReport]:
        """Every round, oldest first."""

    def keep(self, report: RoundReport) -> None:
        """Remember a round (again, if it was cut off)."""

    def spent_usd(self) -> Decimal:
        """Money spent or reserved for this project so far."""


class ReviewRecords(Protocol):
    """The durable memory of which tasks were sent to review, and which came back.

    Every write is committed when the call returns.
    """

    def all(self, kind: ReviewKind) -> dict[str, Sighting]:
        """What was last seen of each task that is in the queue or has been reviewed, by id."""

    def replace(self, kind: ReviewKind, sightings: Mapping[str, Sighting]) -> None:
        """Make the memory of that kind equal to these, all of them or none."""
