"""A queue for reviewers in Argilla: records with a place in it, and the link that shows them so.

The place and the reason are metadata of the record. An annotator finds under "submitted" what they
submitted themselves, so everybody who opens the link reviews their own labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from argilla_pipeline.client import PAGE, ArgillaClient
from argilla_pipeline.convert import shown_text
from argilla_pipeline.schema import Schema, missing_properties, place_key, reason_key
from backend.domain import ReviewItem, ReviewKind, ReviewQueue, Task
from backend.protocols import Progress, silent

Json = dict[str, Any]

LAST_PLACE = 999_999
"""The link asks for places up to here, so that it stays right when the queue grows."""
LONGEST_REASON = 300
BATCH = 250
SEARCHED_WORDS = 12
OPERATORS = re.compile(r"[+|\"*()~\\_]|(?<!\w)-")
"""What would be more than a word in a search, or in the address of one."""


def fill_queue(
    client: ArgillaClient,
    dataset_id: str,
    kind: ReviewKind,
    items: Sequence[ReviewItem],
    progress: Progress = silent,
) -> ReviewQueue:
    """Make ``items`` the queue of that kind; only records that change are written.

    What the search engine does not know as it should, because it was down when something was
    written, is written again.
    """
    for missing in missing_properties(
        client.metadata_properties(dataset_id), {place_key(kind): "integer"}
    ):
        client.create_metadata_property(dataset_id, **missing)
    explain = bool(client.dataset(dataset_id).get("allow_extra_metadata", True))
    wanted = {
        item.task_id: _marks(kind, place, item.reason if explain else None)
        for place, item in enumerate(items, start=1)
    }
    indexed = set(_indexed(client, dataset_id, kind))
    changed: list[Json] = []
    there, left = 0, 0
    for raw in client.records(dataset_id):
        metadata = raw.get("metadata") or {}
        marked = _unmarked(kind, metadata) | wanted.get(raw["id"], {})
        there += raw["id"] in wanted
        left += place_key(kind) in metadata and raw["id"] not in wanted
        if marked != metadata or (raw["id"] in indexed) != (raw["id"] in wanted):
            changed.append({"id": raw["id"], "metadata": marked})
    progress(0, len(changed), "records to review")
    for start in range(0, len(changed), BATCH):
        client.upsert(dataset_id, changed[start : start + BATCH])
        progress(min(start + BATCH, len(changed)), len(changed), "records to review")
    return ReviewQueue(queue_link(client.url, dataset_id, kind), there, left)


def queue_link(url: str, dataset_id: str, kind: ReviewKind) -> str:
    """The page of the queue: what the annotator submitted, first place first."""
    key = place_key(kind)
    return (
        f"{url}/dataset/{dataset_id}/annotation-mode?page=1&status=submitted"
        f"&metadata={key}.ge1.le{LAST_PLACE}&sort=metadata.{key}.asc"
    )


def record_link(url: str, dataset_id: str, task: Task, schema: Schema) -> str:
    """The page that a search for the first words of a text finds among what one has submitted.

    Argilla has no address for a single record.
    """
    words = OPERATORS.sub(" ", shown_text(task.text)).split()[:SEARCHED_WORDS]
    searched = quote(f"{'_'.join(words)}~{schema.text_field}")
    return f"{url}/dataset/{dataset_id}/annotation-mode?page=1&status=submitted&search={searched}"


def _marks(kind: ReviewKind, place: int, reason: str | None) -> Json:
    marks: Json = {place_key(kind): place}
    return marks if reason is None else marks | {reason_key(kind): reason[:LONGEST_REASON]}


def _unmarked(kind: ReviewKind, metadata: Mapping[str, Any]) -> Json:
    ours = (place_key(kind), reason_key(kind))
    return {key: value for key, value in metadata.items() if key not in ours}


def _indexed(client: ArgillaClient, dataset_id: str, kind: ReviewKind) -> Iterator[str]:
    """The records that the search engine finds in the queue."""
    scope = {"entity": "metadata", "metadata_property": place_key(kind)}
    query = {"filters": {"and": [{"type": "range", "scope": scope, "ge": 1, "le": LAST_PLACE}]}}
    offset, total = 0, 1
    while offset < total:
        page, total = client.search(dataset_id, query, offset=offset)
        yield from (str(raw["id"]) for raw in page)
        offset += PAGE
