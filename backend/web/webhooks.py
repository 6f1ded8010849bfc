"""``/webhook``: a hint is on the disk before it is acknowledged; the work is done elsewhere.

Label Studio waits one second and never asks again, so nothing slow happens here. Payloads hold
tokens: only ids are taken from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from backend.domain import JobKind
from backend.errors import PayloadError
from backend.operations import SECRET_HEADER
from backend.store.projects import Project
from backend.web.access import equal, has_basic_auth
from backend.web.context import json_object, operations, services

routes = Blueprint("webhooks", __name__)

JOBS = {
    "START_TRAINING": JobKind.LEARN,
    "TASKS_CREATED": JobKind.BEGIN,
    "PROJECT_UPDATED": JobKind.RECONCILE,
    "TASKS_DELETED": JobKind.RECONCILE,
    "ANNOTATION_CREATED": JobKind.INBOX,
    "ANNOTATIONS_CREATED": JobKind.INBOX,
    "ANNOTATION_UPDATED": JobKind.INBOX,
    "ANNOTATIONS_DELETED": JobKind.INBOX,
}


@routes.post("/webhook")
def webhook() -> tuple[Response, int]:
    """Keep what changed and have a worker look at it."""
    body = json_object()
    action = body.get("action")
    if not isinstance(action, str):
        raise PayloadError("A webhook needs an 'action', as Label Studio sends it.")
    project = services().project(project_id_of(body))
    if project is None:
        return jsonify(status="ignored", reason="this project is not connected"), 200
    if not is_from_tool(project):
        return jsonify(error="This webhook lacks the project's secret; connect it again."), 401
    kind = JOBS.get(action)
    if kind is None:
        return jsonify(status="ignored", reason=f"nothing to do for {action}"), 200
    if kind is JobKind.INBOX:
        services().inbox(project.id).put(action, *ids_in(body))
    operations().queue.enqueue(kind, project.id)
    return jsonify(status="accepted"), 202 if kind is JobKind.LEARN else 200


def is_from_tool(project: Project) -> bool:
    """Whether the request carries the project's secret, or else this backend's basic auth.

    Project webhooks carry the secret once the project is connected; "Start training" carries the
    backend's credentials.
    """
    secret = request.headers.get(SECRET_HEADER)
    return has_basic_auth() if secret is None else equal(secret, project.webhook_secret)


def project_id_of(body: dict[str, Any]) -> str:
    """The tool's id of the project that a webhook is about."""
    project = body.get("project")
    number = project.get("id") if isinstance(project, dict) else project
    if not isinstance(number, int) or isinstance(number, bool):
        raise PayloadError("A webhook needs a 'project' with a numeric 'id'.")
    return str(number)


def ids_in(body: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Ids of the tasks and of the annotations that a webhook names."""
    annotations = objects_in(body, "annotation", "annotations")
    task_ids = [task.get("id") for task in objects_in(body, "task", "tasks")]
    task_ids += [annotation.get("task") for annotation in annotations]
    annotation_ids = [annotation.get("id") for annotation in annotations]
    return numbers(task_ids), numbers(annotation_ids)


def objects_in(body: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
    """The JSON objects under the keys, single or in a list; anything else is passed over."""
    values = [body.get(key) for key in keys]
    items = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in items if isinstance(item, dict)]


def numbers(values: Iterable[object]) -> list[str]:
    """The whole numbers among the values, as the strings that ids are."""
    return sorted(
        {str(value) for value in values if isinstance(value, int) and not isinstance(value, bool)}
    )
