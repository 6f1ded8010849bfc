"""Broken JSON, read as far as it means something.

Models write JSON with quotation marks inside strings, single quotes, tuples, brackets that are
missing or too many, prose around it, and an end that never comes. Here such text becomes marks
and values, and these become lists or objects, without ever failing. Valid JSON is not read here
but by :mod:`json`, which is exact by definition.

The whole art is where a string ends. In an answer, a quotation mark ends one only where JSON may
go on behind it, so the three marks of a token that is itself a mark (a quote between quotes)
come out as that token. General repair libraries drop it: json-repair 0.64 reads it as "" or ", ".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool | None

CLOSING = {'"': '"', "'": "'", "“": "”“", "„": "“”", "‘": "’‘"}
"""Marks that open a string, and those that may close it."""

LONGEST_WORD = 200

_BARE = rf"[^\s\"'“”„‘’\[\](){{}},:]{{1,{LONGEST_WORD}}}"
_STRING_ENDS = re.compile(
    r"\s*(?:[\])}:]|\Z"
    r"|,\s*(?:[\"'“„‘\[({\])}]|-?\d|\Z|(?:true|false|null|True|False|None)\b"
    rf"|{_BARE}\s*[\])}}]))"
)
_NEXT_LINE_BEGINS_ANEW = re.compile(r"\s*[\[({\])}\"'“„‘]")
_START = re.compile(r"[\[({](?=\s*[\"'“„‘\[({])|[\[{]")
_WORD = re.compile(_BARE)
_LITERALS: dict[str, Scalar] = {
    "null": None, "None": None, "true": True, "True": True, "false": False, "False": False,
}  # fmt: skip
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

FIELD_NAMES = frozenset(
    {"token", "word", "text", "label", "tag", "entity", "type", "ner", "mention"}
)
"""Keys of an item that is an object; any other key in a list is itself a token."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A bracket or a brace; ``closes`` tells which side."""

    sign: str

    @property
    def closes(self) -> bool:
        """Whether it ends something."""
        return self.sign in "])}"


@dataclass(frozen=True, slots=True)
class Value:
    """A string, number or literal; ``is_key`` where a colon follows."""

    value: Scalar
    is_key: bool = False


Lexeme = Mark | Value


def lexemes(raw: str) -> Iterator[Lexeme]:
    """Marks and values of ``raw`` from the first place that looks like JSON. Never raises.

    A string that never ends is left out: nobody knows how it was to go on.
    """
    start = _START.search(raw)
    position = start.start() if start else len(raw)
    while position < len(raw):
        character = raw[position]
        if character in "[](){}":
            yield Mark(character)
            position += 1
        elif character in CLOSING:
            text, position = _string(raw, position)
            if text is not None:
                yield Value(text, _colon_follows(raw, position))
        elif word := _WORD.match(raw, position):
            position = word.end()
            if any(map(str.isalnum, word.group())):
                yield Value(_bare_value(word.group()), _colon_follows(raw, position))
        else:
            position += 1


@dataclass(slots=True)
class _ListReader:
    """Collects rows from marks and values, whatever the nesting: only the innermost counts."""

    lists: list[list[Any]] = field(default_factory=lambda: [[]])
    row: list[Scalar] | None = None

    def open(self) -> None:
        self.close()
        self.row = []

    def close(self) -> None:
        if self.row:
            self.lists[-1].append(self.row)
        self.row = None

    def add(self, value: Scalar) -> None:
        (self.lists[-1] if self.row is None else self.row).append(value)

    def next_list(self) -> None:
        self.close()
        if self.lists[-1]:
            self.lists.append([])


def lenient_lists(raw: str) -> list[list[Any]]:
    """The lists of rows in a text that is not JSON, one for each key that holds a list.

    Each item is a row (a list of what stood between two innermost brackets) or a value that stood
    outside of any. Empty lists are left out.
    """
    reader = _ListReader()
    found = list(lexemes(raw))
    for at, lexeme in enumerate(found):
        match lexeme:
            case Mark(closes=False):
                reader.open()
            case Mark():
                reader.close()
            case Value(value, is_key=True):
                follower = found[at + 1] if at + 1 < len(found) else None
                if isinstance(follower, Mark) and not follower.closes:
                    reader.next_list()
                elif str(value).casefold() not in FIELD_NAMES:
                    reader.add(value)
            case Value(value):
                reader.add(value)
    reader.close()
    return [items for items in reader.lists if items]


def lenient_objects(raw: str) -> list[dict[str, Any]]:
    """The innermost objects in a text that is not JSON, of their plain values only.

    A key that comes twice begins the next object, so that a missing brace parts nothing.
    """
    objects: list[dict[str, Any]] = [{}]
    key: str | None = None
    for lexeme in lexemes(raw):
        match lexeme:
            case Mark():
                key = None
                if lexeme.sign in "{}":
                    objects.append({})
            case Value(value, is_key=True):
                key = str(value)
                if key in objects[-1]:
                    objects.append({})
            case Value(value) if key is not None:
                objects[-1][key] = value
                key = None
    return [item for item in objects if item]


def _string(raw: str, opening: int) -> tuple[str | None, int]:
    """The string that begins at ``opening`` and where it ends; ``None`` if it does not end."""
    closing = CLOSING[raw[opening]]
    position = opening + 1
    while position < len(raw):
        character = raw[position]
        if character == "\\":
            position += 2
        elif character in closing and _STRING_ENDS.match(raw, position + 1):
            return _unescape(raw[opening + 1 : position]), position + 1
        elif character == "\n" and _NEXT_LINE_BEGINS_ANEW.match(raw, position):
            return _unescape(raw[opening + 1 : position].rstrip(" \t\r,])}")), position
        else:
            position += 1
    return None, len(raw)


def _colon_follows(raw: str, position: int) -> bool:
    while position < len(raw) and raw[position].isspace():
        position += 1
    return raw.startswith(":", position)


def _bare_value(word: str) -> Scalar:
    if word in _LITERALS:
        return _LITERALS[word]
    return json.loads(word) if _NUMBER.fullmatch(word) else word


def _unescape(text: str) -> str:
    def plain(escape: re.Match[str]) -> str:
        sign = escape.group(1)
        if len(sign) > 1:
            return chr(int(sign[1:], 16))
        return _ESCAPED.get(sign, sign)

    return _ESCAPE.sub(plain, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
