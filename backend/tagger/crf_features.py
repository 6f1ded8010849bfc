"""What the CRF sees of a word: its form, shape and affixes, and those of its neighbours.

Affixes and the stem behind an inner capital ("eGoli": ``e`` + ``Goli``) carry most of the signal
in languages with noun-class prefixes and little training data. Features of a word are computed
once and kept as the bytes that crfsuite takes, because building them is what scoring costs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import regex

from backend.text.tokens import TokenOffsets

MAX_WORD = 64
"""Characters of a word that are looked at; longer ones are no words."""

_REACH = 2
_SURROGATES = regex.compile(r"[\ud800-\udfff]")
_RUNS = regex.compile(r"(.)\1+")
_PREFIXED_NAME = regex.compile(r"(\p{Ll}\p{M}*){1,5}[-'’]?(?=\p{Lu})")
_SIGNS = {"Lu": "X", "Lt": "X", "Nd": "d", "Nl": "d", "No": "d", "Mn": "", "Mc": "", "Me": ""}

Features = list[bytes]


def sentence_features(text: str, tokens: Sequence[TokenOffsets]) -> list[Features]:
    """One list of binary features per token, as crfsuite takes them."""
    clean = _SURROGATES.sub("\ufffd", text)  # lone surrogates have no UTF-8 form
    words = [clean[start : min(end, start + MAX_WORD)] for start, end in tokens]
    padded = [""] * _REACH + words + [""] * _REACH
    return [
        [
            *_own_features(word),
            *_neighbour_features(padded[position], "-2"),
            *_neighbour_features(padded[position + 1], "-1"),
            *_neighbour_features(padded[position + 3], "+1"),
            *_neighbour_features(padded[position + 4], "+2"),
            *_shape_features(padded[position + 1], word, padded[position + 3]),
        ]
        for position, word in enumerate(words)
    ]


@lru_cache(maxsize=2**15)
def shape(word: str) -> str:
    """``Xx`` for "Lagos", ``xXx`` for "eGoli", ``d`` for "2024": runs are cut to one sign."""
    return _RUNS.sub(r"\1", "".join(map(_sign, word)))


def _sign(character: str) -> str:
    category = unicodedata.category(character)
    return _SIGNS.get(category, "x" if category.startswith("L") else character)


def split_inner_capital(word: str) -> tuple[str, str]:
    """``("e", "Goli")`` for "eGoli"; ``("", word)`` where no capital follows a short prefix."""
    match = _PREFIXED_NAME.match(word)
    return (match.group(), word[match.end() :]) if match else ("", word)


@lru_cache(maxsize=2**15)
def _own_features(word: str) -> tuple[bytes, ...]:
    form = word.lower()
    features = ["bias", f"w={form}", f"s={shape(word)}"]
    features += [f"p={form[:size]}" for size in range(1, min(4, len(form)) + 1)]
    features += [f"f={form[-size:]}" for size in range(1, min(4, len(form)) + 1)]
    prefix, stem = split_inner_capital(word)
    if prefix:
        stem = stem.lower()
        features += [f"ip={prefix}", f"is={stem}", f"is3={stem[:3]}"]
    return _encoded(features)


@lru_cache(maxsize=2**16)
def _neighbour_features(word: str, place: str) -> tuple[bytes, ...]:
    if not word:
        return _encoded([f"{place}edge"])
    form = word.lower()
    features = [f"{place}w={form}", f"{place}s={shape(word)}"]
    if place in {"-1", "+1"}:
        features += [f"{place}p={form[:3]}", f"{place}f={form[-3:]}"]
    return _encoded(features)


@lru_cache(maxsize=2**15)
def _shape_features(before: str, word: str, after: str) -> tuple[bytes, ...]:
    two = f"{shape(before)}|{shape(word)}"
    return _encoded([f"ss={two}", f"sss={two}|{shape(after)}"])


def _encoded(features: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(feature.encode() for feature in features)
