"""Argilla as the loop sees it: one dataset with the verbs of a tool."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from argilla_pipeline.client import LARGEST_BULK, PAGE, ArgillaClient
from argilla_pipeline.convert import (
    DRAFT,
    ReadResponse,
    holds,
    is_ours,
    metadata_to_json,
    responses_of,
    suggestion_in,
    suggestion_to_json,
    task_from_json,
)
from argilla_pipeline.review import fill_queue, record_link
from argilla_pipeline.schema import UNCERTAINTY, Schema, read_schema, sorted_link
from backend.domain import Annotation, ReviewItem, ReviewKind, ReviewQueue, Suggestion, Task
from backend.errors import PayloadError, ToolRejectedError
from backend.protocols import Progress, silent
from backend.tool_http import UnprocessableError

Json = dict[str, Any]

log = structlog.get_logger(__name__)

PUSH_BATCH = 250
FEW = 50
"""Records that are read one by one; for more, reading the whole dataset is quicker."""
LAST_NUMBER = re.compile(r"\d+\Z")
BY_UNCERTAINTY: Json = {
    "filters": {
        "and": [
            {
                "type": "terms",
                "scope": {"entity": entity, "property": "status"},
                "values": ["pending"],
            }
            for entity in ("record", "response")
        ]
    },
    "sort": [{"scope": {"entity": "metadata", "metadata_property": UNCERTAINTY}, "order": "desc"}],
}
"""The search behind the sorted link: what waits for others, and for this annotator."""


@dataclass(frozen=True, slots=True)
class Target:
    """What has to be known of a record to write to it: its metadata is replaced as a whole."""

    metadata: Json
    characters: int
    carried: str | None
    """The suggestion of ours that it carries: it has to go where there is none to replace it."""


class ArgillaTool:
    """One Argilla dataset; implements :class:`~backend.protocols.AnnotationTool`.

    A record holds one suggestion a question, so a new version replaces the last one, and only where
    something would change: a record keeps, as metadata, the ``round`` in which it last did (the
    number at the end of the version). ``push_batch`` records go into one request.
    """

    def __init__(
        self, client: ArgillaClient, dataset_id: str, schema: Schema, push_batch: int = PUSH_BATCH
    ) -> None:
        self._client = client
        self._dataset_id = dataset_id
        self._schema = schema
        self._push_batch = min(push_batch, LARGEST_BULK)

    @classmethod
    def open(
        cls,
        client: ArgillaClient,
        dataset_id: str,
        *,
        text_field: str | None = None,
        question: str | None = None,
        push_batch: int = PUSH_BATCH,
    ) -> ArgillaTool:
        """The tool for a dataset as it is now, whoever made it.

        Raises :class:`~backend.errors.LabelConfigError` for one without a usable span question.
        """
        fields, questions = client.fields(dataset_id), client.questions(dataset_id)
        schema = read_schema(fields, questions, text_field=text_field, question=question)
        return cls(client, dataset_id, schema, push_batch)

    @property
    def schema(self) -> Schema:
        """Where the dataset keeps text and spans, and its labels."""
        return self._schema

    @property
    def link(self) -> str:
        """The annotation page with the most uncertain record first."""
        return sorted_link(self._client.url, self._dataset_id)

    def tasks(self) -> Iterator[Task]:
        """Every record with a usable text, oldest first; the others are counted in the log."""
        unusable: list[str] = []
        for raw in self._client.records(self._dataset_id):
            try:
                yield task_from_json(raw, self._schema)
            except PayloadError as error:
                unusable.append(str(error))
        if unusable:
            log.warning(
                "records_without_usable_text",
                dataset=self._dataset_id,
                records=len(unusable),
                first=unusable[0],
            )

    # Reading what annotators did.

    def accepted(self, task_ids: Collection[str] | None = None) -> Iterator[Annotation]:
        """Every submitted or discarded response, of some records or of all; no drafts."""
        return (read.annotation for read in self.responses(task_ids) if read.status != DRAFT)

    def responses(self, task_ids: Collection[str] | None = None) -> Iterator[ReadResponse]:
        """Every response of every annotator, drafts too."""
        left_out = 0
        for raw in self._records(task_ids, ("responses",)):
            try:
                task = task_from_json(raw, self._schema)
            except PayloadError as error:
                if raw.get("responses"):
                    log.warning("answered_record_without_usable_text", reason=str(error))
                continue
            for read in responses_of(raw, task.text, self._schema):
                left_out += len(read.left_out)
                yield read
        if left_out:
            log.info("spans_left_out", dataset=self._dataset_id, spans=left_out)

    def _records(
        self, record_ids: Collection[str] | None, include: Sequence[str]
    ) -> Iterator[Json]:
        if record_ids is not None and len(record_ids) <= FEW:
            found = (self._client.record(record_id) for record_id in sorted(set(record_ids)))
            return (raw for raw in found if raw and raw["dataset_id"] == self._dataset_id)
        wanted = None if record_ids is None else set(record_ids)
        rows = self._client.records(self._dataset_id, include)
        return (raw for raw in rows if wanted is None or raw["id"] in wanted)

    def annotators(self) -> Mapping[str, str]:
        """User names; without an owner's key that of its user alone."""
        return self._client.usernames()

    # Reviews.

    def task_link(self, task: Task) -> str:
        """The page that finds a record by its text, among what one has submitted oneself."""
        return record_link(self._client.url, self._dataset_id, task, self._schema)

    def review(
        self, kind: ReviewKind, items: Sequence[ReviewItem], progress: Progress = silent
    ) -> ReviewQueue:
        """Give these records a place in the queue, and the reason, as metadata."""
        return fill_queue(self._client, self._dataset_id, kind, items, progress)

    # Pushing suggestions.

    def suggest(
        self, suggestions: Sequence[Suggestion], version: str, progress: Progress = silent
    ) -> int:
        """Push suggestions to records that do not show them yet; returns how many.

        Records that were deleted meanwhile are passed over; all other metadata stays as it is.
        Raises :class:`~backend.errors.ToolRejectedError` when Argilla stored fewer than were sent.
        """
        by_record = {suggestion.task_id: suggestion for suggestion in suggestions}
        targets = self._targets(by_record)
        waiting = list(targets)
        stored, refused = 0, list[str]()
        progress(0, len(waiting), "suggestions")
        for start in range(0, len(waiting), self._push_batch):
            batch = waiting[start : start + self._push_batch]
            items = [
                self._item(targets[record_id], by_record[record_id], round_of(version))
                for record_id in batch
            ]
            stored += self._push(items, refused)
            for item in items:
                carried = targets[item["id"]].carried
                if "suggestions" not in item and carried is not None:
                    self._client.delete_suggestion(carried)
            progress(start + len(batch), len(waiting), "suggestions")
        if refused:
            raise ToolRejectedError(
                f"Argilla refused {len(refused)} of {len(waiting)} suggestions and has the others. "
                f"The first: {refused[0]}"
            )
        return stored

    def _targets(self, by_record: Mapping[str, Suggestion]) -> dict[str, Target]:
        """The records that do not show their suggestion yet."""
        targets: dict[str, Target] = {}
        newest, of_newest = 0, set[str]()
        for raw in self._client.records(self._dataset_id, ("suggestions",)):
            last = (raw.get("metadata") or {}).get("round")
            if isinstance(last, int) and last > newest:
                newest, of_newest = last, set()
            if last == newest:
                of_newest.add(raw["id"])
            suggestion = by_record.get(raw["id"])
            target = None if suggestion is None else self._target(raw)
            if target and suggestion and not self._shows(raw, target, suggestion):
                targets[raw["id"]] = target
        for record_id in self._unindexed(newest, of_newest) & by_record.keys() - targets.keys():
            found = self._client.record(record_id)
            target = self._target(found) if found else None
            if target is not None:
                targets[record_id] = target
        return targets

    def _target(self, raw: Json) -> Target | None:
        try:
            text = task_from_json(raw, self._schema).text
        except PayloadError:
            return None
        carried = suggestion_in(raw, self._schema)
        ours = carried is not None and is_ours(carried.get("agent"))
        return Target(
            raw.get("metadata") or {}, len(text), str(carried["id"]) if carried and ours else None
        )

    def _shows(self, raw: Json, target: Target, suggestion: Suggestion) -> bool:
        wanted = suggestion_to_json(suggestion, target.characters, self._schema)
        return holds(raw, wanted, metadata_to_json(suggestion), self._schema)

    def _item(self, target: Target, suggestion: Suggestion, number: int) -> Json:
        """One record of a bulk request."""
        metadata = target.metadata | metadata_to_json(suggestion) | {"round": number}
        wanted = suggestion_to_json(suggestion, target.characters, self._schema)
        item: Json = {"id": suggestion.task_id, "metadata": metadata}
        return item if wanted is None else item | {"suggestions": [wanted]}

    def _unindexed(self, number: int, record_ids: set[str]) -> set[str]:
        """Records of the newest round that the search engine does not know as such.

        Argilla writes to its database first. If its search engine is down then, the record is
        stored and yet not found in the new order, and only another write brings it there. Rounds
        before the newest were looked at when the next one was pushed.
        """
        if not record_ids:
            return set()
        scope = {"entity": "metadata", "metadata_property": "round"}
        query = {
            "filters": {"and": [{"type": "range", "scope": scope, "ge": number, "le": number}]}
        }
        _, total = self._client.search(self._dataset_id, query, limit=1)
        if total == len(record_ids):
            return set()
        known: set[str] = set()
        for offset in range(0, total, PAGE):
            page, _ = self._client.search(self._dataset_id, query, offset=offset)
            known.update(raw["id"] for raw in page)
        return record_ids - known

    def _push(self, items: Sequence[Json], refused: list[str]) -> int:
        """Send a batch; returns how many were stored, and adds to ``refused`` why others were not.

        One bad record has Argilla refuse the whole request, so a refused batch is halved until the
        bad ones are alone. A record that is gone is no reason to complain.
        """
        try:
            self._client.upsert(self._dataset_id, items)
        except UnprocessableError as error:
            if len(items) > 1:
                half = len(items) // 2
                return self._push(items[:half], refused) + self._push(items[half:], refused)
            if self._client.record(items[0]["id"]) is not None:
                refused.append(f"record {items[0]['id']}: {error}")
            return 0
        return len(items)

    # The queue.

    def prioritise(self, version: str) -> None:
        """Make sure that the queue can be served in the order that was pushed.

        The order is in the records themselves. Raises :class:`~backend.errors.ToolError` where the
        search that the sorted link opens does not work.
        """
        self._client.search(self._dataset_id, BY_UNCERTAINTY, limit=1, as_annotator=True)

    def queue(self, limit: int = 10) -> list[str]:
        """Ids of the pending records in the order that annotators get them by the sorted link."""
        page, _ = self._client.search(
            self._dataset_id, BY_UNCERTAINTY, limit=limit, as_annotator=True
        )
        return [str(raw["id"]) for raw in page]


def round_of(version: str) -> int:
    """The number at the end of a version, 0 where there is none."""
    found = LAST_NUMBER.search(version)
    return int(found.group()) if found else 0
