"""Which of the tokens that a model gave back are which tokens of the text.

A global alignment of two sequences by dynamic programming (Needleman & Wunsch, 1970), with two
further steps: one given token may stand for several of the text, and several for one. A token is
linked only to one that it resembles, so a link is never a guess from the position alone.
"""

from __future__ import annotations

import enum
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from backend.text.normalise import normalise

MOST_CELLS = 250_000
MOST_LETTER_PAIRS = 10_000_000
"""Pairs of tokens, and of letters in them, between the differing middle parts: a second of work,
and ten times what a long sentence needs where nothing in it is equal."""

MOST_PIECES = 8
LEAST_LIKENESS = 0.6
"""Of an altered token: half of a short name is another name."""

LONGEST_ALTERED = 100
"""Letters of a token that may still be recognised when it was altered."""

UNLINKED_COST = 20
"""Of a token on either side that has no partner; two of them cost more than any link."""


class Likeness(enum.IntEnum):
    """How a given token differs from the text's, in order of preference; the value is the cost."""

    SAME = 0
    SPELLING = 1
    CASE = 2
    PIECES = 3
    ALTERED = 10


@dataclass(frozen=True, slots=True)
class Link:
    """``given[given_start:given_stop]`` stand for ``source[start:stop]``; one side has one."""

    likeness: Likeness
    given_start: int
    given_stop: int
    start: int
    stop: int


class _Word:
    """A token in ever more forgiving forms."""

    def __init__(self, text: str) -> None:
        self.text = text
        normal = normalise(text).value.strip()
        self.normal = '"' if _is_quotation_mark(normal) else normal

    @cached_property
    def folded(self) -> str:
        return "".join(normalise(self.normal, fold_case=True).value.split())

    @cached_property
    def skeleton(self) -> str:
        """Letters without their marks: the first thing a model loses."""
        parts = unicodedata.normalize("NFD", self.folded)
        return "".join(c for c in parts if not unicodedata.category(c).startswith("M")) or parts


def align_sequences(given: Sequence[str], source: Sequence[str]) -> list[Link] | None:
    """Links between given tokens and the text's, in order, at the least cost.

    Equal ends are linked first, which costs nothing and cannot be bettered. ``None`` where what
    is left is too much to compare.
    """
    ours, theirs = _words(given), _words(source)
    head = _common(ours, theirs)
    tail = _common(ours[head:][::-1], theirs[head:][::-1])
    middle = ours[head : len(ours) - tail]
    target = theirs[head : len(theirs) - tail]
    if len(middle) * len(target) > MOST_CELLS:
        return None
    if _letters(middle) * _letters(target) > MOST_LETTER_PAIRS:
        return None
    same = [(at, at) for at in range(head)]
    ends = [(len(ours) - back, len(theirs) - back) for back in range(tail, 0, -1)]
    return [
        *(_one_to_one(ours, theirs, *pair) for pair in same),
        *_Table(middle, target).links(head),
        *(_one_to_one(ours, theirs, *pair) for pair in ends),
    ]


def _is_quotation_mark(normal: str) -> bool:
    """Whether it is one, however often a model doubled or escaped it."""
    return not normal.strip("\"'\\") and bool(normal.strip("\\"))


def _words(tokens: Sequence[str]) -> list[_Word]:
    known: dict[str, _Word] = {}
    return [known.get(token) or known.setdefault(token, _Word(token)) for token in tokens]


def _letters(words: Sequence[_Word]) -> int:
    """How many letters can be compared; those of words that are too long never are."""
    return sum(len(word.text) for word in words if len(word.text) <= LONGEST_ALTERED)


def _common(ours: Sequence[_Word], theirs: Sequence[_Word]) -> int:
    """How many words at the beginning are equal in normal form."""
    count = 0
    for our, their in zip(ours, theirs, strict=False):
        if our.normal != their.normal:
            break
        count += 1
    return count


def _one_to_one(ours: Sequence[_Word], theirs: Sequence[_Word], at: int, to: int) -> Link:
    same = ours[at].text == theirs[to].text
    return Link(Likeness.SAME if same else Likeness.SPELLING, at, at + 1, to, to + 1)


_Step = tuple[int, int, Likeness | None]
"""How many given words and how many of the text a step takes, and how alike they are."""

_EXTRA: _Step = (1, 0, None)
_MISSING: _Step = (0, 1, None)
_ONE_TO_ONE: dict[Likeness, _Step] = {likeness: (1, 1, likeness) for likeness in Likeness}


class _Table:
    """Cell (i, j): the cheapest way to align the first i given words with the first j of the text.

    Among ways of equal cost a link comes before a gap.
    """

    def __init__(self, given: Sequence[_Word], source: Sequence[_Word]) -> None:
        self._given = given
        self._source = source
        self._known: dict[tuple[str, str], tuple[Likeness, int] | None] = {}
        self._split = [_joined(given, end) for end in range(len(given) + 1)]
        self._merged = [_joined(source, end) for end in range(len(source) + 1)]

    def links(self, offset: int) -> list[Link]:
        """The links of the cheapest way, their places counted from ``offset``."""
        steps = self._fill()
        i, j = len(self._given), len(self._source)
        found: list[Link] = []
        while i or j:
            of_given, of_source, likeness = steps[i][j]
            if likeness is not None:
                places = (i - of_given, i, j - of_source, j)
                found.append(Link(likeness, *(offset + place for place in places)))
            i, j = i - of_given, j - of_source
        return found[::-1]

    def _fill(self) -> list[list[_Step]]:
        columns = len(self._source) + 1
        steps: list[list[_Step]] = [[_MISSING] * columns]
        costs = [[UNLINKED_COST * j for j in range(columns)]]
        for i in range(1, len(self._given) + 1):
            costs.append([UNLINKED_COST * i])
            steps.append([_EXTRA])
            self._fill_row(i, costs, steps[i])
        return steps

    def _fill_row(self, i: int, costs: list[list[int]], steps: list[_Step]) -> None:
        given, split = self._given[i - 1], self._split[i]
        above, row = costs[i - 1], costs[i]
        for j, source in enumerate(self._source, start=1):
            cost, step = above[j] + UNLINKED_COST, _EXTRA
            if row[j - 1] < above[j]:
                cost, step = row[j - 1] + UNLINKED_COST, _MISSING
            if pair := self._compare(given, source):
                likeness, price = pair
                if above[j - 1] + price <= cost:
                    cost, step = above[j - 1] + price, _ONE_TO_ONE[likeness]
            if pieces := split.get(source.folded):
                price = costs[i - pieces][j - 1] + Likeness.PIECES * (pieces - 1)
                if price < cost:
                    cost, step = price, (pieces, 1, Likeness.PIECES)
            if pieces := self._merged[j].get(given.folded):
                price = above[j - pieces] + Likeness.PIECES * (pieces - 1)
                if price < cost:
                    cost, step = price, (1, pieces, Likeness.PIECES)
            row.append(cost)
            steps.append(step)

    def _compare(self, given: _Word, source: _Word) -> tuple[Likeness, int] | None:
        """Likeness and cost of linking two words, ``None`` where they are not alike."""
        key = (given.text, source.text)
        if key not in self._known:
            self._known[key] = _compare(given, source)
        return self._known[key]


def _compare(given: _Word, source: _Word) -> tuple[Likeness, int] | None:
    if given.text == source.text:
        return Likeness.SAME, Likeness.SAME
    if given.normal == source.normal:
        return Likeness.SPELLING, Likeness.SPELLING
    if given.folded == source.folded:
        return Likeness.CASE, Likeness.CASE
    if not given.folded or not source.folded:
        return None
    unlike = 1 - similarity(given.skeleton, source.skeleton)
    if unlike > 1 - LEAST_LIKENESS:
        return None
    return Likeness.ALTERED, Likeness.ALTERED + round(UNLINKED_COST * unlike)


def similarity(one: str, other: str) -> float:
    """1 - edit distance / length of the longer, in [0, 1] (Levenshtein, 1966).

    0 where it would be below ``LEAST_LIKENESS``, or a word is too long to compare.
    """
    longer = max(len(one), len(other))
    if longer > LONGEST_ALTERED:
        return 0.0
    if longer == 0:
        return 1.0
    shared = (Counter(one) & Counter(other)).total()
    if shared < LEAST_LIKENESS * longer:  # each letter that is not shared is at least one edit
        return 0.0
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        current = [row]
        for column, opposite in enumerate(other, start=1):
            change = before[column - 1] + (letter != opposite)
            current.append(min(change, before[column] + 1, current[column - 1] + 1))
        before = current
    alike = 1 - before[-1] / longer
    return alike if alike >= LEAST_LIKENESS else 0.0


def _joined(words: Sequence[_Word], end: int) -> dict[str, int]:
    """What the last 2, 3, ... words before ``end`` are when written as one, and how many."""
    joined: dict[str, int] = {}
    text = words[end - 1].folded if end else ""
    for pieces in range(2, min(MOST_PIECES, end) + 1):
        piece = words[end - pieces].folded
        if not piece or not text:
            break
        text = piece + text
        joined[text] = pieces
    return joined
