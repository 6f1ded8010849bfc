"""Per-span scores from the probabilities of an answer's tokens, where a provider gives them.

A model that hesitates over the words of a mention or over its label says so in the probabilities
of the tokens it writes them with. They are closer to the truth than a confidence it is asked to
put into words (Xiong et al., 2024), and still want calibration.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from backend.llm.chat import Certainty
from backend.llm.readings import Reading
from backend.text.normalise import normalise

Piece = tuple[bytes, float]
"""A token's bytes, which need not be whole characters, and the logarithm of its probability."""

_STRING = r'"((?:[^"\\]|\\.)*)"'
_MENTION = re.compile(rf'"(?:m|mention)"\s*:\s*{_STRING}\s*,\s*"(?:l|label)"\s*:\s*{_STRING}')
_NUMBER = re.compile(r'"i"\s*:\s*(\d{1,4})')


def certainties(answer: str, pieces: Sequence[Piece]) -> tuple[Certainty, ...]:
    """How likely each mention in an answer was, in the answer's order.

    Nothing where the pieces are not those of the answer, or the answer is not of the form that
    names mention and label side by side.
    """
    ends = list(accumulate(len(content) for content, _ in pieces))
    if not pieces or b"".join(content for content, _ in pieces) != answer.encode(
        "utf-8", "replace"
    ):
        return ()
    at_byte = [0, *accumulate(len(char.encode("utf-8", "replace")) for char in answer)]
    numbers = [(found.start(), int(found[1])) for found in _NUMBER.finditer(answer)]
    starts = [start for start, _ in numbers]

    def logprob(found: re.Match[str], group: int) -> float:
        begin, end = (at_byte[place] for place in found.span(group))
        first, last = bisect_right(ends, begin), bisect_left(ends, end)
        return sum(logarithm for _, logarithm in pieces[first : last + 1])

    def text_of(found: re.Match[str]) -> int | None:
        before = bisect_left(starts, found.start())
        return numbers[before - 1][1] if before else None

    return tuple(
        Certainty(
            text_of(found), mention, label, _probability(logprob(found, 1) + logprob(found, 2))
        )
        for found, mention, label in _mentions(answer)
    )


def _mentions(answer: str) -> Iterator[tuple[re.Match[str], str, str]]:
    for found in _MENTION.finditer(answer):
        try:
            mention, label = (json.loads(f'"{found[group]}"', strict=False) for group in (1, 2))
        except ValueError:
            continue
        yield found, mention, label


def _probability(logarithm: float) -> float:
    return math.exp(min(logarithm, 0.0)) if not math.isnan(logarithm) else 0.0


def of_text(number: int, found: Sequence[Certainty]) -> tuple[Certainty, ...]:
    """Those of one of the texts of a question, or of no text in particular."""
    return tuple(one for one in found if one.text in {None, number})


def scored(reading: Reading, text: str, found: Sequence[Certainty]) -> Reading:
    """The reading with spans scored by certainty instead of by what the model stated.

    A span takes the first certainty of its words and label that no span before it took; one whose
    words were repaired beyond normal form and case keeps its stated score.
    """
    if not found:
        return reading
    waiting: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
    for one in found:
        waiting[_plain(one.mention), one.label.casefold()].append(one.probability)
    spans = []
    for span in reading.alignment.spans:
        queue = waiting[_plain(text[span.start : span.end]), span.label.casefold()]
        spans.append(replace(span, score=queue.popleft()) if queue else span)
    return replace(reading, alignment=replace(reading.alignment, spans=tuple(spans)))


def _plain(words: str) -> str:
    return normalise(words).value.casefold()
