"""Which labelled texts are only measured on, and never learnt from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from backend.domain import Example


def is_held_out(text: str, share: float) -> bool:
    """Whether a text belongs to the held-out part.

    Decided by a digest of the text alone, so that the answer is the same in every round, on every
    machine, and for every copy of the text: a duplicate can never be learnt from and measured on.
    ``share`` in (0, 1) is the expected part of distinct texts.
    """
    return int.from_bytes(_lot_bytes(text, 0)) < share * 2**64


def lot(text: str, number: int) -> float:
    """A number in [0, 1) that a text draws, the same for ever and for every copy of it.

    ``number`` in 1, 2, 3 tells independent draws apart; draw 0 decides what is held out.
    """
    return int.from_bytes(_lot_bytes(text, number)) / 2**64


def _lot_bytes(text: str, number: int) -> bytes:
    digest = hashlib.sha256(" ".join(text.split()).encode(errors="surrogatepass")).digest()
    return digest[8 * number : 8 * number + 8]


def split(examples: Iterable[Example], share: float) -> tuple[list[Example], list[Example]]:
    """Divide into what is learnt from and what is held out, each in the given order."""
    training: list[Example] = []
    held_out: list[Example] = []
    for example in examples:
        (held_out if is_held_out(example.text, share) else training).append(example)
    return training, held_out
