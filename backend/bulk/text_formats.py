"""CoNLL, JSON Lines and plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backend.bulk.items import Annotated, Item
from backend.domain import LabelScheme, Span, Task
from backend.errors import CorpusError, InputError
from backend.text.bio import OUTSIDE, to_bio
from backend.text.conll import Sentence, read_conll, write_conll
from backend.text.tokens import TokenOffsets


class ConllFormat:
    """``token tag`` lines; the tags that a file brings are replaced.

    A sentence without an answer is left out, because no tag says "unknown".
    """

    def read(self, path: Path, language: str | None) -> Iterator[Item]:
        """See :meth:`backend.bulk.items.FileFormat.read`."""
        for number, sentence in enumerate(read_conll(path), start=1):
            text = " ".join(token for token in sentence.tokens if token)
            yield Item(Task(str(number), text, language), sentence.tokens)

    def write(self, path: Path, results: Sequence[Annotated], scheme: LabelScheme) -> None:
        """See :meth:`backend.bulk.items.FileFormat.write`."""
        answered = [result for result in results if result.suggestion]
        write_conll(path, (_tagged(result) for result in answered))


def _tagged(result: Annotated) -> Sentence:
    tokens: tuple[str, ...] = result.item.origin
    spans = result.suggestion.spans if result.suggestion else ()
    tags = iter(to_bio(list(_places(tokens)), spans)[0])
    return Sentence(tokens, tuple(next(tags) if token else OUTSIDE for token in tokens))


def _places(tokens: Sequence[str]) -> Iterator[TokenOffsets]:
    """Where the tokens stand in the text; empty ones stand nowhere."""
    start = 0
    for token in filter(None, tokens):
        yield start, start + len(token)
        start += len(token) + 1


class JsonLinesFormat:
    """One object a line with its ``text``; other values are kept.

    ``spans`` and what belongs to them are added, or replaced; ``spans`` is ``null`` for a text
    without an answer, and ``detail`` says why.
    """

    def read(self, path: Path, language: str | None) -> Iterator[Item]:
        """See :meth:`backend.bulk.items.FileFormat.read`."""
        number = 0
        for line_number, line in _lines(path):
            if line.strip():
                number += 1
                raw = _object(line, f"{path}, line {line_number}")
                stated = raw.get("language", raw.get("lang"))
                spoken = stated if isinstance(stated, str) and stated else language
                yield Item(Task(str(number), raw["text"], spoken), raw)

    def write(self, path: Path, results: Sequence[Annotated], scheme: LabelScheme) -> None:
        """See :meth:`backend.bulk.items.FileFormat.write`."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for result in results:
                line = json.dumps(result.item.origin | answer_to_json(result), ensure_ascii=False)
                file.write(_encodable(line) + "\n")


class PlainTextFormat(JsonLinesFormat):
    """One text a line, blank lines passed over; written as JSON Lines."""

    def read(self, path: Path, language: str | None) -> Iterator[Item]:
        """See :meth:`backend.bulk.items.FileFormat.read`."""
        number = 0
        for line_number, line in _lines(path):
            text = line.rstrip("\r\n")
            if text.strip():
                number += 1
                yield Item(Task(str(number), text, language), {"id": line_number, "text": text})


def answer_to_json(result: Annotated) -> dict[str, Any]:
    """An answer's spans and where they come from, or what kept it from having any."""
    answer, suggestion = result.answer, result.suggestion
    about: dict[str, Any] = {"spans": None, "outcome": answer.outcome.value}
    if suggestion is None:
        return about | {"detail": answer.detail}
    return about | {
        "spans": [_span_to_json(span, result.item.task.text) for span in suggestion.spans],
        "confidence": suggestion.confidence,
        "model": suggestion.source.model,
        "prompt_version": suggestion.source.prompt_version,
        "repaired": answer.repaired,
        "rejected": [
            {"mention": one.mention, "label": one.label, "reason": one.reason}
            for one in answer.rejected
        ],
    }


def _span_to_json(span: Span, text: str) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "text": text[span.start : span.end],
        "score": span.score,
    }


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        # newline="\n": other line separators of Unicode occur inside texts. utf-8-sig drops a BOM.
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            yield from enumerate(file, start=1)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}. Convert it first.") from error


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{place}: this is no JSON ({error}).") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("text"), str):
        raise CorpusError(f'{place}: expected an object with a string under "text".')
    return raw


def _encodable(line: str) -> str:
    r"""The line with lone surrogates (``"\ud800"`` in the input) as they are written in JSON."""
    return line.encode("utf-8", "backslashreplace").decode("utf-8")
