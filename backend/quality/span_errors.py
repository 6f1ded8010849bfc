"""What kind of error a wrong span is: in its bounds, its label, or in being there at all."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from backend.domain import Span


class Finding(enum.StrEnum):
    """What becomes of a gold span, a given span, or one of each that belong together.

    Of the latter, one thing is wrong (the other is right) or both are and they overlap.
    """

    RIGHT = "right"
    TYPE = "wrong label"
    BOUNDARY = "wrong bounds"
    BOTH = "wrong label and bounds"
    MISSED = "missed"
    SPURIOUS = "spurious"


def span_findings(gold: Iterable[Span], given: Iterable[Span]) -> Counter[Finding]:
    """Sort the spans of one text into right ones and kinds of error.

    A wrong span is paired with at most one gold span that nobody found: one with the same bounds
    if there is any, then the one it shares most with, of its own label first. What is left is
    missed or spurious. So strict false positives are all but ``RIGHT`` and ``MISSED``, and false
    negatives all but ``RIGHT`` and ``SPURIOUS``.
    """
    return Counter(finding for finding, _ in _sorted_out(gold, given))


def label_findings(gold: Iterable[Span], given: Iterable[Span]) -> dict[str, Counter[Finding]]:
    """The same by label: that of the gold span, of the given one where that is spurious."""
    by_label: dict[str, Counter[Finding]] = {}
    for finding, label in _sorted_out(gold, given):
        by_label.setdefault(label, Counter())[finding] += 1
    return by_label


def _sorted_out(gold: Iterable[Span], given: Iterable[Span]) -> Iterator[tuple[Finding, str]]:
    """Each finding, with the label it is about."""
    wanted, found = set(gold), set(given)
    missed, wrong = wanted - found, found - wanted
    yield from ((Finding.RIGHT, span.label) for span in wanted & found)
    for finding, ours, theirs in sorted(_pairs(missed, wrong), key=_closest):
        if ours in missed and theirs in wrong:
            yield finding, ours.label
            missed.remove(ours)
            wrong.remove(theirs)
    yield from ((Finding.MISSED, span.label) for span in missed)
    yield from ((Finding.SPURIOUS, span.label) for span in wrong)


_Pair = tuple[Finding, Span, Span]
_ORDER = [Finding.TYPE, Finding.BOUNDARY, Finding.BOTH]


def _pairs(missed: Collection[Span], wrong: Collection[Span]) -> list[_Pair]:
    return [
        (_kind(gold, given), gold, given)
        for gold in missed
        for given in wrong
        if gold.overlaps(given) or (gold.start, gold.end) == (given.start, given.end)
    ]


def _kind(gold: Span, given: Span) -> Finding:
    if gold.label == given.label:
        return Finding.BOUNDARY
    same = (gold.start, gold.end) == (given.start, given.end)
    return Finding.TYPE if same else Finding.BOTH


def _closest(pair: _Pair) -> tuple[int, int, Span, Span]:
    finding, gold, given = pair
    shared = min(gold.end, given.end) - max(gold.start, given.start)
    return _ORDER.index(finding), -shared, gold, given
