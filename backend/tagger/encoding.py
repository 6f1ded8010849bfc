"""Words as the pieces a pretrained model reads, with the way back to the words.

Words are ours (:mod:`backend.text.tokens`), so that offsets are exact whatever a model's
tokeniser drops or rewrites. A word speaks through its first piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import ConfigurationError
from backend.tagger.windows import Window, windows
from backend.text.tokens import TokenOffsets

IGNORED = -100
"""The label of positions that take no part in the loss: torch's own default."""

_MAX_WORD_CHARACTERS = 100
_MAX_WORD_PIECES = 12
_PROBE = "a"

WordPieces = list[list[int]]


@dataclass(frozen=True, slots=True)
class LabelledPieces:
    """Pieces of one window and their labels, equally many."""

    pieces: list[int]
    labels: list[int]


@dataclass(frozen=True, slots=True)
class EncodedWindow:
    """Part of one text: ``pieces`` with the special ones, ``firsts[i]`` where word i begins."""

    window: Window
    pieces: list[int]
    firsts: list[int]

    def labelled(self, tag_ids: Sequence[int]) -> LabelledPieces:
        """One label per piece: kept words' first pieces carry theirs, all others are ignored.

        tag_ids: of all words of the text.
        """
        labels = [IGNORED] * len(self.pieces)
        for word in range(self.window.keep_start, self.window.keep_stop):
            labels[self.firsts[word - self.window.start]] = tag_ids[word]
        return LabelledPieces(self.pieces, labels)


class WordEncoder:
    """Encodes words with a fast tokeniser of ``transformers``.

    ``max_pieces`` bounds a window, special pieces included.
    """

    def __init__(self, tokenizer: Any, max_pieces: int) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ConfigurationError(
                f"The tokenizer {type(tokenizer).__name__} of the base model has no fast variant, "
                f"which harambee needs. Choose a base model that has a tokenizer.json."
            )
        backend.no_truncation()
        backend.no_padding()
        self.tokenizer = tokenizer
        self.max_pieces = max_pieces
        self.pad_id: int = tokenizer.pad_token_id or 0
        self._backend = backend
        self._before, self._after = self._special_pieces()
        self.unknown_id: int = tokenizer.unk_token_id or self.pad_id

    def encode(self, text: str, tokens: Sequence[TokenOffsets]) -> Iterator[EncodedWindow]:
        """The text in windows of at most ``max_pieces``; each word is kept in exactly one."""
        words = self._word_pieces(text, tokens)
        size = self.max_pieces - len(self._before) - len(self._after)
        for window in windows([len(pieces) for pieces in words], size, overlap=size // 4):
            pieces = list(self._before)
            firsts = []
            for word in words[window.start : window.stop]:
                firsts.append(len(pieces))
                pieces += word
            yield EncodedWindow(window, pieces + self._after, firsts)

    def _word_pieces(self, text: str, tokens: Sequence[TokenOffsets]) -> WordPieces:
        """At least one and at most 12 pieces per word; the unknown piece where there is none."""
        if not tokens:
            return []
        words = [_readable(text[start:end]) for start, end in tokens]
        encoding = self._backend.encode(words, is_pretokenized=True, add_special_tokens=False)
        pieces: WordPieces = [[] for _ in words]
        for piece, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if len(pieces[word]) < _MAX_WORD_PIECES:
                pieces[word].append(piece)
        return [word or [self.unknown_id] for word in pieces]

    def _special_pieces(self) -> tuple[list[int], list[int]]:
        """What the tokeniser puts before and after a text."""
        alone: list[int] = self._backend.encode(_PROBE, add_special_tokens=False).ids
        framed: list[int] = self._backend.encode(_PROBE, add_special_tokens=True).ids
        for start in range(len(framed) - len(alone) + 1):
            if framed[start : start + len(alone)] == alone:
                return framed[:start], framed[start + len(alone) :]
        return [], []


def _readable(word: str) -> str:
    """The start of a word, lone surrogates replaced: they have no UTF-8 form."""
    return word[:_MAX_WORD_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
