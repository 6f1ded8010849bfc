"""From what people submitted to what a tagger may learn: one example per labelled task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain import Annotation, Example, LabelScheme, Span, Task
from backend.quality.crowd import Marked, aggregate, majority
from backend.text.spans import valid_spans

LATEST, MAJORITY, DAWID_SKENE = "latest", "majority", "dawid-skene"
LLM_VOTER = "LLM"

Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class CrowdRule:
    """What stands where several people labelled a task.

    ``aggregate``: ``latest`` takes the newest annotation, ``majority`` and ``dawid-skene``
    aggregate those of tasks with at least ``min_annotators`` people; of others the newest stands.
    ``llm``: spans by task id of an LLM that votes as one more annotator.
    """

    aggregate: str = LATEST
    min_annotators: int = 3
    llm: Mapping[str, Spans] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Annotations of one task, oldest first, with the spans that can be right."""

    task: Task
    notes: Sequence[Annotation]
    spans: Sequence[Spans]
    problems: Sequence[str]

    @property
    def marked(self) -> Marked:
        """Each annotator's newest spans."""
        names = [note.annotator for note in self.notes]
        return Marked(self.task.id, dict(zip(names, self.spans, strict=True)))

    @property
    def latest(self) -> Example:
        """The newest annotation as an example."""
        return Example(self.task.id, self.task.text, self.spans[-1])


def trusted(
    annotated: Sequence[tuple[Task, Sequence[Annotation]]], scheme: LabelScheme, rule: CrowdRule
) -> tuple[list[Example], list[str]]:
    """One example per labelled task, in order, and what had to be left out and why.

    ``annotated``: tasks with all their annotations, oldest first; skips take no part.
    Only annotations that an example rests on are complained about. Aggregated examples weigh as
    much as their decisions are sure.
    """
    readings = [it for task, notes in annotated if (it := read(task, notes, scheme)).notes]
    contested = [
        reading
        for reading in readings
        if rule.aggregate != LATEST and len(reading.marked.by_annotator) >= rule.min_annotators
    ]
    decided = _decided([with_llm(it.marked, rule.llm) for it in contested], scheme, rule.aggregate)
    examples, problems = [], []
    for reading in readings:
        agreed = decided.get(reading.task.id)
        if agreed is None:
            examples.append(reading.latest)
            problems += [it for it in reading.problems if f" {reading.notes[-1].id}: " in it]
        else:
            spans, weight = agreed
            examples.append(replace(reading.latest, spans=spans, weight=weight))
            problems += reading.problems
    return examples, problems


def read(task: Task, notes: Sequence[Annotation], scheme: LabelScheme) -> Reading:
    """Each annotator's newest annotation of a task, impossible spans left out."""
    found: list[Spans] = []
    problems: list[str] = []
    newest = {note.annotator: note for note in notes if not note.skipped}
    kept = [note for note in notes if newest.get(note.annotator) is note]
    for note in kept:
        spans, wrong = valid_spans(task.text, note.spans, scheme)
        found.append(tuple(spans))
        problems += [f"task {task.id}, annotation {note.id}: {item}" for item in wrong]
    return Reading(task, kept, found, problems)


def with_llm(marked: Marked, llm: Mapping[str, Spans] | None) -> Marked:
    """A text's annotations, those of the LLM among them where it has an answer."""
    if llm is None or marked.task_id not in llm:
        return marked
    return Marked(marked.task_id, {**marked.by_annotator, LLM_VOTER: llm[marked.task_id]})


def _decided(
    contested: Sequence[Marked], scheme: LabelScheme, how: str
) -> dict[str, tuple[Spans, float]]:
    """Spans and weight by task id."""
    if not contested:
        return {}
    if how == MAJORITY:
        return {marked.task_id: (majority(marked), 1.0) for marked in contested}
    crowd = aggregate(contested, scheme.labels)
    return {text.task_id: (text.spans, text.weight) for text in crowd.texts}
