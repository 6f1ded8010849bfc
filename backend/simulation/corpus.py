"""A language's texts with gold labels, as the loop meets them: a pool, and a test set beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain import Example, LabelScheme
from backend.errors import InputError
from backend.text.conll import read_conll, to_text

SUFFIXES = (".txt.gz", ".txt", ".conll.gz", ".conll")
PARTS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Corpus:
    """``train`` is the pool, each text in it once and none of them in ``dev`` or ``test``.

    ``left_out``: texts of the training file that are not in the pool, and why. ``digest`` names the
    content of all three parts.
    """

    language: str
    scheme: LabelScheme
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    left_out: tuple[tuple[str, int], ...]
    digest: str


def languages_in(folder: Path) -> list[str]:
    """The languages that a folder has a training and a test file for, sorted."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check the path after --data.")
    return sorted(
        place.name
        for place in folder.iterdir()
        if place.is_dir() and _file(place, "train") and _file(place, "test")
    )


def check_languages(folder: Path, languages: Sequence[str]) -> None:
    """Raise :class:`~backend.errors.InputError` for a language without files."""
    known = languages_in(folder)
    if missing := [language for language in languages if language not in known]:
        raise InputError(
            f"There is no {' and no '.join(missing)} in {folder}. A language is a folder with "
            f"train.txt and test.txt (or .txt.gz); there are: {', '.join(known) or 'none'}."
        )


def read_corpus(folder: Path, language: str) -> Corpus:
    """The corpus ``<folder>/<language>/{train,dev,test}.txt[.gz]``; the dev part may be missing.

    Raises :class:`~backend.errors.InputError` for a part that is missing, empty or without a
    span, and :class:`~backend.errors.CorpusError` for one that cannot be read.
    """
    check_languages(folder, [language])
    parts = {part: _read(folder / language, part) for part in PARTS}
    return corpus_of(language, parts["train"], parts["dev"], parts["test"])


def corpus_of(
    language: str, train: Sequence[Example], dev: Sequence[Example], test: Sequence[Example]
) -> Corpus:
    """A corpus of examples, copies and texts that are measured on taken out of the pool."""
    for part, examples in (("train", train), ("test", test)):
        if not any(example.spans for example in examples):
            what = "no labelled span" if examples else "no sentence"
            raise InputError(
                f"The {part} part of {language} holds {what}, so nothing can be simulated. "
                "Check the file and its tags (IOB2, as in B-LOC)."
            )
    measured = {words_of(example.text) for example in (*dev, *test)}
    seen: set[str] = set()
    pool: list[Example] = []
    copies = overlapping = empty = 0
    for example in train:
        words = words_of(example.text)
        if not words:
            empty += 1
        elif words in measured:
            overlapping += 1
        elif words in seen:
            copies += 1
        else:
            seen.add(words)
            pool.append(example)
    if not any(example.spans for example in pool):
        raise InputError(
            f"Every labelled sentence of {language}'s train part is in its dev or test part too, "
            "so nothing is left to learn from. Check that the files differ."
        )
    labels = {span.label for example in (*pool, *test) for span in example.spans}
    left_out = (("also in dev or test", overlapping), ("copies", copies), ("empty", empty))
    return Corpus(
        language=language,
        scheme=LabelScheme(tuple(sorted(labels))),
        train=tuple(pool),
        dev=tuple(dev),
        test=tuple(test),
        left_out=left_out,
        digest=digest_of_texts(pool, dev, test),
    )


def part_of(folder: Path, part: str) -> Path:
    """The file of a part of the language in ``folder``, of those that :func:`languages_in` found.

    Raises :class:`~backend.errors.InputError` where there is none.
    """
    if (path := _file(folder, part)) is None:
        raise InputError(f"There is no {part}{SUFFIXES[1]} in {folder}.")
    return path


def _file(folder: Path, part: str) -> Path | None:
    paths = (folder / f"{part}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _read(folder: Path, part: str) -> list[Example]:
    path = _file(folder, part)
    if path is None:
        return []
    return [
        Example(f"{part}-{number}", *to_text(sentence))
        for number, sentence in enumerate(read_conll(path))
    ]


def words_of(text: str) -> str:
    """The text without what white space may differ in."""
    return " ".join(text.split())


def digest_of_texts(*parts: Sequence[Example]) -> str:
    """The name of the content of labelled texts, part by part: 16 hexadecimal digits."""
    content = hashlib.sha256()
    for part in parts:
        for example in part:
            spans = [(span.start, span.end, span.label) for span in example.spans]
            content.update(repr((example.text, spans)).encode("utf-8", "surrogatepass"))
        content.update(b"\0")
    return content.hexdigest()[:16]
