"""Label Studio's JSON to and from the domain; past this module there is no raw key.

Pure: values in, values out. Offsets are code points of the untouched text on both sides. A
``<HyperText>`` that a browser does not show as it is stored is refused, because a span could only
be guessed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeGuard

from backend.domain import Annotation, Source, Span, Suggestion, Task
from backend.errors import PayloadError
from backend.label_studio.labels import Control, LabelConfig

Json = Mapping[str, Any]

LANGUAGE_KEYS = ("language", "lang")
OUR_DATA = "harambee_"
"""What those keys of a task's data begin with that harambee has added."""
MARKUP = frozenset("<&\r")
"""Tags, entities and carriage returns, which a browser replaces."""
COLLAPSED = re.compile(r"[ \t\n\f]{2}|[\t\n\f]|^ | $")
"""Whitespace that a browser shows as one space or none."""
BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
"""Two UTF-16 units. In a HyperText with collapsed whitespace, Label Studio 1.23 miscounts them."""
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
ONLY_TEXT_NODE = "/text()[1]"


@dataclass(frozen=True, slots=True)
class ReadAnnotation:
    """An annotation, and for each region that could not become a span the reason."""

    annotation: Annotation
    left_out: tuple[str, ...]


def task_from_json(raw: Json, config: LabelConfig) -> Task:
    """A task as Label Studio sends it.

    Other string values of its data become ``meta``, except the language and our own. Raises
    :class:`~backend.errors.PayloadError` naming the key that is missing or unusable.
    """
    data = raw.get("data")
    if not isinstance(data, Mapping):
        raise PayloadError("A task has no 'data' object; Label Studio always sends one.")
    task_id = read_id(raw, "id", "task")
    text = data.get(config.text_key)
    if not isinstance(text, str):
        found = "is missing" if config.text_key not in data else f"is {type(text).__name__}"
        raise PayloadError(
            f"Task {task_id} has no text: data[{config.text_key!r}] {found}, and the labelling "
            "config takes the text from there. Import the task again with a string."
        )
    if UNSTORABLE.search(text):
        raise PayloadError(
            f"Task {task_id} holds half of a character (a lone surrogate) or a NUL in "
            f"data[{config.text_key!r}], which no database takes. Import it again without."
        )
    if config.is_hypertext and not shown_as_stored(text):
        raise PayloadError(
            f"Task {task_id} holds HTML markup, or runs of spaces beside emoji, in "
            f"data[{config.text_key!r}]. In a <HyperText> the offsets of suggestions would be "
            "uncertain, so none are made. Use <Text>, or import the plain text."
        )
    strings = {key: value for key, value in data.items() if isinstance(value, str)}
    language = next((strings[key] for key in LANGUAGE_KEYS if strings.get(key)), None)
    hidden = (config.text_key, *LANGUAGE_KEYS)
    meta = {
        key: value
        for key, value in strings.items()
        if key not in hidden and not key.startswith(OUR_DATA)
    }
    return Task(task_id, text, language, MappingProxyType(meta))


def shown_as_stored(text: str) -> bool:
    """Whether offsets in a HyperText are certain: each stored character is one on the page."""
    if not MARKUP.isdisjoint(text):
        return False
    return not (COLLAPSED.search(text) and BEYOND_BMP.search(text))


def read_annotation(raw: Json, task_id: str, text: str, config: LabelConfig) -> ReadAnnotation:
    """What an annotator submitted for the task with this text.

    Label Studio stores regions without checking them; those that are no usable spans are left out
    with a reason. Raises :class:`~backend.errors.PayloadError` for JSON that is not an annotation.
    """
    skipped = bool(raw.get("was_cancelled"))
    left_out: list[str] = []
    spans = [] if skipped else read_regions(raw.get("result"), text, config, left_out)
    annotation = Annotation(
        id=read_id(raw, "id", "annotation"),
        task_id=task_id,
        spans=tuple(sorted(spans)),
        annotator=annotator_of(raw),
        updated_at=moment(raw.get("updated_at") or raw.get("created_at")),
        skipped=skipped,
        lead_time=seconds(raw.get("lead_time")),
    )
    return ReadAnnotation(annotation, tuple(left_out))


def read_regions(
    regions: object, text: str, config: LabelConfig, left_out: list[str]
) -> list[Span]:
    """The spans of text regions; regions of other controls pass by."""
    if not isinstance(regions, list):
        raise PayloadError("An annotation's 'result' must be a list of regions.")
    controls = {control.name: control for control in config.controls}
    spans: list[Span] = []
    for region in regions:
        control = controls.get(str(region.get("from_name"))) if isinstance(region, dict) else None
        if control is None or region.get("to_name") != config.text_name:
            continue
        bounds = read_bounds(region, text, config)
        labels = read_labels(region, control, config)
        if bounds is None:
            left_out.append(f"region {region.get('id')}: its offsets do not fit the text")
        elif not labels:
            left_out.append(f"region {region.get('id')}: it has no label of the config")
        else:
            spans.extend(Span(*bounds, label) for label in labels)
    return spans


def read_bounds(region: Json, text: str, config: LabelConfig) -> tuple[int, int] | None:
    """Code point bounds of a region, ``None`` where they cannot be right.

    Exports of old versions counted UTF-16 units; these are recovered if, and only if, the region's
    own text is then what stands there.
    """
    value = region.get("value")
    if not isinstance(value, Mapping):
        return None
    place = value.get("globalOffsets") if config.is_hypertext else value
    if not isinstance(place, Mapping):
        return None
    start, end = place.get("start"), place.get("end")
    if not is_offset(start) or not is_offset(end):
        return None
    stated = value.get("text")
    if fits(start, end, text, stated):
        return start, end
    recovered = from_utf16(text, start), from_utf16(text, end)
    if isinstance(stated, str) and fits(*recovered, text, stated):
        return recovered
    return None


def fits(start: int, end: int, text: str, stated: object) -> bool:
    """Whether bounds lie in the text, hold something, and agree with the stated mention."""
    if not 0 <= start < end <= len(text):
        return False
    return not isinstance(stated, str) or same_mention(text[start:end], stated)


def same_mention(slice_: str, stated: str) -> bool:
    """Equal but for line ends, which the page writes as a backslash and an n, and outer space."""
    return slice_ == stated or slice_.split() == stated.replace("\\n", "\n").split()


def from_utf16(text: str, offset: int) -> int:
    """The code point index of a UTF-16 offset, -1 where it is outside or splits a character."""
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * offset]
    try:
        before = units.decode("utf-16-le")
    except UnicodeDecodeError:
        return -1
    return len(before) if len(units) == 2 * offset else -1


def utf16_length(text: str) -> int:
    """How many UTF-16 units a text takes."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def read_labels(region: Json, control: Control, config: LabelConfig) -> list[str]:
    """The scheme labels that a region carries."""
    value = region.get("value")
    carried = value.get(control.region_type) if isinstance(value, Mapping) else None
    known = (
        config.name(control.name, label)
        for label in (carried if isinstance(carried, list) else [])
        if isinstance(label, str)
    )
    return [name for name in known if name is not None]


def prediction_to_json(
    suggestion: Suggestion, text: str, version: str, config: LabelConfig
) -> dict[str, Any]:
    """A suggestion as Label Studio stores it: ``score`` is the confidence in [0, 1].

    Spans that do not fit the text or whose label is not in the config (both may have changed since
    the suggestion was made) are left out: Label Studio would show them in the wrong place.
    """
    if not 0 <= suggestion.confidence <= 1:
        raise ValueError(f"confidence {suggestion.confidence} is not in [0, 1]")
    return {
        "model_version": version,
        "score": suggestion.confidence,
        "result": [
            region_to_json(span, suggestion, text, version, config)
            for span in suggestion.spans
            if span.label in config.scheme and 0 <= span.start < span.end <= len(text)
        ],
    }


def region_to_json(
    span: Span, suggestion: Suggestion, text: str, version: str, config: LabelConfig
) -> dict[str, Any]:
    """One span as a region of its control."""
    control, carried = config.place(span.label)
    region: dict[str, Any] = {
        "id": region_id(suggestion.task_id, version, span),
        "from_name": control.name,
        "to_name": config.text_name,
        "type": control.region_type,
        "value": place_of(span, text, config)
        | {"text": text[span.start : span.end], control.region_type: [carried]},
        "meta": meta_of(suggestion.source),
    }
    if span.score is not None:
        region["score"] = span.score
    return region


def place_of(span: Span, text: str, config: LabelConfig) -> dict[str, Any]:
    """Where a span stands.

    A HyperText without markup is one text node, in which a browser counts UTF-16 units;
    ``globalOffsets`` are code points again.
    """
    if not config.is_hypertext:
        return {"start": span.start, "end": span.end}
    return {
        "start": ONLY_TEXT_NODE,
        "end": ONLY_TEXT_NODE,
        "startOffset": utf16_length(text[: span.start]),
        "endOffset": utf16_length(text[: span.end]),
        "globalOffsets": {"start": span.start, "end": span.end},
    }


def region_id(task_id: str, version: str, span: Span) -> str:
    """An id that is unique in a task and the same whenever the same suggestion is sent."""
    key = f"{task_id}\n{version}\n{span.start}\n{span.end}\n{span.label}"
    return hashlib.blake2s(key.encode(), digest_size=6).hexdigest()


def meta_of(source: Source) -> dict[str, Any]:
    """Provenance for programs, and under ``text`` for people: the page shows that list."""
    meta: dict[str, Any] = {"source": source.kind.value, "model": source.model}
    shown = f"{source.kind.value}: {source.model}"
    if source.prompt_version is not None:
        meta["prompt_version"] = source.prompt_version
        shown = f"{shown}, prompt {source.prompt_version}"
    return {"text": [shown]} | meta


def read_id(raw: Json, key: str, what: str) -> str:
    """A numeric id as a string."""
    value = raw.get(key)
    if not is_offset(value):
        raise PayloadError(f"The {what} in the request has no numeric {key!r}.")
    return str(value)


def annotator_of(raw: Json) -> str:
    """Who submitted an annotation: the user's id, whatever shape the endpoint gives it."""
    user = raw.get("completed_by")
    if isinstance(user, Mapping):
        user = user.get("id")
    return "unknown" if user is None else str(user)


def moment(value: object) -> datetime:
    """A point in time from ISO 8601 with its zone."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise PayloadError("An annotation has no 'updated_at' with a time zone.")
    return read


def seconds(value: object) -> float | None:
    """A duration in seconds where one is given."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def is_offset(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a whole number that is not negative."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
