"""The routes of a live queue: from what a project's records hold to a plan, and to an order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from backend.active_learning.routing import Audit, Plan, Queued
from backend.active_learning.strategies.cost import expected_seconds
from backend.domain import Annotation, LabelScheme, Route, Suggestion, Task
from backend.protocols import FloatArray
from backend.quality.audit import is_audited
from backend.text.spans import valid_spans
from backend.text.tokens import tokenise

_HEAD = 0.9
"""Tasks for humans share confidences up to this; answers that stand come behind."""

Labelled = Sequence[tuple[Task, Annotation]]


def queued_tasks(
    pool: Sequence[Task],
    answers: Mapping[str, Suggestion],
    labelled: Labelled,
    audit_share: float,
) -> list[Queued]:
    """The pool as the router sees it; prices are expected minutes of an annotator's time."""
    minutes = _minutes([task.text for task in pool], labelled)
    return [
        replace(
            _queued(task, answers.get(task.id)),
            price=price,
            blind=is_audited(task.text, audit_share),
        )
        for task, price in zip(pool, minutes.tolist(), strict=True)
    ]


def audits_of(
    labelled: Labelled,
    answers: Mapping[str, Suggestion],
    blind: Collection[str],
    scheme: LabelScheme,
    audit_share: float,
) -> list[Audit]:
    """What humans found right who did not see an answer.

    ``blind``: ids of tasks that carry no suggestion in the tool. Only audited texts count, because
    only these were drawn at random.
    """
    return [
        Audit(
            _queued(task, answers[task.id]),
            tuple(valid_spans(task.text, annotation.spans, scheme)[0]),
        )
        for task, annotation in labelled
        if task.id in answers and task.id in blind and is_audited(task.text, audit_share)
    ]


def minutes_left(budget: float | None, labelled: Labelled) -> float | None:
    """What is left of a budget of annotators' minutes, at least 0."""
    spent = sum(annotation.lead_time or 0.0 for _, annotation in labelled) / 60
    return None if budget is None else max(0.0, budget - spent)


def in_routed_order(
    suggestions: Sequence[Suggestion], routes: Mapping[str, Route]
) -> list[Suggestion]:
    """The same with their routes, answers that stand behind everything that humans are to label.

    Confidences keep their order on both sides, and all stay as they are where nothing stands.
    """
    any_stands = Route.LLM in routes.values()
    return [
        replace(
            item,
            route=routes.get(item.task_id),
            confidence=_behind_humans(item.confidence, stands=routes.get(item.task_id) is Route.LLM)
            if any_stands
            else item.confidence,
        )
        for item in suggestions
    ]


def _behind_humans(confidence: float, *, stands: bool) -> float:
    return _HEAD + (1 - _HEAD) * confidence if stands else _HEAD * confidence


def in_words(plan: Plan) -> str:
    """How many tasks go which way, and why."""
    counts = Counter(plan.routes.values())
    ways = ", ".join(f"{counts[route]} {route.value}" for route in Route if counts[route])
    return f"{ways or 'nothing queued'}: {plan.reason}"


def _queued(task: Task, answer: Suggestion | None) -> Queued:
    if answer is None:
        return Queued(task.id, None, language=task.language)
    return Queued(task.id, answer.spans, answer.confidence, task.language)


def _minutes(texts: Sequence[str], labelled: Labelled) -> FloatArray:
    seconds = expected_seconds(
        np.array([len(tokenise(text)) for text in texts], dtype=np.int64),
        np.array([len(tokenise(task.text)) for task, _ in labelled], dtype=np.int64),
        np.array([note.lead_time or np.nan for _, note in labelled], dtype=np.float64),
    )
    return seconds / 60
