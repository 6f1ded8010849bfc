"""A normal form of a text for searching, with an exact way back to the text itself.

Task texts come as they are typed: Yoruba in NFD, quotes straightened or curled by a word
processor, soft hyphens inside names. Models answer in another form of the same letters. So both
are compared in a normal form, and every place found there is carried back to offsets of the
untouched text. A text is never replaced by its normal form.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import regex

GRAPHEME = regex.compile(r"\X")
INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}]+")

QUOTES = str.maketrans(dict.fromkeys("‘’‚‛′‹›`´ʼʻˈꞌ＇", "'") | dict.fromkeys("“”„‟″«»＂", '"'))
"""Quotation marks, primes and modifier apostrophes that models write in one another's place."""

KNOWN_CLUSTERS = 4096
"""A language writes with a few hundred clusters, again and again."""


@dataclass(frozen=True, slots=True)
class NormalText:
    """The normal form ``value`` of a text, and where each of its characters came from.

    ``value[i]`` came from ``text[starts[i]:ends[i]]``, a whole number of grapheme clusters (a
    base with all its combining marks), so that no way back can cut one in two.
    """

    value: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the text of the non-empty slice ``value[start:end]``.

        A slice that holds part of what one cluster became (half of the "ss" of a folded "ß")
        stands for the whole cluster.
        """
        return self.starts[start], self.ends[end - 1]

    def is_whole(self, start: int, end: int) -> bool:
        """Whether ``value[start:end]`` cuts no cluster at either end."""
        opens = start == 0 or self.starts[start] != self.starts[start - 1]
        closes = end == len(self.value) or self.starts[end] != self.starts[end - 1]
        return opens and closes

    def find(self, wanted: str) -> Iterator[tuple[int, int]]:
        """Offsets in the text of every whole, non-overlapping ``wanted``, in order."""
        start = self.value.find(wanted) if wanted else -1
        while start >= 0:
            end = start + len(wanted)
            whole = self.is_whole(start, end)
            if whole:
                yield self.original(start, end)
            start = self.value.find(wanted, end if whole else start + 1)


def verbatim(text: str) -> NormalText:
    """The text as it is, in the same clothes as a normal form."""
    starts: list[int] = []
    ends: list[int] = []
    for cluster in GRAPHEME.finditer(text):
        length = cluster.end() - cluster.start()
        starts += [cluster.start()] * length
        ends += [cluster.end()] * length
    return NormalText(text, tuple(starts), tuple(ends))


def normalise(text: str, *, fold_case: bool = False, words_only: bool = False) -> NormalText:
    """The normal form of a text, cluster by cluster.

    Canonical composition (NFC, Unicode Standard Annex 15), quotation marks folded to ASCII,
    invisible characters (zero-width, soft hyphen, direction marks) dropped, each run of white
    space one space; with ``fold_case`` also Unicode case folding. Folding may lengthen a
    character ("İ", "ß"), which is why case is never changed on the text before offsets are known.
    With ``words_only`` punctuation counts as white space: "COVID - 19" is "COVID-19".
    """
    value: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for cluster in GRAPHEME.finditer(text):
        visible = _normal_form(cluster.group(), fold_case=fold_case)
        if words_only and visible and not any(map(str.isalnum, visible)):
            visible = " "
        for character in visible:
            if character == " " and value and value[-1] == " ":
                ends[-1] = cluster.end()
                continue
            value.append(character)
            starts.append(cluster.start())
            ends.append(cluster.end())
    return NormalText("".join(value), tuple(starts), tuple(ends))


@lru_cache(maxsize=KNOWN_CLUSTERS)
def _normal_form(cluster: str, *, fold_case: bool) -> str:
    if cluster.isspace():
        return " "
    visible = INVISIBLE.sub("", unicodedata.normalize("NFC", cluster)).translate(QUOTES)
    if fold_case:
        visible = unicodedata.normalize("NFC", visible.casefold())
    return visible
