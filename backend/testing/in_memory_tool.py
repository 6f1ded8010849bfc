"""A labelling tool in a few dictionaries: what the loop needs of one, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backend.domain import (
    Annotation,
    ReviewItem,
    ReviewKind,
    ReviewQueue,
    Span,
    Suggestion,
    Task,
)
from backend.errors import ToolRejectedError
from backend.protocols import Progress, silent

FIRST_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class InMemoryTool:
    """Implements :class:`~backend.protocols.AnnotationTool`, and remembers.

    Beside the tool's verbs it has what annotators do: :meth:`next_task`, :meth:`annotate`,
    :meth:`skip`, :meth:`correct` and :meth:`delete_annotation`. Its clock moves one second with
    each of their changes.
    """

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self.version: str | None = None
        self._tasks = {task.id: task for task in tasks}
        self._suggestions: dict[str, dict[str, Suggestion]] = {}
        self._annotations: dict[str, Annotation] = {}
        self._reviews: dict[ReviewKind, list[ReviewItem]] = {}
        self._moments = 0

    def tasks(self) -> Iterator[Task]:
        """Every task, in the order they were added."""
        yield from list(self._tasks.values())

    def suggest(
        self, suggestions: Sequence[Suggestion], version: str, progress: Progress = silent
    ) -> int:
        """Keep suggestions of tasks that carry none of ``version``; returns how many."""
        carried = self._suggestions.setdefault(version, {})
        before = len(carried)
        for done, suggestion in enumerate(suggestions, start=1):
            if suggestion.task_id in self._tasks:
                carried.setdefault(suggestion.task_id, suggestion)
            progress(done, len(suggestions), "predictions")
        return len(carried) - before

    def accepted(self, task_ids: Collection[str] | None = None) -> Iterator[Annotation]:
        """Every standing annotation (of these tasks), skips included, in the order of making."""
        for annotation in list(self._annotations.values()):
            if task_ids is None or annotation.task_id in task_ids:
                yield annotation

    def annotators(self) -> Mapping[str, str]:
        """Everybody whose annotation stands, by the name that they go by."""
        return {it.annotator: it.annotator for it in self._annotations.values()}

    def prioritise(self, version: str) -> None:
        """Let the scores of ``version`` order the queue."""
        self.version = version

    def task_link(self, task: Task) -> str:
        """An address that leads nowhere."""
        return f"memory:task/{task.id}"

    def review(
        self, kind: ReviewKind, items: Sequence[ReviewItem], progress: Progress = silent
    ) -> ReviewQueue:
        """Keep the items, in order, in place of those before."""
        before = {item.task_id for item in self._reviews.get(kind, ())}
        kept = [item for item in items if item.task_id in self._tasks]
        self._reviews[kind] = kept
        progress(len(kept), len(kept), "tasks to review")
        left = before - {item.task_id for item in kept}
        return ReviewQueue(f"memory:review/{kind.value}", len(kept), len(left))

    def to_review(self, kind: ReviewKind) -> list[ReviewItem]:
        """What reviewers are shown, in order."""
        return list(self._reviews.get(kind, ()))

    def add(self, task: Task) -> None:
        """Import a task; one with the same id is replaced."""
        self._tasks[task.id] = task

    def suggestions(self, version: str) -> dict[str, Suggestion]:
        """What is suggested under a version, by task id."""
        return dict(self._suggestions.get(version, {}))

    def next_task(self) -> Task | None:
        """The task without an annotation that has the lowest score in the current version.

        As in Label Studio, tasks without a suggestion of that version wait while any has one.
        """
        labelled = {annotation.task_id for annotation in self._annotations.values()}
        open_tasks = [task for task in self._tasks.values() if task.id not in labelled]
        scores = self._suggestions.get(self.version or "", {})
        scored = [task for task in open_tasks if task.id in scores]
        if scored:
            return min(scored, key=lambda task: scores[task.id].confidence)
        return open_tasks[0] if open_tasks else None

    def annotate(
        self, task_id: str, spans: Iterable[Span] = (), annotator: str = "1"
    ) -> Annotation:
        """Submit an annotation."""
        return self._submit(task_id, tuple(spans), annotator, skipped=False)

    def skip(self, task_id: str, annotator: str = "1") -> Annotation:
        """Submit a skip."""
        return self._submit(task_id, (), annotator, skipped=True)

    def correct(self, annotation_id: str, spans: Iterable[Span]) -> Annotation:
        """Replace the spans of an annotation."""
        corrected = replace(
            self._existing(annotation_id), spans=tuple(sorted(spans)), updated_at=self._tick()
        )
        self._annotations[annotation_id] = corrected
        return corrected

    def delete_annotation(self, annotation_id: str) -> None:
        """Take an annotation away."""
        del self._annotations[self._existing(annotation_id).id]

    def _existing(self, annotation_id: str) -> Annotation:
        try:
            return self._annotations[annotation_id]
        except KeyError:
            raise ToolRejectedError(f"There is no annotation {annotation_id}.") from None

    def _tick(self) -> datetime:
        self._moments += 1
        return FIRST_MOMENT + timedelta(seconds=self._moments)

    def _submit(
        self, task_id: str, spans: tuple[Span, ...], annotator: str, *, skipped: bool
    ) -> Annotation:
        if task_id not in self._tasks:
            raise ToolRejectedError(f"There is no task {task_id}.")
        updated_at = self._tick()
        annotation = Annotation(
            id=str(self._moments),
            task_id=task_id,
            spans=tuple(sorted(spans)),
            annotator=annotator,
            updated_at=updated_at,
            skipped=skipped,
        )
        self._annotations[annotation.id] = annotation
        return annotation
