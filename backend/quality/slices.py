"""Parts of a collection of texts: by what tasks say of themselves, and by the texts themselves."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from backend.domain import NO_META, Span

Spans = tuple[Span, ...]

UNKNOWN = "not stated"
OTHER = "no letters"


@dataclass(frozen=True, slots=True)
class Case:
    """A text with the spans that are right and those that were given; failures gave none."""

    text: str
    gold: Spans
    given: Spans
    meta: Mapping[str, str] = field(default_factory=lambda: NO_META)


def script_of(text: str) -> str:
    """The script that most letters of a text are of, as Unicode names it, in lower case."""
    scripts = Counter(
        unicodedata.name(sign, "UNKNOWN").split()[0].lower() for sign in text if sign.isalpha()
    )
    return scripts.most_common(1)[0][0] if scripts else OTHER


def length_of(text: str) -> str:
    """How long a text is, in words."""
    words = len(text.split())
    for most, name in ((9, "1-9 words"), (19, "10-19 words"), (39, "20-39 words")):
        if words <= most:
            return name
    return "40 words or more"


def diacritics_of(text: str) -> str:
    """Whether any letter of a text carries a mark."""
    marked = any(unicodedata.category(sign) == "Mn" for sign in unicodedata.normalize("NFD", text))
    return "with diacritics" if marked else "without"


def _not_stated(_text: str) -> str:
    return UNKNOWN


DERIVED: Mapping[str, Callable[[str], str]] = {
    "script": script_of,
    "length": length_of,
    "diacritics": diacritics_of,
}
"""Slices that need nothing but the text. A task's own entry of that name goes before."""


def slice_names(cases: Sequence[Case], key: str) -> list[str]:
    """The slice of each case under a key of its metadata, or a derived one."""
    derive = DERIVED.get(key, _not_stated)
    return [str(case.meta[key]) if key in case.meta else derive(case.text) for case in cases]
