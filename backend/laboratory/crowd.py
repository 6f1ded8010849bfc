"""The crowd of a project: who labelled, how well, and which tasks to look at again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from backend.domain import Annotation, SourceKind, SpanScores, Task
from backend.errors import InputError
from backend.quality.crowd import Agreed, Crowd, aggregate
from backend.quality.crowd_report import (
    AnnotatorQuality,
    adjudication_queue,
    annotator_qualities,
    pairwise_agreement,
)
from backend.quality.trusted import Reading, read, with_llm
from backend.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ProjectCrowd:
    """What a project's annotations say of its annotators.

    ``seconds``: median lead time of each annotator, where the tool tells; ``queue``: contested
    tasks, the most contested first; ``shared``: tasks that several people labelled; ``texts``: the
    labelled tasks by id; ``llm``: the models that were judged as one more annotator.
    """

    tasks: int
    shared: int
    crowd: Crowd
    annotators: tuple[AnnotatorQuality, ...]
    agreement: Mapping[tuple[str, str], SpanScores]
    seconds: Mapping[str, float]
    queue: tuple[Agreed, ...]
    texts: Mapping[str, Task] = field(default_factory=dict)
    llm: tuple[str, ...] = ()


def project_crowd(
    work: Workspace, *, count_llm: bool = False, names: Mapping[str, str] | None = None
) -> ProjectCrowd:
    """Judge everybody who labelled, with the LLM as one more annotator if asked for.

    ``names``: what annotators are called, by id; others go by their ids.

    Raises :class:`~backend.errors.InputError` for a project without a label.
    """
    readings = [
        read(task, [_named(note, names or {}) for note in notes], work.scheme)
        for task, notes in work.tasks.annotated()
    ]
    texts = [reading.marked for reading in readings if reading.notes]
    if not texts:
        raise InputError("No task of this project is labelled yet, so there is nobody to judge.")
    shared = sum(len(text.by_annotator) > 1 for text in texts)
    models: set[str] = set()
    if count_llm:
        answers = work.suggestions.by_source(SourceKind.LLM)
        models = {it.source.model for it in answers.values()}
        llm = {task_id: answer.spans for task_id, answer in answers.items()}
        texts = [with_llm(text, llm) for text in texts]
    crowd = aggregate(texts, work.scheme.labels)
    return ProjectCrowd(
        tasks=len(texts),
        shared=shared,
        crowd=crowd,
        annotators=tuple(annotator_qualities(crowd, texts)),
        agreement=pairwise_agreement(texts),
        seconds=_usual_seconds(readings),
        queue=tuple(adjudication_queue(crowd)),
        texts={reading.task.id: reading.task for reading in readings if reading.notes},
        llm=tuple(sorted(models)),
    )


def _named(note: Annotation, names: Mapping[str, str]) -> Annotation:
    return replace(note, annotator=names.get(note.annotator, note.annotator))


def _usual_seconds(readings: Sequence[Reading]) -> dict[str, float]:
    """Median lead time by annotator."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for reading in readings:
        for note in reading.notes:
            if note.lead_time is not None:
                seconds[note.annotator].append(note.lead_time)
    return {name: median(times) for name, times in seconds.items()}
