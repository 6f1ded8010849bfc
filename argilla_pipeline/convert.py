"""Argilla's JSON to and from the domain; past this module there is no raw key.

Pure: values in, values out. Argilla's server counts offsets in code points and its page in UTF-16
units, so each character beyond the Basic Multilingual Plane would shift what follows it by one. The
copy of a text in Argilla holds one placeholder for each such character, and the text itself stays
beside it, in metadata that the page does not show: offsets are the same in both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from argilla_pipeline.schema import Schema, place_key, reason_key
from backend.domain import NO_SOURCE, Annotation, ReviewKind, Route, Source, Span, Suggestion, Task
from backend.errors import PayloadError
from backend.text.normalise import GRAPHEME
from backend.text.spans import resolve_overlaps

Json = Mapping[str, Any]

ASTRAL = re.compile("[\U00010000-\U0010ffff]")
PLACEHOLDER = "\N{WHITE SQUARE}"
ORIGINAL = "_harambee_text"
"""Metadata under a name that begins with an underscore is neither shown nor searched."""
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
NOT_IN_AGENTS = re.compile(r"[^A-Za-z0-9\-_:./ ]")
LONGEST_AGENT = 200
LANGUAGE_KEYS = ("language", "lang")
DIGITS = 4
"""Of scores and of uncertainty: finer differences order nothing, and would be sent as changes."""
SUBMITTED, DISCARDED, DRAFT = "submitted", "discarded", "draft"


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """What an annotator did with a record. ``left_out`` says what could not become a span."""

    annotation: Annotation
    status: str
    left_out: tuple[str, ...] = ()


# Texts ------------------------------------------------------------------------------------------


def shown_text(text: str) -> str:
    """The text for Argilla's page: as many code points, none of them two UTF-16 units."""
    return ASTRAL.sub(PLACEHOLDER, text)


def hides_letters(text: str) -> bool:
    """Whether the page would show placeholders for letters: whole scripts, not just emoji."""
    return any(character.isalpha() for character in ASTRAL.findall(text))


def text_to_json(text: str, metadata: Json, schema: Schema) -> dict[str, Any]:
    """``fields`` and ``metadata`` of a record with this text.

    Raises :class:`~backend.errors.PayloadError` for a text that no database takes.
    """
    if UNSTORABLE.search(text):
        raise PayloadError(
            "A text holds half of a character (a lone surrogate) or a NUL, which Argilla cannot "
            "store. Leave it out or correct it."
        )
    shown = shown_text(text)
    kept = {key: value for key, value in metadata.items() if key != ORIGINAL}
    if shown != text:
        kept[ORIGINAL] = text
    return {"fields": {schema.text_field: shown}, "metadata": kept}


def original_text(shown: str, metadata: Json) -> str:
    """The text that a record stands for: the one kept beside it, while the two still agree."""
    kept = metadata.get(ORIGINAL)
    return kept if isinstance(kept, str) and shown_text(kept) == shown else shown


def task_from_json(raw: Json, schema: Schema) -> Task:
    """A record as a task. Other string metadata becomes ``meta``, except the language.

    Raises :class:`~backend.errors.PayloadError` for a record without a usable text.
    """
    record_id = str(raw["id"])
    shown = raw["fields"].get(schema.text_field)
    if not isinstance(shown, str):
        raise PayloadError(f"Record {record_id} has no text in the field {schema.text_field!r}.")
    if ASTRAL.search(shown):
        raise PayloadError(
            f"Record {record_id} holds an emoji or another character that Argilla's page counts "
            "twice, so spans after it would be in the wrong place. harambee-argilla migrate makes "
            "a dataset in which they are right."
        )
    metadata = raw.get("metadata") or {}
    text = original_text(shown, metadata)
    if UNSTORABLE.search(text):
        raise PayloadError(f"Record {record_id} holds a NUL or a lone surrogate.")
    strings = {
        key: value
        for key, value in metadata.items()
        if isinstance(value, str) and not key.startswith("_") and key not in OURS
    }
    language = next((strings.pop(key) for key in LANGUAGE_KEYS if strings.get(key)), None)
    return Task(record_id, text, language, MappingProxyType(strings))


# Suggestions ------------------------------------------------------------------------------------


def suggestion_to_json(
    suggestion: Suggestion, characters: int, schema: Schema
) -> dict[str, Any] | None:
    """A suggestion for a text of so many characters, ``None`` where no source has an answer.

    One score a span, in [0, 1]: its own, or the confidence of the whole answer. Spans that do not
    fit the text or whose label the dataset does not have are left out, and of overlapping ones the
    longer stays, because one bad span would have Argilla refuse the whole request.
    """
    if suggestion.source == NO_SOURCE:
        return None
    fitting = [
        span
        for span in suggestion.spans
        if span.label in schema.scheme and 0 <= span.start < span.end <= characters
    ]
    spans = sorted(fitting) if schema.overlapping else resolve_overlaps(fitting)[0]
    scores = [score_of(span, suggestion.confidence) for span in spans]
    return {
        "question_id": schema.question_id,
        "type": "model",
        "agent": agent_of(suggestion.source),
        "value": [{"start": s.start, "end": s.end, "label": s.label} for s in spans],
        "score": scores or None,
    }


def score_of(span: Span, otherwise: float) -> float:
    """A span's score as a number that Argilla takes."""
    score = span.score if span.score is not None and not math.isnan(span.score) else otherwise
    return round(min(max(float(score), 0.0), 1.0), DIGITS)


def agent_of(source: Source) -> str:
    """Who suggests, in the characters that Argilla allows: ``llm:gpt-5-nano entities-v2``."""
    name = f"{source.kind.value}:{source.model}"
    if source.prompt_version is not None:
        name = f"{name} {source.prompt_version}"
    return NOT_IN_AGENTS.sub("_", name)[:LONGEST_AGENT]


def is_ours(agent: object) -> bool:
    """Whether an agent is one of :func:`agent_of`'s."""
    return isinstance(agent, str) and agent.startswith(("llm:", "tagger:"))


def metadata_to_json(suggestion: Suggestion) -> dict[str, Any]:
    """What a suggestion says of its record, and what the queue is sorted by.

    ``uncertainty`` is 1 minus the confidence, both floats in [0, 1]; ``route`` is who is to label
    the record, by the router: ``llm`` where its answer may stand unchecked, ``human``, or ``later``
    (a human, when the budget allows). An audited record says ``human`` as well, because annotators
    see it; so does one that nothing was decided about.
    """
    if not 0 <= suggestion.confidence <= 1:
        raise ValueError(f"confidence {suggestion.confidence} is not in [0, 1]")
    silent = suggestion.source == NO_SOURCE
    return {
        "uncertainty": round(1.0 - suggestion.confidence, DIGITS),
        "confidence": round(float(suggestion.confidence), DIGITS),
        "model_version": "none" if silent else suggestion.source.model,
        "route": told_route(suggestion.route).value,
    }


def told_route(route: Route | None) -> Route:
    """The route as annotators may see it: which records are audited is not for them to know."""
    return Route.HUMAN if route in (None, Route.AUDIT) else route


OURS = frozenset(
    {"uncertainty", "confidence", "model_version", "route", "round"}
    | {key for kind in ReviewKind for key in (place_key(kind), reason_key(kind))}
)
"""Metadata that harambee writes with every suggestion, and where a review is asked for."""


def holds(raw: Json, suggestion: Json | None, metadata: Json, schema: Schema) -> bool:
    """Whether a record shows a suggestion already, by what annotators see and are served by."""
    kept = raw.get("metadata") or {}
    if any(kept.get(key) != value for key, value in metadata.items()):
        return False
    carried = suggestion_in(raw, schema)
    if suggestion is None:
        return carried is None or not is_ours(carried.get("agent"))
    return carried is not None and all(
        carried.get(key) == suggestion[key] for key in ("agent", "value", "score")
    )


def suggestion_in(raw: Json, schema: Schema) -> Json | None:
    """The suggestion that a record carries for the question."""
    carried = raw.get("suggestions") or []
    return next((item for item in carried if str(item["question_id"]) == schema.question_id), None)


# Responses --------------------------------------------------------------------------------------


def responses_of(raw: Json, text: str, schema: Schema) -> list[ReadResponse]:
    """Every response to a record, drafts too, each annotator's apart."""
    return [read_response(item, text, schema) for item in raw.get("responses") or []]


def read_response(raw: Json, text: str, schema: Schema) -> ReadResponse:
    """What an annotator did. Spans that cannot be right are left out, the others snapped.

    The page can cut a letter from its combining marks: a span that does is widened to whole
    graphemes.
    """
    status = str(raw["status"])
    left_out: list[str] = []
    spans = [] if status == DISCARDED else read_spans(values_of(raw, schema), text, left_out)
    annotation = Annotation(
        id=str(raw["id"]),
        task_id=str(raw["record_id"]),
        spans=tuple(sorted(set(spans))),
        annotator=str(raw["user_id"]),
        updated_at=moment(raw["updated_at"]),
        skipped=status == DISCARDED,
    )
    return ReadResponse(annotation, status, tuple(left_out))


def values_of(raw: Json, schema: Schema) -> list[Any]:
    """The spans of a response; a response may hold no values at all."""
    values = raw.get("values") or {}
    answer = values.get(schema.question) if isinstance(values, Mapping) else None
    value = answer.get("value") if isinstance(answer, Mapping) else None
    return value if isinstance(value, list) else []


def read_spans(raw: Iterable[Any], text: str, left_out: list[str]) -> list[Span]:
    """Spans of the text, whole graphemes each."""
    spans = []
    for item in raw:
        start, end = item.get("start"), item.get("end")
        whole = isinstance(start, int) and isinstance(end, int)
        if whole and 0 <= start < end <= len(text):
            spans.append(Span(*snapped(text, start, end), str(item.get("label"))))
        else:
            left_out.append(f"{item.get('label')} at {start}-{end} is not in the text")
    return spans


def snapped(text: str, start: int, end: int) -> tuple[int, int]:
    """The smallest run of whole graphemes that holds ``text[start:end]``."""
    bounds = [match.span() for match in GRAPHEME.finditer(text)]
    begins = max(first for first, _ in bounds if first <= start)
    ends = min(last for _, last in bounds if last >= end)
    return begins, ends


def spans_to_json(spans: Iterable[Span], schema: Schema) -> dict[str, Any]:
    """Spans as the values of a response; never ``None``, which Argilla could not read again."""
    value = [{"start": s.start, "end": s.end, "label": s.label} for s in sorted(spans)]
    return {schema.question: {"value": value}}


def moment(value: object) -> datetime:
    """A point in time; Argilla writes UTC without saying so."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise PayloadError("A response has no 'updated_at'.") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
