"""Texts into a dataset of Argilla, in bulk, with what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.convert import SUBMITTED, spans_to_json, text_to_json
from argilla_pipeline.schema import Schema
from backend.domain import Span
from backend.protocols import Progress, silent
from backend.store.rows import chunks

BATCH = 250


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A text to add. ``external_id`` keeps it from being added twice.

    ``responses``: status and spans by the id of the user who made them; ``suggestions`` and
    ``metadata`` are Argilla's own JSON.
    """

    external_id: str
    text: str
    metadata: Mapping[str, Any]
    responses: Mapping[str, tuple[str, tuple[Span, ...]]]
    suggestions: tuple[Mapping[str, Any], ...] = ()


def new_record(
    external_id: str,
    text: str,
    language: str | None = None,
    accepted: tuple[str, tuple[Span, ...]] | None = None,
) -> NewRecord:
    """A text with its language, and the spans that a user has accepted in it, if any."""
    metadata = {"language": language} if language else {}
    responses = {} if accepted is None else {accepted[0]: (SUBMITTED, accepted[1])}
    return NewRecord(external_id, text, metadata, responses)


def add_records(
    client: ArgillaClient,
    dataset_id: str,
    schema: Schema,
    records: Iterable[NewRecord],
    progress: Progress = silent,
) -> Iterator[tuple[str, str]]:
    """Add records, or bring those up to date whose ``external_id`` is there.

    Yields the external id and Argilla's own id of each, in order. May be cut off and repeated.
    """
    done = 0
    for batch in chunks(records, BATCH):
        rows = client.upsert(dataset_id, [record_to_json(item, schema) for item in batch])
        done += len(batch)
        progress(done, done, "records")
        yield from ((str(row["external_id"]), str(row["id"])) for row in rows)


def record_to_json(record: NewRecord, schema: Schema) -> dict[str, Any]:
    """One item of a bulk request."""
    item: dict[str, Any] = {
        "external_id": record.external_id,
        **text_to_json(record.text, record.metadata, schema),
    }
    if record.suggestions:
        item["suggestions"] = list(record.suggestions)
    if record.responses:
        item["responses"] = [
            {"user_id": user, "status": status, "values": spans_to_json(spans, schema)}
            for user, (status, spans) in record.responses.items()
        ]
    return item
