"""CoNLL files: one ``token tag`` a line, a blank line between sentences.

The pitfalls are in real corpora: lines with an empty token, tokens that are quotation marks or
hold no-break spaces, Windows line ends, a byte-order mark, tabs, ``-DOCSTART-`` lines, a last
sentence without a blank line, ``I-`` without ``B-``. Reading forgives these; a line that has no
tag is an error with its number.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from backend.domain import Span
from backend.errors import CorpusError
from backend.text.bio import OUTSIDE, from_bio, to_bio
from backend.text.tokens import TokenOffsets

UNLABELLED = "_"
"""What stands for a tag where nobody has given one."""

_DOCUMENT_START = "-DOCSTART-"


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens and their IOB2 tags, equally many; a token may be empty."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def read_conll(path: Path) -> Iterator[Sentence]:
    """Yield the sentences of a plain or ``.gz`` file one by one, tags made legal IOB2.

    Columns between the first and the last are passed over. Raises
    :class:`~backend.errors.CorpusError` with file and line for what cannot be read.
    """
    return (_sentence(block, path) for block in _read_blocks(path))


def read_partly_labelled(path: Path) -> tuple[list[Sentence], list[str]]:
    """The labelled sentences of a file, and the texts of those that nobody has labelled.

    Not labelled is a sentence of which every line is a token alone, or a token with the tag ``_``.
    One that is labelled in part is an error; the errors are those of :func:`read_conll`.
    """
    labelled: list[Sentence] = []
    texts: list[str] = []
    for block in _read_blocks(path):
        rows = [_split(line) for _, line in block]
        if all(tag in {"", UNLABELLED} for _, tag in rows):
            texts.append(" ".join(token for token, _ in rows if token))
        else:
            labelled.append(_sentence(block, path))
    return labelled, texts


_Block = list[tuple[int, str]]  # the lines of a sentence, with their numbers


def _read_blocks(path: Path) -> Iterator[_Block]:
    try:
        with _open(path, "r") as lines:
            yield from _blocks(lines)
    except (OSError, EOFError) as error:
        raise CorpusError(f"Cannot read the corpus {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"The corpus {path} is not UTF-8: {error}. Convert it first.") from error


def write_conll(path: Path, sentences: Iterable[Sentence]) -> None:
    """Write ``token tag`` lines (UTF-8; gzip for ``.gz``), a blank line after each sentence.

    Raises :class:`~backend.errors.CorpusError` for a token that would break a line.
    """
    with _open(path, "w") as file:
        for sentence in sentences:
            for token, tag in zip(sentence.tokens, sentence.tags, strict=True):
                if any(sign in token for sign in "\n\r\t "):
                    raise CorpusError(
                        f"Cannot write {token!r} to {path}: a CoNLL token holds no white space. "
                        f"Split it first."
                    )
                file.write(f"{token} {tag}\n")
            file.write("\n")


def to_text(sentence: Sentence) -> tuple[str, tuple[Span, ...]]:
    """The tokens joined by single spaces, and the spans with exact offsets in that text.

    Empty tokens leave no trace in the text; a span of nothing but empty tokens goes with them.
    """
    kept = [(token, tag) for token, tag in _pairs(sentence) if token]
    text = " ".join(token for token, _ in kept)
    offsets = _joined_offsets(token for token, _ in kept)
    return text, tuple(from_bio(offsets, [tag for _, tag in kept]))


def from_text(text: str, spans: Iterable[Span]) -> Sentence:
    """The inverse of :func:`to_text`: split at single spaces, a cut token joins the span."""
    words = text.split(" ") if text else []
    tags, _ = to_bio(_joined_offsets(words), spans)
    kept = [(word, tag) for word, tag in zip(words, tags, strict=True) if word]
    return Sentence(tuple(word for word, _ in kept), tuple(tag for _, tag in kept))


def _pairs(sentence: Sentence) -> Iterator[tuple[str, str]]:
    return zip(sentence.tokens, sentence.tags, strict=True)


def _joined_offsets(words: Iterable[str]) -> list[TokenOffsets]:
    offsets = []
    start = 0
    for word in words:
        offsets.append((start, start + len(word)))
        start += len(word) + 1
    return offsets


def _open(path: Path, mode: str) -> IO[str]:
    # newline="\n": other line separators of Unicode occur inside tokens. utf-8-sig drops a BOM.
    encoding = "utf-8-sig" if mode == "r" else "utf-8"
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, mode + "t", encoding=encoding, newline="\n"))
    return path.open(mode, encoding=encoding, newline="\n")


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    block: _Block = []
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r\n")
        if line.strip(" \t") and not line.startswith(_DOCUMENT_START):
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _sentence(block: _Block, path: Path) -> Sentence:
    rows = [_columns(line, f"{path}, line {number}") for number, line in block]
    return Sentence(tuple(token for token, _ in rows), _legal(tag for _, tag in rows))


def _split(line: str) -> tuple[str, str]:
    """First and last column; the tag is empty where there is but one."""
    separator = "\t" if "\t" in line else " "
    token, *others = line.rstrip(separator).split(separator)
    return token, others[-1] if others else ""


def _columns(line: str, place: str) -> tuple[str, str]:
    token, tag = _split(line)
    if tag != OUTSIDE and not (tag[:2] in {"B-", "I-"} and len(tag) > 2):
        raise CorpusError(
            f"{place}: expected 'token tag' with a tag such as O, B-LOC or I-LOC, found {line!r}."
        )
    return token, tag


def _legal(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags with each ``I-`` that nothing precedes made a ``B-``."""
    legal: list[str] = []
    before = OUTSIDE
    for tag in tags:
        opens = tag.startswith("I-") and before[2:] != tag[2:]
        legal.append(f"B-{tag[2:]}" if opens else tag)
        before = tag
    return tuple(legal)
