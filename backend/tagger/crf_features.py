"""What the CRF sees of a word: its form, shape, affixes and trigrams, and some of its neighbours.

Affixes and the stem behind an inner capital ("eGoli": ``e`` + ``Goli``) carry most of the signal
in languages with noun-class prefixes and little training data. Features of a word are computed
once and kept as the bytes that crfsuite takes, because building them is what scoring costs. A
lexicon of unlabelled texts, if there is one, adds what it knows of the word and of those beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

import regex

from backend.tagger.crf_lexicon import NO_LEXICON, Lexicon
from backend.text.tokens import TokenOffsets

MAX_WORD = 64
"""Characters of a word that are looked at; longer ones are no words."""

REACH = 2
"""How many words before and after it a token sees."""

OFFSETS = range(-REACH, REACH + 1)

PREFIXES = {offset: f"{offset:+d}".encode() if offset else b"" for offset in OFFSETS}
"""What marks the features of a word at each offset; no feature begins with a sign."""

EDGE = ""
"""Stands for a word where the sentence has none."""

_FAR = 2  # words so far away, and features of them
_HEAD = 4
_LONG_NUMBER = 5

# Lone surrogates have no UTF-8 form, and crfsuite's strings end at a zero.
_UNSTORABLE = re.compile(r"[\ud800-\udfff\0]")
_RUNS = regex.compile(r"(.)\1+")
_PREFIXED_NAME = regex.compile(r"(\p{Ll}\p{M}*){1,5}[-'’]?(?=\p{Lu})")
_SIGNS = {"Lu": "X", "Lt": "X", "Nd": "d", "Nl": "d", "No": "d", "Mn": "", "Mc": "", "Me": ""}

Features = list[bytes]


def words_of(text: str, tokens: Sequence[TokenOffsets]) -> list[str]:
    """The tokens as the CRF reads them: not endless, and in characters that crfsuite can hold."""
    clean = _UNSTORABLE.sub("\ufffd", text)
    return [clean[start : min(end, start + MAX_WORD)] for start, end in tokens]


class Reader:
    """Gives sentences' features under one lexicon, and remembers those of each word.

    So it grows with the different words that it is given; one is made for each training.
    """

    def __init__(self, lexicon: Lexicon = NO_LEXICON) -> None:
        self.lexicon = lexicon
        self._of_word: dict[str, list[Features]] = {}

    def features(self, words: Sequence[str]) -> list[Features]:
        """One list of binary features per word, as crfsuite takes them."""
        padded = [EDGE] * REACH + list(words) + [EDGE] * REACH
        shapes = [shape(word) for word in padded]
        seen = [self._at_offsets(word) for word in padded]
        return [
            [
                *chain.from_iterable(seen[place + offset][offset + REACH] for offset in OFFSETS),
                *shape_features(*shapes[place - 1 : place + 2]),
            ]
            for place in range(REACH, REACH + len(words))
        ]

    def _at_offsets(self, word: str) -> list[Features]:
        """What a token has of the word, for each of ``OFFSETS`` at which it may stand."""
        if (known := self._of_word.get(word)) is None:
            by_distance = features_by_distance([word], self.lexicon)
            known = self._of_word[word] = [
                [PREFIXES[offset] + name for name in by_distance[abs(offset)][0]]
                for offset in OFFSETS
            ]
        return known


def sentence_features(words: Sequence[str], lexicon: Lexicon = NO_LEXICON) -> list[Features]:
    """One list of binary features per word of a single sentence."""
    return Reader(lexicon).features(words)


def features_by_distance(
    words: Iterable[str], lexicon: Lexicon = NO_LEXICON
) -> tuple[list[Sequence[bytes]], ...]:
    """What a token has of each word, for words 0, 1, ... ``REACH`` places away.

    Without the prefix that tells one offset's features from another's.
    """
    seen = list(words)
    outlines = [_outline(word) for word in seen]
    return (
        [_own_features(word) + lexicon.of_word(word) for word in seen],
        [
            outline + lexicon.of_neighbour(word)
            for word, outline in zip(seen, outlines, strict=True)
        ],
        [outline[:_FAR] for outline in outlines],
    )


@lru_cache(maxsize=2**15)
def shape(word: str) -> str:
    """``Xx`` for "Lagos", ``xXx`` for "eGoli", ``d`` for "2024": runs are cut to one sign."""
    return _RUNS.sub(r"\1", signs(word))


def signs(word: str) -> str:
    """One sign for each letter or digit, none for marks: ``Xxxxx`` for "Lagos"."""
    return "".join(map(_sign, word))


def _sign(character: str) -> str:
    category = unicodedata.category(character)
    return _SIGNS.get(category, "x" if category.startswith("L") else character)


def split_inner_capital(word: str) -> tuple[str, str]:
    """``("e", "Goli")`` for "eGoli"; ``("", word)`` where no capital follows a short prefix."""
    match = _PREFIXED_NAME.match(word)
    return (match.group(), word[match.end() :]) if match else ("", word)


@lru_cache(maxsize=2**16)
def _own_features(word: str) -> tuple[bytes, ...]:
    form = word.lower()
    features = ["bias", f"w={form}", f"s={shape(word)}", f"h={signs(word)[:_HEAD]}"]
    features += [f"n={form[at : at + 3]}" for at in range(len(form) - 2)]
    features += [f"p={form[:size]}" for size in range(1, min(4, len(form)) + 1)]
    features += [f"f={form[-size:]}" for size in range(1, min(4, len(form)) + 1)]
    prefix, stem = split_inner_capital(word)
    if prefix:
        stem = stem.lower()
        features += [f"ip={prefix}", f"is={stem}", f"is3={stem[:3]}"]
    if prefix or word[:1].isupper():
        features.append("capital")
    if any(sign.isdigit() for sign in word):
        features += [f"d={word[:2]}", f"digits={min(len(word), _LONG_NUMBER)}"]
    return _encoded(dict.fromkeys(features))


@lru_cache(maxsize=2**16)
def _outline(word: str) -> tuple[bytes, ...]:
    """What a neighbour sees; the first ``_FAR`` are for those further away."""
    if word == EDGE:
        return (b"edge",)
    form = word.lower()
    return _encoded([f"w={form}", f"s={shape(word)}", f"p={form[:3]}", f"f={form[-3:]}"])


@lru_cache(maxsize=2**15)
def shape_features(before: str, own: str, after: str) -> tuple[bytes, ...]:
    """What a token has of three shapes together: of the word before, its own, the one after."""
    two = f"{before}|{own}"
    place = "inner" if before else "first"
    return _encoded([f"{place}={own}", f"ss={two}", f"sss={two}|{after}"])


def _encoded(features: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(feature.encode() for feature in features)
