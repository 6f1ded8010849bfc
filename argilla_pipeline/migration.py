"""A dataset carried over into a new one: other labels, another server, emoji put right.

Argilla fixes labels when a dataset is published, so changing them means a new dataset. Records are
known again by their external ids, so a migration that was cut off goes on where it was.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.connection import PASSWORD_BYTES, READY, find_dataset, make_dataset, schema_of
from argilla_pipeline.convert import ASTRAL, original_text, responses_of, suggestion_in
from argilla_pipeline.importing import NewRecord, add_records
from argilla_pipeline.schema import Schema, changed_labels, read_schema, sorted_link
from backend.domain import LabelScheme, Span
from backend.errors import InputError, LabelConfigError, ToolRejectedError
from backend.protocols import Progress, silent
from backend.settings import ArgillaSettings

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to migrate to. ``renamed``: new labels by old ones; ``labels`` empty: as they were."""

    client: ArgillaClient
    workspace: str
    dataset: str
    labels: tuple[str, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Migrated:
    """What a migration carried over, and what it could not.

    ``lost_spans`` counts spans of labels that are gone, by label; ``uncertain`` responses to texts
    with emoji, which Argilla's page may have counted otherwise.
    """

    dataset_id: str
    link: str
    records: int = 0
    responses: int = 0
    suggestions: int = 0
    uncertain: int = 0
    lost_spans: Counter[str] = field(default_factory=Counter)
    passwords: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Migration:
    """Carries one dataset over."""

    def __init__(
        self, client: ArgillaClient, settings: ArgillaSettings, dataset_id: str, target: Target
    ) -> None:
        self._client = client
        self._dataset_id = dataset_id
        self._target = target
        questions = client.questions(dataset_id)
        self._schema = read_schema(
            client.fields(dataset_id),
            questions,
            text_field=settings.text_field,
            question=settings.question,
        )
        others = [item["name"] for item in questions if item["name"] != self._schema.question]
        self._new, new_id = self._new_dataset(client.dataset(dataset_id)["distribution"])
        self._done = Migrated(new_id, sorted_link(target.client.url, new_id))
        if others:
            names = ", ".join(others)
            self._done.warnings.append(f"Other questions are not carried over: {names}.")
        self._users = self._users_there()

    def run(self, progress: Progress = silent) -> Migrated:
        """Carry records, responses and suggestions over; metadata as a whole.

        Raises :class:`~backend.errors.ToolRejectedError` where the new dataset then holds less than
        the old one.
        """
        target, done = self._target, self._done
        for _ in add_records(target.client, done.dataset_id, self._new, self._records(), progress):
            done.records += 1
        held = sum(
            len(raw.get("responses") or [])
            for raw in target.client.records(done.dataset_id, ("responses",))
        )
        if held < done.responses:
            raise ToolRejectedError(
                f"The new dataset holds {held} of {done.responses} responses. Migrate again: what "
                "is there stays as it is."
            )
        return done

    def _new_dataset(self, distribution: Json) -> tuple[Schema, str]:
        target = self._target
        scheme = self._new_scheme()
        workspaces = {item["name"]: item["id"] for item in target.client.workspaces()}
        workspace = workspaces.get(target.workspace)
        if workspace is None:
            workspace = target.client.create_workspace(target.workspace)["id"]
        existing = find_dataset(target.client, target.workspace, target.dataset)
        if existing is not None and existing["id"] == self._dataset_id:
            raise InputError("A dataset cannot be migrated into itself: give --to another name.")
        if existing is not None and existing["status"] == READY:
            new_id = str(existing["id"])
        else:
            submissions = int(distribution["min_submitted"])
            new_id = make_dataset(
                target.client, workspace, target.dataset, scheme, submissions, draft=existing
            )
        schema = schema_of(target.client, ArgillaSettings(), new_id)
        if differ := changed_labels(scheme.labels, schema.scheme.labels):
            raise LabelConfigError(
                f"There is a dataset {target.dataset!r} already, with other labels ({differ}). "
                "Give --to another name."
            )
        return schema, new_id

    def _new_scheme(self) -> LabelScheme:
        old, target = self._schema.scheme, self._target
        kept = tuple(dict.fromkeys(target.renamed.get(label, label) for label in old.labels))
        if unknown := [label for label in target.renamed if label not in old.labels]:
            raise LabelConfigError(
                f"There is no label {unknown[0]!r} to rename, only {', '.join(old.labels)}."
            )
        labels = target.labels or kept
        described = dict(old.descriptions) | dict(target.descriptions)
        return LabelScheme(labels, {name: described[name] for name in labels if name in described})

    def _users_there(self) -> dict[str, str]:
        """Ids of users in the new Argilla by their ids in this one; made where they are missing."""
        target = self._target.client
        ours = {str(user["id"]): str(user["username"]) for user in self._client.users()}
        theirs = {str(user["username"]): str(user["id"]) for user in target.users()}
        answering = {
            str(item["user_id"])
            for raw in self._client.records(self._dataset_id, ("responses",))
            for item in raw.get("responses") or []
        }
        for name in sorted({ours[user] for user in answering if user in ours} - theirs.keys()):
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            theirs[name] = str(target.create_user(name, password)["id"])
            self._done.passwords[name] = password
        return {user: theirs[name] for user, name in ours.items() if name in theirs}

    def _records(self) -> Iterator[NewRecord]:
        for raw in self._client.records(self._dataset_id, ("responses", "suggestions")):
            shown = raw["fields"].get(self._schema.text_field)
            if isinstance(shown, str):
                yield self._record(raw, original_text(shown, raw.get("metadata") or {}), shown)

    def _record(self, raw: Json, text: str, shown: str) -> NewRecord:
        responses: dict[str, tuple[str, tuple[Span, ...]]] = {}
        for read in responses_of(raw, text, self._schema):
            user = self._users.get(read.annotation.annotator)
            if user is None:
                self._done.warnings.append(f"Response {read.annotation.id} is of a deleted user.")
                continue
            responses[user] = (read.status, self._renamed(read.annotation.spans))
            self._done.uncertain += bool(ASTRAL.search(shown) and read.annotation.spans)
        self._done.responses += len(responses)
        carried = suggestion_in(raw, self._schema)
        suggestions = () if carried is None else (self._suggestion(carried),)
        self._done.suggestions += len(suggestions)
        return NewRecord(
            external_id=str(raw.get("external_id") or raw["id"]),
            text=text,
            metadata=raw.get("metadata") or {},
            responses=responses,
            suggestions=suggestions,
        )

    def _renamed(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        kept = []
        for span in spans:
            label = self._target.renamed.get(span.label, span.label)
            if label in self._new.scheme:
                kept.append(Span(span.start, span.end, label))
            else:
                self._done.lost_spans[span.label] += 1
        return tuple(kept)

    def _suggestion(self, carried: Json) -> dict[str, Any]:
        scores = carried["score"] or []
        scores = scores if isinstance(scores, list) else [scores] * len(carried["value"])
        kept = []
        for place, item in enumerate(carried["value"]):
            label = self._target.renamed.get(item["label"], item["label"])
            if label in self._new.scheme:
                kept.append((dict(item) | {"label": label}, scores[place : place + 1]))
        return {
            "question_id": self._new.question_id,
            "type": carried.get("type"),
            "agent": carried.get("agent"),
            "value": [item for item, _ in kept],
            "score": [score for _, found in kept for score in found] or None,
        }
