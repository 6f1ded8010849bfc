"""Recorded answers of models as cells, each read in three ways."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from backend.domain import LabelScheme
from backend.evaluation.cells import Answer, Cell, Judged
from backend.evaluation.readings import (
    ALIGNED,
    BY_POSITION,
    REPAIRED,
    Tags,
    read_aligned,
    read_by_position,
)
from backend.llm.recordings import Record, Recording
from backend.llm.recovery import recovered_labels, spans_of
from backend.protocols import Progress, silent
from backend.text.tokens import TokenOffsets

_DIGITS = re.compile(r"\d+")
NO_GOLD = "texts without gold labels"
NOT_RECORDED = "asked for and not recorded"


def cells_of(
    recordings: Sequence[Recording], scheme: LabelScheme, progress: Progress = silent
) -> Iterator[Cell]:
    """A cell for each recording; texts without gold labels are left out and counted."""
    progress(0, len(recordings), "recordings")
    for done, recording in enumerate(recordings, start=1):
        yield _cell(recording, scheme)
        progress(done, len(recordings), "recordings")


def _cell(recording: Recording, scheme: LabelScheme) -> Cell:
    records = [record for record in recording.records if record.gold is not None]
    problems: Counter[str] = Counter()
    for group in recording.unusable:
        problems[group.reason] += group.answers
    problems[NO_GOLD] = len(recording.records) - len(records)
    problems[NOT_RECORDED] = sum(recording.repetitions - len(each.answers) for each in records)
    by_position: list[tuple[Answer, ...]] = []
    aligned: list[tuple[Answer, ...]] = []
    repaired: list[tuple[Answer, ...]] = []
    for record in records:
        lost: list[Answer] = [None] * (recording.repetitions - len(record.answers))
        strict, plain, mended = [], [], []
        for answer in record.answers:
            strict.append(_spans(record, read_by_position(answer, record.tokens, scheme), scheme))
            plain.append(_spans(record, read_aligned(answer, record.tokens, scheme), scheme))
            labels = recovered_labels(answer, record.tokens, scheme)
            if labels.reason:
                problems[_DIGITS.sub("n", labels.reason)] += 1
            tags = None if labels.reason else list(labels.tags)
            mended.append(_spans(record, tags, scheme))
        by_position.append((*strict, *lost))
        aligned.append((*plain, *lost))
        repaired.append((*mended, *lost))
    return Cell(
        recording.model,
        recording.language,
        tuple(_judged(id_, each, scheme) for id_, each in zip(_ids(records), records, strict=True)),
        {BY_POSITION: tuple(by_position), ALIGNED: tuple(aligned), REPAIRED: tuple(repaired)},
        problems=+problems,
    )


def _spans(record: Record, tags: Tags | None, scheme: LabelScheme) -> Answer:
    return None if tags is None else frozenset(spans_of(record.tokens, tags, scheme))


def _judged(id_: str, record: Record, scheme: LabelScheme) -> Judged:
    tokens = [token for token in record.tokens if token]
    gold = spans_of(record.tokens, record.gold or (), scheme)
    return Judged(id_, " ".join(tokens), joined_offsets(tokens), frozenset(gold))


def joined_offsets(tokens: Sequence[str]) -> tuple[TokenOffsets, ...]:
    """Where tokens are that single spaces join."""
    ends = accumulate(tokens, lambda end, token: end + 1 + len(token), initial=-1)
    return tuple((end - len(token), end) for token, end in zip(tokens, list(ends)[1:], strict=True))


def _ids(records: Sequence[Record]) -> list[str]:
    """The records' ids, one that is there again with its number."""
    seen: Counter[str] = Counter()
    ids = []
    for record in records:
        seen[record.id] += 1
        ids.append(record.id if seen[record.id] == 1 else f"{record.id} ({seen[record.id]})")
    return ids
