"""``/webhooks/<tool>``: what tools that sign their webhooks say has changed.

As for Label Studio's, a hint is on the disk before it is acknowledged, and the work is done
elsewhere. A tool sends again what was not acknowledged, so the same news may come twice.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from backend.store.inbox import Signed
from backend.store.projects import Project
from backend.tool_kinds import ToolEvent
from backend.web.context import operations, services

routes = Blueprint("signed_webhooks", __name__)


@routes.post("/webhooks/<tool>")
def webhook(tool: str) -> tuple[Response, int]:
    """Keep what changed and have a worker look at it."""
    kind = services().tool_kinds.get(tool)
    if kind is None:
        return jsonify(error="No such labelling tool is installed here."), 404
    headers, body = dict(request.headers), request.get_data()
    event = kind.read_event(headers, body)
    project = services().projects.find(tool, event.external_id)
    if project is None:
        return ignored("this project is not connected")
    if not kind.is_genuine(headers, body, project.webhook_secret):
        return jsonify(error="The signature is wrong or more than five minutes old."), 401
    return keep(project, event)


def keep(project: Project, event: ToolEvent) -> tuple[Response, int]:
    """Write a genuine event down, once."""
    if event.job is None:
        return ignored(f"nothing to do for {event.action}")
    kept = (
        services()
        .inbox(project.id)
        .put_signed(
            event.action,
            event.task_ids,
            event.annotation_ids,
            delivery=event.delivery,
            content=event.content,
        )
    )
    if kept is Signed.REPLAYED:
        return jsonify(error="This webhook was delivered before."), 409
    if kept is Signed.KNOWN:
        return ignored("this was said before")
    operations().queue.enqueue(event.job, project.id)
    return jsonify(status="accepted"), 200


def ignored(reason: str) -> tuple[Response, int]:
    """Acknowledge without doing anything, so that it is not sent again."""
    return jsonify(status="ignored", reason=reason), 200
