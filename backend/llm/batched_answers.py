"""Answers to several texts at once, taken apart into one answer for each text.

A part has the form that :func:`backend.llm.parsing.parse_answer` reads, so that a text's answer is
the same thing wherever it comes from: a call of its own, a call that it shared, the cache. What is
not clearly the answer to one text is left out; nothing is guessed from the order.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from backend.llm.parsing import LONGEST_ANSWER

LONG_KEYS = {"m": "mention", "l": "label", "n": "occurrence", "c": "confidence", "e": "entities"}
SHORT_KEY = re.compile(r'([{,]\s*)"([mlnce])"(?=\s*:)')
ITEM = re.compile(r'\{\s*"i"\s*:')
RECORD = re.compile(r'"record_(\d{1,4})"\s*:\s*')

Parts = Mapping[int, str]
"""Answers by the position of their text in the question, from 0."""


def numbered_parts(raw: str, texts: int) -> Parts:
    """The parts of an answer of the form ``{"s": [{"i": 1, "e": [...], "c": 90}, ...]}``.

    JSON that is broken in one item, or cut off, costs that item only. An answer to a single text
    may come without a number.
    """
    if len(raw) > LONGEST_ANSWER:
        return {}
    try:
        value = _first_json(raw)
        items = list(_items(value)) or list(_chunks(raw))
        if texts == 1 and not items:
            return {0: _long_form(value) if isinstance(value, dict) else _with_long_keys(raw)}
    except RecursionError:
        return {}
    return _once_each(((number - 1, part) for number, part in items), texts)


def recorded_parts(raw: str, texts: int) -> Parts:
    """The parts of an answer of the form ``{"output": {"record_0": [[token, tag], ...], ...}}``."""
    if len(raw) > LONGEST_ANSWER:
        return {}
    found = (
        (int(start.group(1)), json.dumps(items))
        for start in RECORD.finditer(raw)
        if (items := _json_at(raw, start.end())) is not None
    )
    return _once_each(found, texts)


def _once_each(found: Iterator[tuple[int, str]], texts: int) -> Parts:
    parts = list(found)
    times = Counter(position for position, _ in parts)
    return {at: part for at, part in parts if at in range(texts) and times[at] == 1}


def _first_json(raw: str) -> Any:
    """The value that the answer's first bracket opens, ``None`` where that is broken."""
    opening = re.search(r"[{\[]", raw)
    return _json_at(raw, opening.start()) if opening else None


def _json_at(raw: str, position: int) -> Any:
    try:
        return json.JSONDecoder().raw_decode(raw, position)[0]
    except (ValueError, RecursionError):
        return None


def _items(value: Any) -> Iterator[tuple[int, str]]:
    listed = value.get("s", [value]) if isinstance(value, dict) else value
    for item in listed if isinstance(listed, list) else []:
        number = _number(item.get("i")) if isinstance(item, dict) else None
        if number is not None:
            yield number, _long_form(item)


def _chunks(raw: str) -> Iterator[tuple[int, str]]:
    """Items of an answer that is no JSON as a whole; each ends where the next one begins."""
    bounds = [*(start.start() for start in ITEM.finditer(raw)), len(raw)]
    for start, end in pairwise(bounds):
        item = _json_at(raw[start:end], 0)
        number = _number(item.get("i")) if isinstance(item, dict) else None
        if number is not None:
            yield number, _long_form(item)


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _long_form(item: dict[str, Any]) -> str:
    """The item with the keys and the confidences of a prompt that asks for one text."""
    entities = item.get("e")
    listed = entities if isinstance(entities, list) else []
    holders = [holder for holder in (item, *listed) if isinstance(holder, dict)]
    scale = 100 if any((_certainty(holder) or 0) > 1 for holder in holders) else 1
    long = _with_long_names(item, scale)
    if isinstance(entities, list):
        long["entities"] = [
            _with_long_names(entity, scale) if isinstance(entity, dict) else entity
            for entity in entities
        ]
    return json.dumps(long)


def _with_long_names(holder: dict[str, Any], scale: int) -> dict[str, Any]:
    long = {LONG_KEYS.get(key, key): value for key, value in holder.items() if key != "i"}
    certain = _certainty(holder)
    return long if certain is None else long | {"confidence": certain / scale}


def _certainty(holder: dict[str, Any]) -> float | None:
    """A confidence, in per cent as was asked for or as a share."""
    stated = holder.get("c")
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return None
    return stated if 0 <= stated <= 100 else None


def _with_long_keys(raw: str) -> str:
    """A broken answer to one text, as :mod:`~backend.llm.parsing` may be able to repair it."""
    return SHORT_KEY.sub(lambda found: f'{found.group(1)}"{LONG_KEYS[found.group(2)]}"', raw)
