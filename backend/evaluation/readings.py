"""Three ways to read a recorded answer, so that what each is worth can be told apart.

``by position`` takes what strict parsing takes: JSON with as many items as the text has tokens,
each tag exactly as the scheme writes it. ``aligned`` gives each tag to the token that a plain
global alignment puts it at. ``repaired`` is how harambee reads (see :mod:`backend.llm.recovery`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from backend.domain import LabelScheme
from backend.text.bio import OUTSIDE, tag_names

Tags = list[str]

BY_POSITION, ALIGNED, REPAIRED = "by position", "aligned", "repaired"

_MATCH, _APART, _GAP = 2, -1, -1
_MOST_PAIRS = 250_000


def read_by_position(answer: Any, tokens: Sequence[str], scheme: LabelScheme) -> Tags | None:
    """A tag for each token if there are as many items as tokens, else ``None``.

    An item that is no pair and a tag that is none of the scheme's leave their token outside.
    """
    items = _items(answer)
    if items is None or len(items) != len(tokens) or not items:
        return None
    known = set(tag_names(scheme.labels))
    tags = [str(item[1]) if _is_pair(item) else OUTSIDE for item in items]
    return [tag if tag in known else OUTSIDE for tag in tags]


def read_aligned(answer: Any, tokens: Sequence[str], scheme: LabelScheme) -> Tags | None:
    """Tags by the global alignment of Needleman & Wunsch (1970): match 2, other token or gap -1.

    Tokens are equal or not; one that was altered keeps its tag where it stands between its
    neighbours. ``None`` for an answer without pairs, and for one too long to compare.
    """
    given = [(str(item[0]), str(item[1])) for item in _items(answer) or () if _is_pair(item)]
    if not given or len(given) * len(tokens) > _MOST_PAIRS:
        return None
    known = set(tag_names(scheme.labels))
    tags = [OUTSIDE] * len(tokens)
    for at, place in _alignment([token for token, _ in given], tokens):
        tags[place] = given[at][1] if given[at][1] in known else OUTSIDE
    return tags


def _items(answer: Any) -> list[Any] | None:
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except (ValueError, RecursionError):
            return None
    if isinstance(answer, dict):
        answer = answer.get("output")
    return answer if isinstance(answer, list) else None


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) >= 2


def _alignment(given: Sequence[str], tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Places in ``given`` and in ``tokens`` that belong together, in order."""
    if list(given) == list(tokens):
        return [(at, at) for at in range(len(tokens))]
    best = [[_GAP * column for column in range(len(tokens) + 1)]]
    for row, one in enumerate(given, start=1):
        above, line = best[-1], [_GAP * row]
        for column, other in enumerate(tokens):
            paired = above[column] + (_MATCH if one == other else _APART)
            line.append(max(paired, above[column + 1] + _GAP, line[column] + _GAP))
        best.append(line)
    links = []
    row, column = len(given), len(tokens)
    while row and column:
        pair = _MATCH if given[row - 1] == tokens[column - 1] else _APART
        if best[row][column] == best[row - 1][column - 1] + pair:
            row, column = row - 1, column - 1
            links.append((row, column))
        elif best[row][column] == best[row - 1][column] + _GAP:
            row -= 1
        else:
            column -= 1
    return links[::-1]
