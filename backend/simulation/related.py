"""Labels of other languages in a simulation: where they come from, and what must not be in them.

A tagger is judged on texts that it has not seen, and a pool is paid for label by label. So whatever
is in a language's own corpus (pool, dev or test) is taken out of what others bring, and a language
is never related to itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from backend.domain import Example
from backend.errors import InputError
from backend.simulation.corpus import Corpus, digest_of_texts, languages_in, part_of, words_of
from backend.tagger.auxiliary import Files

ALL = "all"
"""Stands for every language of the folder."""


@dataclass(frozen=True, slots=True)
class Related:
    """A CoNLL file with labels of another language: the train part of one of the folder, or any.

    ``language`` is ``None`` for a file from elsewhere.
    """

    name: str
    path: Path
    language: str | None = None


def related_in(folder: Path | None, written: Sequence[str]) -> tuple[Related, ...]:
    """What is meant by names of languages in ``folder``, paths of files, and ``all``.

    Raises :class:`~backend.errors.InputError` for a name that is neither.
    """
    known = languages_in(folder) if folder is not None else []
    names = dict.fromkeys(name for one in written for name in (known if one == ALL else [one]))
    return tuple(_related(folder, name, known) for name in names)


def _related(folder: Path | None, name: str, known: Sequence[str]) -> Related:
    if folder is not None and name in known:
        return Related(name, part_of(folder / name, "train"), name)
    if Path(name).is_file():
        return Related(name, Path(name))
    raise InputError(
        f"--auxiliary {name!r} is no file and no language of --data. Give paths of CoNLL files, "
        f"names of languages ({', '.join(known) or 'there are none'}) or all."
    )


def sources_beside(
    related: Sequence[Related], language: str | None, own: Collection[str]
) -> dict[str, list[Example]]:
    """Others' labelled texts by the name of where they come from, for ``language``.

    None of it is among ``own``, texts of which nobody may know the labels beforehand; white space
    does not tell texts apart.
    """
    hidden = {words_of(text) for text in own}
    return {
        each.name: [one for one in _examples(each.path) if words_of(one.text) not in hidden]
        for each in related
        if each.language is None or each.language != language
    }


def sources_for(related: Sequence[Related], corpus: Corpus) -> dict[str, list[Example]]:
    """Others' labelled texts for a corpus; see :func:`sources_beside`."""
    own = [one.text for part in (corpus.train, corpus.dev, corpus.test) for one in part]
    return sources_beside(related, corpus.language, own)


def described(related: Sequence[Related], corpus: Corpus) -> dict[str, Any]:
    """What others bring to a corpus, as JSON: texts, how many were left out, a digest.

    Raises :class:`~backend.errors.InputError` where only the language itself was named.
    """
    found = sources_for(related, corpus)
    if not found:
        raise InputError(
            f"There is no other language to help {corpus.language}: --auxiliary names only "
            f"{corpus.language} itself. Name others, or leave {corpus.language} out of --languages."
        )
    paths = {each.name: each.path for each in related}
    return {
        name: {
            "texts": len(texts),
            "also_in_the_corpus": len(_examples(paths[name])) - len(texts),
            "digest": digest_of_texts(texts),
        }
        for name, texts in found.items()
    }


@lru_cache(maxsize=64)
def _examples(path: Path) -> Sequence[Example]:
    return tuple(Files([path])[str(path)])
