"""Rows of pieces dealt into batches, so that little of what is computed is padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH_STEP = 8
"""Widths of equal-width batches are multiples of this: also what matrix units of GPUs like."""


def length_buckets(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Positions grouped by similar length; rows times the longest stay within ``batch_tokens``.

    An item longer than that is a batch of its own. Longest first.
    """
    batches: list[list[int]] = []
    width = 0
    for position in sorted(range(len(lengths)), key=lambda item: -lengths[item]):
        if not batches or (len(batches[-1]) + 1) * width > batch_tokens:
            batches.append([])
            width = lengths[position]
        batches[-1].append(position)
    return batches


def width_of(length: int) -> int:
    """What a row of this length is padded to, whatever else is in its batch."""
    return -(-length // WIDTH_STEP) * WIDTH_STEP


def equal_width_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Positions grouped by the width of their rows, within ``batch_tokens``; widest first.

    Low-precision sums depend on how a row is padded, not on how many rows there are. As the width
    follows from the row alone, so does its answer: asking for one text or for a thousand gives the
    same probabilities, to the bit on a CPU.
    """
    groups: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        groups.setdefault(width_of(length), []).append(position)
    batches = []
    for width in sorted(groups, reverse=True):
        rows = max(1, batch_tokens // width) if width else len(groups[width])
        batches += [
            groups[width][start : start + rows] for start in range(0, len(groups[width]), rows)
        ]
    return batches


def padded(rows: Iterable[Sequence[int]], filler: int, step: int = 1) -> list[list[int]]:
    """Rows filled up to the longest, rounded up to a multiple of ``step``: (n_rows, width)."""
    kept = [list(row) for row in rows]
    width = -(-max(map(len, kept), default=0) // step) * step
    return [row + [filler] * (width - len(row)) for row in kept]
