"""Long texts in overlapping pieces, so that time and memory stay bounded and no word is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Window:
    """Items ``start`` to ``stop`` are looked at; the answers for the kept ones are used."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int

    @property
    def kept(self) -> slice:
        """The kept items, counted from the window's own start."""
        return slice(self.keep_start - self.start, self.keep_stop - self.start)


def windows(lengths: Sequence[int], size: int, overlap: int) -> Iterator[Window]:
    """Cut items of the given lengths into windows of at most ``size`` in all.

    Neighbours share up to ``overlap`` (less than ``size``), and each keeps its half of what they
    share, so that every item is kept exactly once, with context on both sides. An item longer
    than ``size`` gets a window alone.
    """
    ends = [0, *accumulate(lengths)]
    start = keep_start = 0
    while keep_start < len(lengths):
        stop = start + 1
        while stop < len(lengths) and _fits(ends, start, stop + 1, size):
            stop += 1
        if stop == len(lengths):
            yield Window(start, stop, keep_start, stop)
            return
        following = stop
        while following > max(start + 1, keep_start) and _fits(ends, following - 1, stop, overlap):
            if not _fits(ends, following - 1, stop + 1, size):
                break  # the next window has to reach beyond this one
            following -= 1
        keep_stop = (following + stop + 1) // 2
        yield Window(start, stop, keep_start, keep_stop)
        start, keep_start = following, keep_stop


def _fits(ends: Sequence[int], start: int, stop: int, size: int) -> bool:
    return ends[stop] - ends[start] <= size
