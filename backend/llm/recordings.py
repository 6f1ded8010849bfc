"""Recorded answers of models, as files.

::

    <folder>/<model>/<language>.jsonl[.gz]    one record a line
    <folder>/unparsed_raw.jsonl[.gz]          answers that were not JSON, as the model wrote them

A record holds ``id``, ``tokens``, ``gold`` (a tag for each token) and ``responses`` (one for each
time the model was asked: a JSON value, or the text of one). It may hold ``usage``, billed tokens
as ``{"input": 900, "output": 200}`` for each of the responses. An unparsed answer holds ``model``,
``lang``, ``id`` and ``raw``, and belongs to the record with that id. A model that was asked more
often than it has answers here gave others that nobody kept.

What cannot be used is kept with the reason, like everything else that was paid for.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.domain import Usage
from backend.errors import CorpusError, InputError

SUFFIXES = (".jsonl.gz", ".jsonl")
UNPARSED = "unparsed_raw"


@dataclass(frozen=True, slots=True)
class Record:
    """A sentence and every answer to it. ``gold`` is ``None`` where nobody said what is right.

    ``usage``: what each answer was billed, empty where that was not recorded.
    """

    id: str
    tokens: tuple[str, ...]
    gold: tuple[str, ...] | None
    answers: tuple[Any, ...]
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """Answers that no sentence is known for, and why."""

    answers: int
    reason: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What one model answered in one language."""

    model: str
    language: str
    records: tuple[Record, ...]
    unusable: tuple[Unusable, ...] = ()

    @property
    def answers(self) -> int:
        """How many answers are here, usable or not."""
        usable = sum(len(record.answers) for record in self.records)
        return usable + sum(group.answers for group in self.unusable)

    @property
    def repetitions(self) -> int:
        """How often the model was asked about each sentence: as often as it answered any."""
        return max((len(record.answers) for record in self.records), default=0)


@dataclass(slots=True)
class _Reading:
    """A recording while its files are read: records by id, answers in order."""

    records: list[
        tuple[str, tuple[str, ...], tuple[str, ...] | None, list[Any], tuple[Usage, ...]]
    ] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)


def read_recordings(folder: Path) -> list[Recording]:
    """Every recording in a folder, by model and language.

    Raises :class:`~backend.errors.InputError` for a folder that holds none, and
    :class:`~backend.errors.CorpusError` for a file that cannot be opened or decompressed.
    """
    readings: dict[tuple[str, str], _Reading] = {}
    for path, language in sorted(_files(folder)):
        reading = readings.setdefault((path.parent.name, language), _Reading())
        for number, line in _lines(path):
            _read_record(reading, line, f"{path.name}, line {number}")
    for path in sorted(folder / f"{UNPARSED}{suffix}" for suffix in SUFFIXES):
        if path.is_file():
            _read_unparsed(readings, path)
    if not readings:
        raise InputError(
            f"There are no recordings in {folder}. Expected files named <model>/<language>.jsonl "
            "or .jsonl.gz."
        )
    return [
        Recording(
            model,
            language,
            tuple(
                Record(id_, tokens, gold, tuple(answers), usage)
                for id_, tokens, gold, answers, usage in reading.records
            ),
            tuple(reading.unusable),
        )
        for (model, language), reading in sorted(readings.items())
    ]


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file of records, with its language."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check the path of the recordings.")
    for path in folder.glob("*/*"):
        suffix = next((end for end in SUFFIXES if path.name.endswith(end)), None)
        language = path.name.removesuffix(suffix or "")
        if suffix and language != UNPARSED and path.is_file():
            yield path, language


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig", "replace")
                if text.strip():
                    yield number, text
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"Cannot read the recordings {path}: {error}") from error


def _read_record(reading: _Reading, line: str, place: str) -> None:
    data = _object(line)
    if data is None:
        reading.unusable.append(Unusable(1, f"{place}: not a JSON object"))
        return
    answers = data.get("responses")
    count = len(answers) if isinstance(answers, list) else 1
    tokens, gold = _strings(data.get("tokens")), _strings(data.get("gold"))
    problem = None
    if tokens is None:
        problem = "the record has no list of 'tokens'"
    elif not isinstance(answers, list):
        problem = "the record has no list of 'responses'"
    elif "gold" in data and (gold is None or len(gold) != len(tokens)):
        problem = "the record's 'gold' is not one tag for each token"
    if problem or tokens is None or not isinstance(answers, list):
        reading.unusable.append(Unusable(count, f"{place}: {problem}"))
        return
    usage = _usage(data.get("usage"), len(answers))
    reading.records.append((str(data.get("id", place)), tokens, gold, list(answers), usage))


def _read_unparsed(readings: dict[tuple[str, str], _Reading], path: Path) -> None:
    """Give each unparsed answer to its record, after the answers that are there already."""
    for number, line in _lines(path):
        place = f"{path.name}, line {number}"
        data = _object(line) or {}
        cell = (str(data.get("model", "unknown")), str(data.get("lang", "unknown")))
        reading = readings.setdefault(cell, _Reading())
        answers = next(
            (answers for id_, _, _, answers, _ in reading.records if id_ == str(data.get("id"))),
            None,
        )
        if "raw" not in data:
            reading.unusable.append(Unusable(1, f"{place}: no answer under 'raw'"))
        elif answers is None:
            reading.unusable.append(Unusable(1, f"{place}: its sentence is in no record"))
        else:
            answers.append(data["raw"])


def _object(line: str) -> Mapping[str, Any] | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _usage(value: Any, answers: int) -> tuple[Usage, ...]:
    """Billed tokens, if there are some for each of the answers."""
    if not isinstance(value, list) or len(value) != answers:
        return ()
    known = [
        Usage(each["input"], each["output"])
        for each in value
        if isinstance(each, dict)
        and isinstance(each.get("input"), int)
        and isinstance(each.get("output"), int)
    ]
    return tuple(known) if len(known) == answers else ()


def _strings(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not _all_strings(value):
        return None
    return tuple(value)


def _all_strings(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
