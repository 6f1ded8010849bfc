"""Setting a dataset of Argilla up: workspace, labels, users, webhook, and where annotators begin.

Everything here can be repeated: what is right already stays, what is missing is added.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.schema import (
    LONGEST_GUIDELINES,
    Schema,
    changed_labels,
    field_to_json,
    guidelines,
    missing_properties,
    question_to_json,
    read_schema,
    scheme_of,
    sorted_link,
)
from argilla_pipeline.webhooks import EVENTS
from backend.domain import LabelScheme
from backend.errors import ConfigurationError, ToolRefusedError
from backend.settings import ArgillaSettings, Settings
from backend.tool_http import UnprocessableError

Json = dict[str, Any]

WEBHOOK_PATH = "/webhooks/argilla"
PASSWORD_BYTES = 9
READY = "ready"


@dataclass(slots=True)
class SetUp:
    """What a set-up came to.

    ``passwords`` are those of new users, told once; ``warnings`` say what a person still has to do.
    """

    dataset_id: str
    title: str
    schema: Schema
    link: str
    created: bool
    secret: str | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def client_for(settings: ArgillaSettings) -> ArgillaClient:
    """The configured Argilla."""
    if settings.api_key is None:
        raise ConfigurationError(
            "No Argilla key is set. Copy one from 'My settings' in Argilla into ARGILLA_API_KEY."
        )
    return ArgillaClient(
        settings.url, settings.api_key.get_secret_value(), timeout=settings.timeout_seconds
    )


def find_dataset(client: ArgillaClient, workspace: str, name: str) -> Json | None:
    """A dataset by its names, ``None`` where there is none."""
    ids = {item["id"] for item in client.workspaces() if item["name"] == workspace}
    return next(
        (
            item
            for item in client.datasets()
            if item["workspace_id"] in ids and item["name"] == name
        ),
        None,
    )


def schema_of(client: ArgillaClient, settings: ArgillaSettings, dataset_id: str) -> Schema:
    """Where a dataset keeps texts and spans."""
    return read_schema(
        client.fields(dataset_id),
        client.questions(dataset_id),
        text_field=settings.text_field,
        question=settings.question,
    )


def set_up(client: ArgillaClient, settings: Settings, team: str = "") -> SetUp:
    """Make the configured dataset, or make one that exists ready for harambee.

    ``team`` is what the team tells its annotators about the labels. Raises
    :class:`~backend.errors.LabelConfigError` for labels or a dataset that cannot be used, and
    :class:`~backend.errors.ToolRefusedError` where the key's user may not do what is needed.
    """
    chosen = settings.argilla
    workspace = ensure_workspace(client, chosen.workspace)
    existing = find_dataset(client, chosen.workspace, chosen.dataset)
    created = existing is None or existing["status"] != READY
    if created:
        dataset_id = make_dataset(
            client,
            workspace,
            chosen.dataset,
            scheme_of(chosen.labels),
            chosen.submissions,
            team=team,
            draft=existing,
        )
    else:
        dataset_id = str(existing["id"]) if existing else ""
    schema = schema_of(client, chosen, dataset_id)
    link = sorted_link(client.url, dataset_id)
    done = SetUp(dataset_id, chosen.dataset, schema, link, created)
    if not created:
        add_properties(client, dataset_id)
        add_link(client, dataset_id, link)
        compare(client, chosen, done)
    add_annotators(client, workspace, chosen.annotators, done)
    add_webhook(client, settings.public_url, done)
    return done


def ensure_workspace(client: ArgillaClient, name: str) -> str:
    """The workspace's id; made where there is none."""
    known = {item["name"]: str(item["id"]) for item in client.workspaces()}
    return known.get(name) or str(client.create_workspace(name)["id"])


def make_dataset(  # noqa: PLR0913 - each of these differs between teams
    client: ArgillaClient,
    workspace_id: str,
    name: str,
    scheme: LabelScheme,
    submissions: int,
    *,
    team: str = "",
    draft: Json | None = None,
) -> str:
    """Make and publish a dataset, going on with the draft of a set-up that was cut off."""
    question = question_to_json(scheme)
    dataset = draft or client.create_dataset(
        name=name,
        workspace_id=workspace_id,
        allow_extra_metadata=True,
        distribution={"strategy": "overlap", "min_submitted": submissions},
    )
    dataset_id = str(dataset["id"])
    if not client.fields(dataset_id):
        client.create_field(dataset_id, **field_to_json())
    if not client.questions(dataset_id):
        client.create_question(dataset_id, **question)
    add_properties(client, dataset_id)
    link = sorted_link(client.url, dataset_id)
    client.update_dataset(dataset_id, guidelines=guidelines(scheme, link, team))
    client.publish(dataset_id)
    return dataset_id


def add_properties(client: ArgillaClient, dataset_id: str) -> None:
    """Let records be sorted and filtered by what harambee knows of them."""
    for missing in missing_properties(client.metadata_properties(dataset_id)):
        client.create_metadata_property(dataset_id, **missing)


def add_link(client: ArgillaClient, dataset_id: str, link: str) -> None:
    """Tell annotators where to begin, in guidelines that somebody else has written."""
    written = client.dataset(dataset_id).get("guidelines") or ""
    extended = f"{written}\n\n[Begin with the least certain text]({link})".strip()
    if link not in written and len(extended) <= LONGEST_GUIDELINES:
        client.update_dataset(dataset_id, guidelines=extended)


def compare(client: ArgillaClient, chosen: ArgillaSettings, done: SetUp) -> None:
    """Say what Argilla no longer lets one change."""
    differ = changed_labels(tuple(chosen.labels), done.schema.scheme.labels)
    if differ and "labels" in chosen.model_fields_set:
        done.warnings.append(
            f"The dataset's labels are not those of the settings ({differ}), and Argilla fixes "
            "them when a dataset is published. harambee goes on with the dataset's; "
            "harambee-argilla migrate --to NAME makes a dataset with the others and carries "
            "everything over."
        )
    now = client.dataset(done.dataset_id)["distribution"]["min_submitted"]
    if now != chosen.submissions and "submissions" in chosen.model_fields_set:
        wanted = {"strategy": "overlap", "min_submitted": chosen.submissions}
        try:
            client.update_dataset(done.dataset_id, distribution=wanted)
        except UnprocessableError as error:
            done.warnings.append(f"A text is done after {now} submissions, as before ({error}).")


def add_annotators(
    client: ArgillaClient, workspace_id: str, names: tuple[str, ...], done: SetUp
) -> None:
    """Make users of annotators, and members of the workspace; new passwords are told once."""
    if not names:
        return
    try:
        known = {user["username"]: str(user["id"]) for user in client.users()}
        members = {str(user["id"]) for user in client.workspace_users(workspace_id)}
        for name in names:
            if name not in known:
                password = secrets.token_urlsafe(PASSWORD_BYTES)
                known[name] = str(client.create_user(name, password)["id"])
                done.passwords[name] = password
            if known[name] not in members:
                client.add_to_workspace(workspace_id, known[name])
    except ToolRefusedError as error:
        done.warnings.append(f"Annotators could not be added; ask an owner of Argilla. ({error})")


def add_webhook(client: ArgillaClient, address: str, done: SetUp) -> None:
    """Have Argilla tell this backend what annotators do; it makes up the secret itself."""
    url = f"{address}{WEBHOOK_PATH}"
    wanted: Mapping[str, Any] = {"url": url, "events": list(EVENTS)}
    try:
        known = [hook for hook in client.webhooks() if hook["url"] == url]
        if not known:
            hook = client.create_webhook(**wanted, description="harambee")
        else:
            hook = client.update_webhook(known[0]["id"], **wanted, enabled=True)
        for superfluous in known[1:]:
            client.delete_webhook(superfluous["id"])
        done.secret = str(hook["secret"])
    except ToolRefusedError as error:
        done.warnings.append(
            "The webhook could not be set: new labels are seen only when harambee compares itself "
            f"with Argilla. ({error})"
        )
