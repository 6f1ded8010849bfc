"""Connecting a Label Studio project to this backend, and taking the connection away again.

Everything here can be repeated: what is right already stays, what is missing is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backend.errors import ToolError, ToolRefusedError
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.labels import parse_label_config
from backend.label_studio.reachability import explained, is_blocked_address
from backend.label_studio.tool import find_backend

VIEW_TITLE = "harambee: least certain first"
WEBHOOK_ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "TASKS_CREATED",
    "TASKS_DELETED",
    "PROJECT_UPDATED",
)


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """User and password that this backend asks for."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"BasicAuth(user={self.user!r})"


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a connection came to. ``warnings`` say what a person still has to set by hand."""

    project_id: int
    title: str
    labels: tuple[str, ...]
    tasks: int
    backend_id: int
    webhook_id: int | None
    warnings: tuple[str, ...]


def connect(  # noqa: PLR0913 - each of these differs between installations
    client: LabelStudioClient,
    project_id: int,
    backend_url: str,
    version: str,
    *,
    credentials: BasicAuth | None = None,
    webhook_secret_headers: Mapping[str, str] | None = None,
) -> ConnectionReport:
    """Let a project be served by the backend at ``backend_url``, as Label Studio sees it.

    ``version`` is what our ``/setup`` returns now. Label Studio calls ``/health`` and ``/setup``
    meanwhile, so the web process has to be up. Raises
    :class:`~backend.errors.LabelConfigError` for a project without a usable control, and
    :class:`~backend.errors.ToolError` where the connection itself cannot be made.
    """
    project = client.project(project_id)
    config = parse_label_config(project["label_config"])
    address = backend_url.rstrip("/")
    warnings: list[str] = []
    webhook_id: int | None = None
    try:
        # First, because registering a backend makes Label Studio add a webhook without headers.
        with warned(
            warnings,
            "The webhook could not be set: new labels are seen only when harambee compares itself "
            "with Label Studio.",
        ):
            webhook_id = secure_webhook(client, project_id, address, webhook_secret_headers or {})
        backend_id = register_backend(client, project_id, address, version, credentials)
    except ToolError as error:
        raise explained(error, address) from error
    warnings += [
        f"The project has another ML backend, {other['url']}: its predictions appear beside ours."
        for other in client.ml_backends(project_id)
        if other["id"] != backend_id
    ]
    with warned(
        warnings,
        "The queue's order could not be set. Ask a project manager for Settings > General > Task "
        f"Sampling > Uncertainty sampling, and for {version!r} under Settings > Annotation.",
    ):
        set_up_queue(client, project_id, version)
    with warned(
        warnings,
        f"The Data Manager tab {VIEW_TITLE!r} could not be made. Order a tab by prediction score.",
    ):
        ensure_view(client, project_id)
    return ConnectionReport(
        project_id=project_id,
        title=project["title"],
        labels=config.scheme.labels,
        tasks=project["task_number"],
        backend_id=backend_id,
        webhook_id=webhook_id,
        warnings=tuple(warnings),
    )


def disconnect(client: LabelStudioClient, project_id: int, backend_url: str) -> int:
    """Remove the backend and its webhooks from a project; returns how many things were removed.

    Predictions stay, so that annotators keep what they see.
    """
    address = backend_url.rstrip("/")
    removed = 0
    while (backend := find_backend(client.ml_backends(project_id), address)) is not None:
        client.delete_ml_backend(backend["id"])
        removed += 1
    for webhook in webhooks_of(client, project_id, address):
        client.delete_webhook(webhook["id"])
        removed += 1
    return removed


@contextmanager
def warned(warnings: list[str], otherwise: str) -> Iterator[None]:
    """Turn a missing right into a warning."""
    try:
        yield
    except ToolRefusedError as error:
        if is_blocked_address(error):
            raise
        warnings.append(f"{otherwise} ({error})")


def register_backend(
    client: LabelStudioClient,
    project_id: int,
    address: str,
    version: str,
    credentials: BasicAuth | None,
) -> int:
    """Add or update the ML backend, titled with the version, which is how the queue finds it."""
    fields: dict[str, Any] = {"url": address, "project": project_id, "title": version}
    if credentials is None:
        fields["auth_method"] = "NONE"
    else:
        fields |= {
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": credentials.user,
            "basic_auth_pass": credentials.password,
        }
    known = find_backend(client.ml_backends(project_id), address)
    if known is None:
        return int(client.create_ml_backend(**fields)["id"])
    return int(client.update_ml_backend(known["id"], **fields)["id"])


def secure_webhook(
    client: LabelStudioClient, project_id: int, address: str, headers: Mapping[str, str]
) -> int:
    """Add or update the project's webhook, so that our side can tell it from a forged one."""
    fields: dict[str, Any] = {
        "url": f"{address}/webhook",
        "headers": dict(headers),
        "send_payload": True,
        "send_for_all_actions": False,
        "actions": list(WEBHOOK_ACTIONS),
        "is_active": True,
    }
    known = webhooks_of(client, project_id, address)
    if not known:
        return int(client.create_webhook(project=project_id, **fields)["id"])
    for superfluous in known[1:]:
        client.delete_webhook(superfluous["id"])
    return int(client.update_webhook(known[0]["id"], **fields)["id"])


def webhooks_of(client: LabelStudioClient, project_id: int, address: str) -> list[dict[str, Any]]:
    """The project's webhooks that call this backend."""
    return [hook for hook in client.webhooks(project_id) if hook["url"] == f"{address}/webhook"]


def set_up_queue(client: LabelStudioClient, project_id: int, version: str) -> None:
    """Serve the least certain task first and show predictions of ``version`` to annotators."""
    wanted = {
        "sampling": "Uncertainty sampling",
        "show_collab_predictions": True,
        "model_version": version,
    }
    current = client.project(project_id)
    changes = {key: value for key, value in wanted.items() if current[key] != value}
    if changes:
        client.update_project(project_id, **changes)


def ensure_view(client: LabelStudioClient, project_id: int) -> None:
    """A tab in order of score: with several annotators, sampling alone is random."""
    titles = {view["data"].get("title") for view in client.views(project_id)}
    if VIEW_TITLE not in titles:
        ordering = ["tasks:predictions_score"]
        client.create_view(
            project_id,
            {"title": VIEW_TITLE, "type": "list", "target": "tasks", "ordering": ordering},
        )
