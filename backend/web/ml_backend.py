"""Label Studio's ML backend wire: ``/setup``, ``/predict``, ``/versions``.

Credentials and addresses in what Label Studio sends are never used: those of the settings are.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify

from backend import proposing
from backend.domain import NO_SOURCE, JobKind, Suggestion, Task
from backend.errors import PayloadError
from backend.label_studio.convert import prediction_to_json, task_from_json
from backend.label_studio.labels import LabelConfig, parse_label_config
from backend.store.projects import Project
from backend.web.context import json_object, operations, services

log = structlog.get_logger(__name__)

routes = Blueprint("ml_backend", __name__)

WINDOW = 256
WINDOW_CHARACTERS = 500_000
LONGEST_ID = 18
"""Decimal digits of the largest id that Label Studio's 64-bit column is sure to hold."""
UNANSWERED_VERSION = "harambee-later"
"""Under another version than the serving one, so that the real suggestion can still be pushed."""


@routes.post("/setup")
def setup() -> Response:
    """Meet a project and name the version of its suggestions."""
    body = json_object()
    config = _text(body, "schema")
    parse_label_config(config)
    project = operations().meet(_project_id(body), config)
    return jsonify(model_version=services().version_of(project))


@routes.get("/versions")
def versions() -> Response:
    """Name the versions that are being served, one for each project."""
    known = {services().version_of(project) for project in services().projects.all()}
    return jsonify(versions=sorted(known))


@routes.post("/predict")
def predict() -> Response:
    """One prediction per task, in order, empty ones included."""
    body = json_object()
    raw_tasks = body.get("tasks")
    if not isinstance(raw_tasks, list) or not all(isinstance(raw, dict) for raw in raw_tasks):
        raise PayloadError("/predict needs 'tasks', a list of Label Studio tasks.")
    label_config = _text(body, "label_config")
    config = parse_label_config(label_config)
    project = operations().meet(_project_id(body), label_config)
    tasks = [readable(raw, config) for raw in raw_tasks]
    suggestions = iter(answer(project, [task for task in tasks if task is not None]))
    version = services().version_of(project)
    return jsonify(
        results=[
            prediction(task, next(suggestions), config, version) if task else unanswered()
            for task in tasks
        ]
    )


def readable(raw: dict[str, Any], config: LabelConfig) -> Task | None:
    """The task, or ``None`` where it holds no text; the others are answered all the same."""
    try:
        return task_from_json(raw, config)
    except PayloadError as error:
        log.warning("task_without_text", reason=str(error))
        return None


def answer(project: Project, tasks: Sequence[Task]) -> list[Suggestion]:
    """Suggest for as many tasks as the deadline allows; the rest is pushed in the background."""
    deadline = time.monotonic() + services().settings.server.predict_deadline_seconds
    work = services().workspace(project)
    operations().answer_opened(work, tasks, deadline)
    serving = work.models.serving()
    answered: list[Suggestion] = []
    for window in windows(tasks):
        if time.monotonic() > deadline:
            operations().queue.enqueue(JobKind.BEGIN, project.id)
            break
        answered += proposing.propose(work, window, serving)
    late = [Suggestion(task.id, (), 0.0, NO_SOURCE) for task in tasks[len(answered) :]]
    return answered + late


def windows(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """Few enough tasks and characters at a time to look at the clock between them."""
    window: list[Task] = []
    for task in tasks:
        characters = sum(len(other.text) for other in window)
        if window and (len(window) == WINDOW or characters + len(task.text) > WINDOW_CHARACTERS):
            yield window
            window = []
        window.append(task)
    if window:
        yield window


def prediction(
    task: Task, suggestion: Suggestion, config: LabelConfig, version: str
) -> dict[str, Any]:
    """A suggestion on the wire; one without a source leaves room for the one to come."""
    if suggestion.source == NO_SOURCE:
        return unanswered(suggestion.confidence)
    return prediction_to_json(suggestion, task.text, version, config)


def unanswered(confidence: float = 0.0) -> dict[str, Any]:
    """An empty prediction that does not keep a real one from being pushed later."""
    return {"result": [], "score": confidence, "model_version": UNANSWERED_VERSION}


def _project_id(body: dict[str, Any]) -> str:
    number = _text(body, "project").partition(".")[0]
    if not number.isascii() or not number.isdigit() or len(number) > LONGEST_ID:
        raise PayloadError("'project' must be Label Studio's project id, a number.")
    return str(int(number))


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise PayloadError(f"The request needs {key!r}, a text, as Label Studio sends it.")
    return value
