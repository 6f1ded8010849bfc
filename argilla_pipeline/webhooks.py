"""Argilla's webhooks: what they say, and whether it is Argilla that says it.

They follow the Standard Webhooks specification (standardwebhooks.com): an HMAC of the sending's id,
its time and the body. Argilla sends again after 10, 60 and 180 seconds what was not acknowledged,
under a new id, so news is known again by what it is about and by the moment it happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backend.domain import JobKind
from backend.errors import MissingExtraError, PayloadError
from backend.tool_kinds import ToolEvent

JOBS = {
    "response.created": JobKind.INBOX,
    "response.updated": JobKind.INBOX,
    "response.deleted": JobKind.INBOX,
}
"""Argilla's worker sends one event at a time, each from a process of its own. Events about records
would come by the thousand whenever texts are added or suggestions pushed, and keep the annotators'
waiting; new and deleted records are found by reconciliation instead."""
EVENTS = tuple(JOBS)
LONGEST_NAME = 200


def read_event(headers: Mapping[str, str], body: bytes) -> ToolEvent:
    """The ids in a webhook; :class:`~backend.errors.PayloadError` where it is not Argilla's."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise PayloadError("A webhook's body must be JSON, as Argilla sends it.") from None
    event = value(content, "type")
    about = value(content, "data", "id")
    is_response, is_record = event.startswith("response."), event.startswith("record.")
    dataset = about
    if is_response:
        dataset = value(content, "data", "record", "dataset", "id")
    elif is_record:
        dataset = value(content, "data", "dataset", "id")
    record = value(content, "data", "record", "id") if is_response else about
    named = {name.lower(): text for name, text in headers.items()}
    return ToolEvent(
        external_id=dataset,
        action=event,
        job=JOBS.get(event),
        task_ids=(record,) if is_response or is_record else (),
        annotation_ids=(about,) if is_response else (),
        delivery=named.get("webhook-id", "")[:LONGEST_NAME],
        content=f"{event} {about} {value(content, 'timestamp')}"[:LONGEST_NAME],
    )


def value(content: Any, *keys: str) -> str:
    """The string under a path of keys."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    if not isinstance(content, str) or not content:
        raise PayloadError(f"A webhook of Argilla has a {'.'.join(keys)!r}; this one has none.")
    return content


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether the signature is right and the sending at most five minutes old."""
    try:
        from standardwebhooks.webhooks import (  # noqa: PLC0415 - an optional dependency
            Webhook,
            WebhookVerificationError,
        )
    except ImportError as error:
        raise MissingExtraError("Receiving Argilla's webhooks", "argilla") from error
    named = {name.lower(): text for name, text in headers.items()}
    try:
        Webhook(secret).verify(body, named)
    except (WebhookVerificationError, ValueError):
        return False
    return True
