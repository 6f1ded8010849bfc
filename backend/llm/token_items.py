"""The items of a token list as pairs of a token and a label, whatever form a model gave them.

Asked for ``[token, label]``, models also write lists of three and more ("COVID", "-", "19", "O"),
bare strings, tokens and labels in one string, numbers, objects, or the labels alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.llm.json_repair import FIELD_NAMES

TAG = re.compile(r"(?:O|[BIESLU]-\S+)")
_ONE_STRING = re.compile(
    rf"\(?[\"']?(?P<token>[^\n]{{1,200}}?)[\"']?(?:\s*(?:,|:|/|\||->)\s*|\s+)"
    rf"[\"']?(?P<label>{TAG.pattern})[\"']?\)?"
)


@dataclass(frozen=True, slots=True)
class LabelledToken:
    """A token as a model gave it back; ``label`` is ``None`` where it gave none.

    ``as_asked`` is whether it came as a list of exactly a token and a label, both strings.
    ``follows`` marks the further tokens of one item, which share one label.
    """

    token: str
    label: str | None
    as_asked: bool = True
    follows: bool = False


def labelled_tokens(items: Sequence[Any], source: Sequence[str]) -> list[LabelledToken]:
    """The pairs in the items of one list, in order. Takes any JSON values and never raises.

    The tokens of the text settle what stands for what: a list of as many tags as the text has
    tokens labels them in order, and a pair with its label first is turned round.
    """
    if items and len(items) == len(source) and all(_is_tag(item) for item in items):
        return [
            LabelledToken(token, tag, as_asked=False)
            for token, tag in zip(source, items, strict=True)
        ]
    known = frozenset(source)
    return [pair for row in _rows(items) for pair in _pairs(row, known)]


@dataclass(frozen=True, slots=True)
class _Row:
    """Plain values that stood together; ``bracketed`` if they were an item of their own."""

    values: tuple[Any, ...]
    bracketed: bool


def _rows(items: Sequence[Any]) -> Iterator[_Row]:
    loose: list[Any] = []
    for item in items:
        if not isinstance(item, list | tuple | Mapping):
            loose.append(item)
            continue
        if loose:
            yield _Row(tuple(loose), bracketed=False)
            loose = []
        yield from _rows_of_item(item)
    if loose:
        yield _Row(tuple(loose), bracketed=False)


def _rows_of_item(item: Any) -> Iterator[_Row]:
    if isinstance(item, Mapping):
        if any(str(key).casefold() in FIELD_NAMES for key in item):
            yield _Row(tuple(_flat(list(item.values()))), bracketed=True)
        else:
            for pair in item.items():
                yield _Row(tuple(_flat(pair)), bracketed=True)
    elif len(item) > 0 and all(isinstance(inner, list | tuple | Mapping) for inner in item):
        for inner in item:
            yield from _rows_of_item(inner)
    else:
        yield _Row(tuple(_flat(item)), bracketed=True)


def _flat(values: Any) -> Iterator[Any]:
    """The plain values in nested ones; nothing of what is nested deeper than JSON is read."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting.extend(reversed(value))
        elif isinstance(value, Mapping):
            waiting.extend(reversed(list(value.values())))
        else:
            yield value


def _pairs(row: _Row, known: frozenset[str]) -> Iterator[LabelledToken]:
    values = row.values
    if row.bracketed and len(values) == 2:
        yield _pair(values[0], values[1], known)
        return
    waiting: list[str] = []
    for at, value in enumerate(values):
        is_last = at == len(values) - 1
        if waiting and (_is_tag(value) or (row.bracketed and is_last)):
            yield from _shared(waiting, _text(value), together=row.bracketed)
            waiting = []
        elif isinstance(value, str) and (both := _ONE_STRING.fullmatch(value.strip())):
            yield from _unlabelled(waiting)
            waiting = []
            yield LabelledToken(both["token"], both["label"], as_asked=False)
        elif waiting or at == 0 or not _is_tag(value):
            waiting.append(_text(value))
    yield from _unlabelled(waiting)


def _pair(first: Any, second: Any, known: frozenset[str]) -> LabelledToken:
    token, label = _text(first), _text(second)
    as_asked = isinstance(first, str) and isinstance(second, str)
    if _is_tag(token) and not _is_tag(label) and label in known and token not in known:
        return LabelledToken(label, token, as_asked=False)
    return LabelledToken(token, None if second is None else label, as_asked=as_asked)


def _shared(tokens: Sequence[str], label: str, *, together: bool) -> Iterator[LabelledToken]:
    """Tokens before one label: those of one item share it; of a loose run, only the last has it."""
    alone = len(tokens) - 1
    for at, token in enumerate(tokens):
        if together or at == alone:
            yield LabelledToken(token, label, as_asked=False, follows=together and at > 0)
        else:
            yield LabelledToken(token, None, as_asked=False)


def _unlabelled(tokens: Sequence[str]) -> Iterator[LabelledToken]:
    return (LabelledToken(token, None, as_asked=False) for token in tokens)


def _is_tag(value: Any) -> bool:
    return isinstance(value, str) and TAG.fullmatch(value) is not None


def _text(value: Any) -> str:
    """A value as the model meant it: ``true`` and ``null`` are words of some language too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
