"""From what a model wrote to the mentions it meant, or to the reason why there are none.

Servers may ignore the schema they were sent, so an answer is always checked here. Fences and
prose around the JSON are forgiven, and so is a list of entities without the object around it; any
other answer is invalid, never an empty list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backend.domain import Rejection
from backend.llm.json_repair import lenient_objects
from backend.text.spans import Mention

LONGEST_ANSWER = 200_000
MOST_OPENINGS = 100
"""Characters that are read, and places in them where JSON may begin: bounds for hostile answers."""

SHOWN = 80


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What a model meant: mentions, items that are none, and how sure it is of the whole."""

    mentions: tuple[Mention, ...]
    malformed: tuple[Rejection, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class InvalidAnswer:
    """An answer without a list of entities."""

    reason: str


def parse_answer(raw: str) -> ParsedAnswer | InvalidAnswer:
    """The entities in an answer. Takes any string and never raises."""
    if len(raw) > LONGEST_ANSWER:
        return InvalidAnswer(f"the answer is longer than {LONGEST_ANSWER} characters")
    for value in json_values(raw):
        if isinstance(value, dict) and isinstance(value.get("entities"), list):
            return _entities(value["entities"], value.get("confidence"))
        if isinstance(value, list) and _are_entities(value):
            return _entities(value, None)
    objects = lenient_objects(raw)
    entities = [item for item in objects if "mention" in item]
    if _are_entities(entities):
        overall = (item["confidence"] for item in objects if item.keys() == {"confidence"})
        return _entities(entities, next(overall, None))
    return InvalidAnswer(f"no list of entities in the answer, which begins: {raw[:SHOWN]!r}")


def _are_entities(items: list[Any]) -> bool:
    """Whether these may be what was asked for: objects only, one of them a labelled mention."""
    return all(isinstance(item, dict) for item in items) and any(map(_mention, items))


def json_values(raw: str) -> Iterator[Any]:
    """Every JSON object or array in ``raw``, the whole of it first, outermost before inner."""
    decoder = json.JSONDecoder()
    position = 0
    for _ in range(MOST_OPENINGS):
        openings = [at for at in (raw.find("{", position), raw.find("[", position)) if at >= 0]
        if not openings:
            return
        position = min(openings)
        try:
            value, end = decoder.raw_decode(raw, position)
        except (ValueError, RecursionError):
            position += 1
        else:
            yield value
            position = end


def _entities(items: list[Any], confidence: Any) -> ParsedAnswer:
    mentions: list[Mention] = []
    malformed: list[Rejection] = []
    for item in items:
        mention = _mention(item)
        if mention is None:
            malformed.append(Rejection(_shown(item), "", "not a labelled mention"))
        else:
            mentions.append(mention)
    return ParsedAnswer(tuple(mentions), tuple(malformed), _probability(confidence))


def _mention(item: Any) -> Mention | None:
    if not isinstance(item, dict):
        return None
    words, label = item.get("mention"), item.get("label")
    if not isinstance(words, str) or not isinstance(label, str) or not words.strip():
        return None
    return Mention(
        storable(words),
        storable(label),
        _occurrence(item.get("occurrence")),
        _probability(item.get("confidence")),
    )


def _occurrence(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        return None
    return value


def _probability(value: Any) -> float | None:
    """A stated confidence, if it is one: "certain" and 95 are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def _shown(item: Any) -> str:
    words = item.get("mention") if isinstance(item, dict) else item
    return storable(words)[:SHOWN] if isinstance(words, str) else f"({type(words).__name__})"


def storable(text: str) -> str:
    r"""The text without what databases refuse: lone surrogates (``"\ud800"``) and NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
