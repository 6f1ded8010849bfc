"""What slices and name swaps are measured on: files of texts with metadata, or a project.

A JSON Lines file has one object a line: ``text``, ``spans`` (``[start, end, label]`` or objects
with these names) and ``meta``, an object of words. CoNLL files have no metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import Example, LabelScheme, SourceKind, Span
from backend.errors import CorpusError, InputError
from backend.evaluation.gold import CONLL
from backend.protocols import Progress, TaggerFamily, silent
from backend.quality.holdout import is_held_out
from backend.quality.name_swaps import (
    Groups,
    NameRecall,
    compare_groups,
    variants,
)
from backend.quality.slices import Case
from backend.services import Services
from backend.store.projects import Project
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.text.conll import read_conll, to_text
from backend.text.spans import valid_spans

Spans = tuple[Span, ...]
Finder = Callable[[Sequence[str]], Sequence[Spans]]
"""Gives the spans of texts."""

LANGUAGE = "language"


def read_texts(path: Path) -> list[Case]:
    """Texts with spans and metadata, nothing given yet. Errors name the line."""
    if path.name.removesuffix(".gz").endswith(CONLL):
        found = [Case(text, tuple(spans), ()) for text, spans in map(to_text, read_conll(path))]
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read {path}: {error}.") from error
        found = [
            _case(line, f"{path}, line {at}") for at, line in enumerate(lines, 1) if line.strip()
        ]
    if not found:
        raise InputError(f"There is no text in {path}.")
    return found


def _case(line: str, place: str) -> Case:
    try:
        raw = json.loads(line)
        text = raw["text"]
        meta = dict(raw.get("meta") or {})
        if isinstance(raw.get(LANGUAGE), str):
            meta.setdefault(LANGUAGE, raw[LANGUAGE])
        spans = tuple(_span(each, text) for each in raw["spans"] or ())
        return Case(text, spans, (), {str(key): str(value) for key, value in meta.items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f'{place} cannot be used ({type(error).__name__}: {error}). It needs "text" and '
            '"spans": [[start, end, label], ...], and may have "meta".'
        ) from error


def _span(raw: Any, text: str) -> Span:
    start, end, label = (
        (raw["start"], raw["end"], raw["label"]) if isinstance(raw, Mapping) else raw
    )
    span = Span(int(start), int(end), str(label))
    if not 0 <= span.start < span.end <= len(text):
        raise ValueError("a span lies outside the text")
    return span


def with_predictions(cases: Sequence[Case], path: Path) -> list[Case]:
    """The cases with the spans of another file of the same texts, in the same order."""
    given = read_texts(path)
    if [case.text for case in cases] != [case.text for case in given]:
        raise InputError(
            f"{path} holds other texts than the gold file. They must be the same, in the same "
            "order."
        )
    return [replace(case, given=other.gold) for case, other in zip(cases, given, strict=True)]


def with_tagger(cases: Sequence[Case], find: Finder) -> list[Case]:
    """The cases with what a tagger finds."""
    found = find([case.text for case in cases])
    return [replace(case, given=tuple(spans)) for case, spans in zip(cases, found, strict=True)]


def trained_finder(
    path: Path,
    family: TaggerFamily,
    seed: int,
    progress: Progress = silent,
) -> Finder:
    """A tagger that has learnt from a file of texts with labels."""
    examples = [Example(str(at), each.text, each.gold) for at, each in enumerate(read_texts(path))]
    labels = dict.fromkeys(span.label for each in examples for span in each.spans)
    tagger = family.train(
        examples, LabelScheme(tuple(labels)), np.random.default_rng(seed), progress
    )
    return lambda texts: [tuple(tagging.spans) for tagging in tagger.tag(texts)]


def serving_finder(services: Services, project: Project) -> Finder | None:
    """A project's serving tagger; ``None`` while it has none."""
    serving = services.shelf(project.id).serving()
    if serving is None:
        return None
    tagger = serving[1]
    return lambda texts: [tuple(tagging.spans) for tagging in tagger.tag(texts)]


def held_out_cases(services: Services, project: Project) -> list[Case]:
    """A project's held-out labels with its tasks' metadata and what the LLM suggested for them.

    Raises :class:`~backend.errors.InputError` where nothing is held out yet.
    """
    scheme = services.scheme(project)
    share = services.settings.learning.held_out_share
    answers = SqlSuggestionRecords(services.database, project.id).by_source(SourceKind.LLM)
    cases = []
    for task, note in SqlTaskRecords(services.database, project.id).labelled():
        spans, problems = valid_spans(task.text, note.spans, scheme)
        if is_held_out(task.text, share) and not problems:
            meta = {str(key): str(value) for key, value in task.meta.items()}
            if task.language:
                meta.setdefault(LANGUAGE, task.language)
            given = answers[task.id].spans if task.id in answers else ()
            cases.append(Case(task.text, tuple(spans), given, meta))
    if not cases:
        raise InputError(
            f"Project {project.external_id} has no accepted labels that are held out to measure "
            "on. Label more tasks, or give a file: --gold FILE.jsonl"
        )
    return cases


def read_names(path: Path) -> dict[str, Groups]:
    """Names by label and group: ``{"PER": {"group": ["name", ...], ...}, ...}`` in JSON."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        names: dict[str, Groups] = {
            str(label): {str(group): _names(each) for group, each in groups.items()}
            for label, groups in data.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"Cannot read names from {path}: {error}. Expected JSON: "
            '{"PER": {"one group": ["name", ...], "another": [...]}}'
        ) from error
    if not names or any(len(groups) < 2 for groups in names.values()):
        raise InputError(f"{path}: every label needs two groups of names, to compare them.")
    return names


def _names(raw: Any) -> list[str]:
    if not isinstance(raw, list) or not raw or not all(isinstance(n, str) and n for n in raw):
        raise ValueError("a group is a list of names")
    return list(dict.fromkeys(raw))


def name_recalls(
    cases: Sequence[Case],
    names: Mapping[str, Groups],
    find: Finder,
    rng: np.random.Generator,
    *,
    every: bool = False,
) -> list[NameRecall]:
    """What a tagger finds of names swapped into the texts, for each label in the file of names."""
    recalls = []
    for label, groups in names.items():
        rewritten = [
            found
            for case in cases
            if (found := variants(case.text, case.gold, label, groups, rng, every=every))
        ]
        given = {group: find([each[group].text for each in rewritten]) for group in groups}
        recalls.append(compare_groups(label, rewritten, given, rng))
    return recalls
