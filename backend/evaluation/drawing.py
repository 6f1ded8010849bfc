"""A sample of a file's texts, by one of the rules of :mod:`backend.quality.sampling`."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain import Span
from backend.errors import CorpusError, InputError
from backend.quality.sampling import (
    draw_by_gold,
    draw_clustered,
    draw_random,
    draw_stratified,
    length_strata,
)
from backend.text.conll import read_conll, to_text, write_conll

LINES = (".jsonl", ".ndjson")


class Rule(enum.StrEnum):
    """How texts are drawn; all but ``GOLD`` need no labels."""

    RANDOM = "random"
    LENGTH = "length"
    SOURCE = "source"
    CLUSTERS = "clusters"
    GOLD = "gold"


@dataclass(frozen=True, slots=True)
class Drawable:
    """One text of a file: its words, its labels if the file has any, and where it comes from."""

    text: str
    spans: tuple[Span, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """How many texts, by which rule; ``key``: where a line of JSON says its source."""

    count: int
    rule: Rule
    key: str = "source"


def sample_file(path: Path, out: Path, wanted: Draw, rng: np.random.Generator) -> int:
    """Write some texts of a CoNLL, JSON Lines or text file to ``out``, in the file's order.

    What is written is what stood there. Returns how many texts the file has. Raises
    :class:`~backend.errors.InputError` for what cannot be drawn.
    """
    if path.resolve() == out.resolve():
        raise InputError(f"The sample would overwrite {path}. Choose another --out.")
    try:
        if _is_conll(path):
            return _sample_sentences(path, out, wanted, rng)
        return _sample_lines(path, out, wanted, rng)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot draw from {path} into {out}: {error}") from error


def _sample_sentences(path: Path, out: Path, wanted: Draw, rng: np.random.Generator) -> int:
    sentences = list(read_conll(path))
    drawn = draw([Drawable(*to_text(each)) for each in sentences], wanted, rng)
    write_conll(out, [sentences[at] for at in drawn])
    return len(sentences)


def _sample_lines(path: Path, out: Path, wanted: Draw, rng: np.random.Generator) -> int:
    lines = [line for line in path.read_text("utf-8-sig").split("\n") if line.strip()]
    units = [_line(line, number, path, wanted.key) for number, line in enumerate(lines, start=1)]
    drawn = draw(units, wanted, rng)
    out.write_text("".join(f"{lines[at]}\n" for at in drawn), "utf-8")
    return len(lines)


def draw(units: Sequence[Drawable], wanted: Draw, rng: np.random.Generator) -> list[int]:
    """Positions of the drawn texts, in order."""
    count, rule = wanted.count, wanted.rule
    texts = [unit.text for unit in units]
    if rule is Rule.LENGTH:
        return draw_stratified(length_strata(texts), count, rng)
    if rule is Rule.SOURCE:
        return draw_stratified([unit.source for unit in units], count, rng)
    if rule is Rule.CLUSTERS:
        return draw_clustered(texts, count, rng)
    if rule is Rule.GOLD:
        return draw_by_gold([(unit.text, unit.spans) for unit in units], count, rng)
    return draw_random(len(texts), count, rng)


def _is_conll(path: Path) -> bool:
    """Whether a file has tags; one that ends in .txt may (MasakhaNER's do) or may not."""
    name = path.name.removesuffix(".gz")
    if name.endswith(LINES):
        return False
    if not name.endswith(".txt"):
        return True
    try:
        next(iter(read_conll(path)), None)
    except CorpusError:
        return False
    return True


def _line(line: str, number: int, path: Path, key: str) -> Drawable:
    if not path.name.endswith(LINES):
        return Drawable(line)
    try:
        data = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{path}, line {number}: this is no JSON ({error}).") from error
    if not isinstance(data, dict) or not isinstance(data.get("text"), str):
        raise CorpusError(f'{path}, line {number}: expected an object with a string "text".')
    meta = data.get("meta")
    source = data.get(key, meta.get(key, "") if isinstance(meta, dict) else "")
    return Drawable(data["text"], tuple(_spans(data.get("spans"))), str(source))


def _spans(stated: object) -> Iterator[Span]:
    for each in stated if isinstance(stated, Iterable) else ():
        if isinstance(each, dict) and {"start", "end", "label"} <= each.keys():
            yield Span(int(each["start"]), int(each["end"]), str(each["label"]))
