"""Spans as one tag per token, and back.

Tags are IOB2: ``B-X`` opens a span of label ``X``, ``I-X`` goes on with it, ``O`` is outside
(Ramshaw & Marcus, 1995; Tjong Kim Sang & Veenstra, 1999).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from backend.domain import Span
from backend.text.tokens import TokenOffsets

OUTSIDE = "O"


def tag_names(labels: Iterable[str]) -> tuple[str, ...]:
    """All tags of a scheme in a fixed order: ``O``, then ``B-`` and ``I-`` of each label."""
    return (OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def split_tag(tag: str) -> tuple[str, str]:
    """``("B", "LOC")`` for ``B-LOC``; ``("O", "")`` for ``O``. Labels may hold hyphens."""
    prefix, _, label = tag.partition("-")
    return prefix, label


def to_bio(tokens: Sequence[TokenOffsets], spans: Iterable[Span]) -> tuple[list[str], int]:
    """One tag per token, and how many spans could not be kept exactly.

    A span that cuts a token is widened to whole tokens. A span without a token, or one that
    meets an earlier span's tokens, is left out. Both kinds are counted.
    """
    starts = [start for start, _ in tokens]
    ends = [end for _, end in tokens]
    tags = [OUTSIDE] * len(tokens)
    inexact = 0
    free = 0  # first token that no span has taken yet
    for span in sorted(spans):
        first, stop = bisect_right(ends, span.start), bisect_left(starts, span.end)
        if first >= stop or first < free:
            inexact += 1
            continue
        inexact += (starts[first], ends[stop - 1]) != (span.start, span.end)
        tags[first:stop] = [f"B-{span.label}"] + [f"I-{span.label}"] * (stop - first - 1)
        free = stop
    return tags, inexact


def from_bio(
    tokens: Sequence[TokenOffsets],
    tags: Sequence[str],
    token_scores: Sequence[float] | None = None,
) -> list[Span]:
    """The spans that ``tags`` describe, sorted, without overlaps.

    An ``I-X`` that no ``X`` precedes opens a span, as in the CoNLL-2000 scorer. With
    ``token_scores``, each in [0, 1], a span is as sure as its least sure token.
    """
    spans: list[Span] = []
    open_label = ""
    for position, ((start, end), tag) in enumerate(zip(tokens, tags, strict=True)):
        prefix, label = split_tag(tag)
        score = None if token_scores is None else float(token_scores[position])
        if prefix == "I" and open_label == label:
            spans[-1] = _longer(spans[-1], end, score)
        elif prefix != OUTSIDE:
            spans.append(Span(start, end, label, score))
        open_label = label
    return spans


def _longer(span: Span, end: int, score: float | None) -> Span:
    if span.score is not None and score is not None:
        return Span(span.start, end, span.label, min(span.score, score))
    return Span(span.start, end, span.label)


def legal_starts(tags: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(n_tags,): whether a text may begin with the tag."""
    return np.array([split_tag(tag)[0] != "I" for tag in tags], dtype=np.bool_)


def legal_transitions(tags: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(n_tags, n_tags): whether the column's tag may follow the row's.

    Only ``I-X`` is choosy: it follows ``B-X`` or ``I-X``.
    """
    parts = [split_tag(tag) for tag in tags]
    return np.array(
        [[prefix != "I" or before == label for prefix, label in parts] for _, before in parts],
        dtype=np.bool_,
    )
