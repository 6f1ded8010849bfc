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

DEEPEST = 20
"""Levels of lists in lists; what is nested deeper is read as flat."""

TAG = re.compile(r"(?:O|[BIESLU]-\S+)")
_ONE_STRING = re.compile(
    rf"\(?[\"']?(?P<token>[^\n]{{1,200}}?)[\"']?(?:\s*(?:,|:|/|\||->)\s*|\s+)"
    rf"[\"']?(?P<label>{TAG.pattern})[\"']?\)?"
)
_TAGGED_WORD = re.compile(
    r"(?<!\S)(?P<token>\S{1,200}?)(?:\s*[/|:,]\s*|\s+)(?P<label>O|[BIESLU]-\w{1,50})(?=[\s,;]|\Z)"
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


def tagged_words(raw: str) -> list[list[str]]:
    """Pairs in a text without any JSON: "Ada/B-PER saw/O", or a line for each token as in CoNLL."""
    return [[found["token"], found["label"]] for found in _TAGGED_WORD.finditer(raw)]


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
    """Plain values that stood together.

    ``bracketed`` if they were an item of their own; ``as_asked`` if that was a pair of strings.
    """

    values: tuple[Any, ...]
    bracketed: bool = True
    as_asked: bool = False


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


def _rows_of_item(item: Any, depth: int = 0) -> Iterator[_Row]:
    if isinstance(item, Mapping):
        if any(str(key).casefold() in FIELD_NAMES for key in item):
            yield _Row(tuple(_flat(item)))
        else:
            for key, value in item.items():
                yield _Row((key, *_flat(value)))
    elif (
        len(item) > 0
        and depth < DEEPEST
        and all(isinstance(inner, list | tuple | Mapping) for inner in item)
    ):
        for inner in item:
            yield from _rows_of_item(inner, depth + 1)
    else:
        pair = len(item) == 2 and all(isinstance(value, str) for value in item)
        yield _Row(tuple(_flat(item)), as_asked=pair and depth == 0)


def _flat(values: Any) -> Iterator[Any]:
    """The plain values in nested ones, whatever the depth."""
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
        yield _pair(values[0], values[1], known, as_asked=row.as_asked)
        return
    waiting: list[str] = []
    for at, value in enumerate(values):
        is_last = at == len(values) - 1
        if waiting and (_is_tag(value) or (row.bracketed and is_last)):
            # What is not in the text may have swallowed the label of what stands before it.
            sharing = known if row.bracketed else frozenset[str]()
            yield from _shared(waiting, _text(value), sharing)
            waiting = []
        elif isinstance(value, str) and (both := _ONE_STRING.fullmatch(value.strip())):
            yield from _unlabelled(waiting)
            waiting = []
            yield LabelledToken(both["token"], both["label"], as_asked=False)
        elif waiting or at == 0 or not _is_tag(value):
            waiting.append(_text(value))
    yield from _unlabelled(waiting)


def _pair(first: Any, second: Any, known: frozenset[str], *, as_asked: bool) -> LabelledToken:
    token, label = _text(first), _text(second)
    if _is_tag(token) and not _is_tag(label) and label in known and token not in known:
        return LabelledToken(label, token, as_asked=False)
    return LabelledToken(token, None if second is None else label, as_asked=as_asked)


def _shared(tokens: Sequence[str], label: str, sharing: frozenset[str]) -> Iterator[LabelledToken]:
    """Tokens before one label: it is the last one's, and that of those before it in ``sharing``."""
    first = len(tokens) - 1
    while first > 0 and tokens[first] in sharing and tokens[first - 1] in sharing:
        first -= 1
    yield from _unlabelled(tokens[:first])
    for at, token in enumerate(tokens[first:]):
        yield LabelledToken(token, label, as_asked=False, follows=at > 0)


def _unlabelled(tokens: Sequence[str]) -> Iterator[LabelledToken]:
    return (LabelledToken(token, None, as_asked=False) for token in tokens)


def _is_tag(value: Any) -> bool:
    return isinstance(value, str) and TAG.fullmatch(value) is not None


def _text(value: Any) -> str:
    """A value as the model meant it: ``true`` and ``null`` are words of some language too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
