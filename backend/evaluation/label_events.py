"""Labels over time, from a file or from a project's records.

A file has one JSON object a line::

    {"at": "2026-03-02T09:15:00Z", "text": "Amina went to Kano", "accepted": [[0, 5, "PER"]],
     "shown": [[0, 5, "PER"]], "annotator": "ada", "version": "v3", "task": "17",
     "confidence": 0.8}

Only ``at``, ``text`` and ``accepted`` are needed. ``hidden`` in place of ``shown`` holds a
suggestion that was kept back. Offsets are code points, end-exclusive.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.domain import Annotation, SourceKind, Span, Suggestion, Task
from backend.errors import CorpusError, InputError
from backend.quality.drift import LabelEvent
from backend.services import Services
from backend.store.projects import Project
from backend.store.suggestions import Pushed, SqlSuggestionRecords, suggestion_digest, version_name
from backend.store.tasks import SqlTaskRecords

_KINDS = (SourceKind.TAGGER, SourceKind.LLM)


def read_events(path: Path) -> list[LabelEvent]:
    """The labels in a file. Raises :class:`~backend.errors.InputError` with the line at fault."""
    try:
        # Only a line feed ends a line: texts may hold other signs that Python takes for an end.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
    events = [_event(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not events:
        raise InputError(f"There is no label in {path}. Give one JSON object a line.")
    return events


def _event(path: Path, number: int, line: str) -> LabelEvent:
    try:
        data = json.loads(line)
        at = datetime.fromisoformat(data["at"])
        text = data["text"]
        confidence = data.get("confidence")
        return LabelEvent(
            at=at if at.tzinfo else at.replace(tzinfo=UTC),
            task_id=str(data.get("task", f"line {number}")),
            text=text,
            accepted=_spans(data["accepted"], text),
            annotator=str(data.get("annotator", "")),
            version=str(data.get("version", "")),
            shown=None if data.get("shown") is None else _spans(data["shown"], text),
            hidden=None if data.get("hidden") is None else _spans(data["hidden"], text),
            confidence=None if confidence is None else float(confidence),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{path}, line {number} is not a label ({type(error).__name__}: {error}). It needs "
            '"at", "text" and "accepted": [[start, end, label], ...].'
        ) from error


def _spans(rows: Any, text: str) -> tuple[Span, ...]:
    spans = tuple(Span(int(start), int(end), str(label)) for start, end, label in rows)
    if any(not 0 <= span.start < span.end <= len(text) for span in spans):
        raise ValueError("a span lies outside the text")
    return spans


def events_of_project(services: Services, project: Project) -> list[LabelEvent]:
    """Every label of a project that stands in the tool, with what was suggested for it.

    A suggestion counts as shown only if it is the one that the tool held, which the digest of what
    was pushed proves; where the tool held none, what harambee knew is hidden. Raises
    :class:`~backend.errors.InputError` where nothing is labelled yet.
    """
    records = SqlSuggestionRecords(services.database, project.id)
    known = {kind: records.by_source(kind) for kind in _KINDS}
    pushed, hidden = records.pushed(), records.shown_nothing()
    events = []
    for task, notes in SqlTaskRecords(services.database, project.id).annotated():
        found = [known[kind][task.id] for kind in _KINDS if task.id in known[kind]]
        blind = task.id in hidden
        suggestion = next(iter(found), None) if blind else _shown(found, pushed.get(task.id))
        version = pushed[task.id].version if task.id in pushed else None
        events += list(_labels(task, notes, suggestion, version, blind=blind))
    if not events:
        raise InputError(
            f"Nothing is labelled in project {project.external_id} yet, so nothing can have "
            "changed. Label some tasks, or give a file: --events FILE.jsonl"
        )
    return events


def _labels(
    task: Task,
    notes: list[Annotation],
    suggestion: Suggestion | None,
    version: int | None,
    *,
    blind: bool,
) -> Iterator[LabelEvent]:
    spans = suggestion.spans if suggestion else None
    for note in notes:
        if not note.skipped:
            yield LabelEvent(
                at=note.updated_at,
                task_id=task.id,
                text=task.text,
                accepted=note.spans,
                annotator=note.annotator,
                version="" if version is None else version_name(version),
                shown=None if blind else spans,
                hidden=spans if blind else None,
                confidence=suggestion.confidence if suggestion else None,
            )


def _shown(known: list[Suggestion], pushed: Pushed | None) -> Suggestion | None:
    """The suggestion whose digest the tool's has; the order of the queue decides its confidence."""
    if pushed is None:
        return None
    stated = [each.confidence for each in known]
    for confidence in (*stated, *(hundredth / 100 for hundredth in range(101))):
        for each in known:
            if suggestion_digest(replace(each, confidence=confidence)) == pushed.digest:
                return each
    return None


def since(events: list[LabelEvent], begin: datetime | None) -> list[LabelEvent]:
    """The labels from a moment on. Raises :class:`~backend.errors.InputError` if none is."""
    if begin is None:
        return events
    moment = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    kept = [event for event in events if event.at >= moment]
    if not kept:
        raise InputError(f"There is no label since {begin:%Y-%m-%d}. Choose an earlier --since.")
    return kept
