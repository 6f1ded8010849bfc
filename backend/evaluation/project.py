"""The annotators of a project: its tagger, its LLM and its people, over labels that are gold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from backend.domain import Annotation, Example, SourceKind, Task
from backend.errors import InputError
from backend.evaluation.cells import Cell, Judged, single
from backend.evaluation.gold import judged, people, tagged
from backend.protocols import Progress, silent
from backend.quality.holdout import is_held_out
from backend.services import Services
from backend.store.projects import Project
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.text.spans import valid_spans

NO_LANGUAGE = "all"
"""What the texts of a project are called that names no language."""


def held_out_gold(services: Services, project: Project) -> dict[str, list[Judged]]:
    """Accepted labels that nothing was learnt from and that no LLM was shown, by language.

    Without those that cannot be right. Raises :class:`~backend.errors.InputError` where there are
    none yet.
    """
    scheme = services.scheme(project)
    share = services.settings.learning.held_out_share
    found: dict[str, list[Judged]] = {}
    for task, annotation in SqlTaskRecords(services.database, project.id).labelled():
        spans, problems = valid_spans(task.text, annotation.spans, scheme)
        if is_held_out(task.text, share) and not problems:
            gold = judged([Example(task.id, task.text, spans)])
            found.setdefault(task.language or NO_LANGUAGE, []).extend(gold)
    if not found:
        raise InputError(
            f"Project {project.external_id} has no accepted labels that are held out to measure "
            "on. Label more tasks, or give gold labels: --gold FILE.conll"
        )
    return found


def project_cells(
    services: Services,
    project: Project,
    texts: Mapping[str, Sequence[Judged]],
    progress: Progress = silent,
) -> Iterator[Cell]:
    """The serving tagger, what the LLM has suggested, and each person who labelled these texts."""
    serving = services.shelf(project.id).serving()
    if serving is not None:
        number, tagger = serving
        yield from tagged(f"tagger {number} ({tagger.kind})", tagger, texts, progress)
    tasks = SqlTaskRecords(services.database, project.id).annotated()
    yield from _suggested(services, project, tasks, texts)
    yield from people([(task, each) for task, every in tasks for each in every], texts)


def _suggested(
    services: Services,
    project: Project,
    tasks: Sequence[tuple[Task, Sequence[Annotation]]],
    texts: Mapping[str, Sequence[Judged]],
) -> Iterator[Cell]:
    """One cell for each model and prompt that has suggested something for these texts."""
    records = SqlSuggestionRecords(services.database, project.id)
    suggestions = records.by_source(SourceKind.LLM)
    by_text = {task.text: suggestions[task.id] for task, _ in tasks if task.id in suggestions}
    for language, group in texts.items():
        found = {text.id: by_text[text.text] for text in group if text.text in by_text}
        for source in sorted({it.source for it in found.values()}, key=str):
            pairs = [
                (text, frozenset(found[text.id].spans))
                for text in group
                if text.id in found and found[text.id].source == source
            ]
            cell = single(f"{source.model} ({source.prompt_version})", language, pairs)
            yield replace(cell, prompt_version=source.prompt_version or "")
