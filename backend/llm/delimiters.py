"""Tags around texts that no text can open or close, whatever is written in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import count

CODE_LENGTH = 4

ENCLOSED_TEXT = re.compile(r"<text-([0-9a-f]{16})>\n(.*)\n</text-\1>\Z", re.DOTALL)
"""How one text stands at the end of a rendered prompt, for those who have to read one."""

FIRST_TAG = re.compile(r"^<1-([0-9a-f]{4})>$", re.MULTILINE)


def sendable(text: str) -> str:
    """The text as UTF-8 can carry it: without lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def code_of(text: str) -> str:
    """A code for the tags around one text: a text cannot hold its own hash."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def common_code(texts: Sequence[str]) -> str:
    """A short code for the tags around several texts, which occurs in none of them.

    Equal texts get an equal code. Four hexadecimal digits are few enough to be guessed, so the
    texts are searched for them: one that holds a code gets another one.
    """
    digest = hashlib.sha256(repr(list(texts)).encode("utf-8")).digest()
    codes = (
        hashlib.sha256(digest + attempt.to_bytes(8)).hexdigest()[:CODE_LENGTH]
        for attempt in count()
    )
    return next(code for code in codes if not any(code in text for text in texts))


def enclosed_texts(prompt: str) -> list[str]:
    """The texts of a prompt that numbers them, for those who have to read one.

    Of several blocks of numbered texts the last one counts: examples stand before it, under a
    code of their own.
    """
    texts: list[str] = []
    position = 0
    while opening := FIRST_TAG.search(prompt, position):
        code, position = opening.group(1), opening.start()
        texts = []
        for number in count(1):
            tag = f"<{number}-{code}>\n"
            end = prompt.find(f"\n</{number}-{code}>", position)
            if end < 0 or not prompt.startswith(tag, position):
                break
            texts.append(prompt[position + len(tag) : end])
            position = end + len(tag) + 2
        position = max(position, opening.end())
    return texts
