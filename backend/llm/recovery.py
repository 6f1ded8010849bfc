"""What forgiving parsing and alignment win back from recorded answers.

Before: as Kholodna et al. (2024) took answers, valid JSON of exactly one ``[token, label]`` for
each token of the text, by position; any other answer counts as one without entities. After:
parsed and aligned as in :mod:`backend.llm.token_lists`; a rejected answer counts as one without
entities. An answer that was paid for and not recorded counts as one without entities on both
sides, so that the two differ by what repair does and nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain import LabelScheme, Span
from backend.llm.parsing import InvalidAnswer
from backend.llm.recordings import Recording
from backend.llm.token_labels import Fate, TokenLabels
from backend.llm.token_lists import TokenLists, align_token_lists, parse_token_lists, token_lists_in
from backend.protocols import Progress, silent
from backend.quality.span_f1 import SpanPair, span_scores
from backend.text.bio import OUTSIDE
from backend.text.conll import Sentence, to_text
from backend.text.labels import TAG_PREFIX, read_tag

NO_SPANS: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one model's answers in one language.

    ``answers`` = ``exact`` + ``repaired`` + ``rejected``; ``missing`` answers are not among them.
    ``records_usable``: sentences with at least one answer that strict parsing takes. ``repairs``
    counts answers by what was mended in them, ``reasons`` rejected answers by why. F1 is strict
    span F1 in per cent, over all answers and the missing ones; ``None`` without gold labels.
    """

    model: str
    language: str
    records: int
    records_usable: int
    answers: int
    exact: int
    repaired: int
    rejected: int
    missing: int
    f1_before: float | None
    f1_after: float | None
    repairs: Mapping[str, int]
    reasons: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The form in which it is written down."""
        return {
            "model": self.model,
            "language": self.language,
            "answers": self.answers,
            "exact": self.exact,
            "repaired": self.repaired,
            "rejected": self.rejected,
            "f1_before": self.f1_before,
            "f1_after": self.f1_after,
            "missing": self.missing,
            "records": self.records,
            "records_usable": self.records_usable,
            "repairs": dict(self.repairs),
            "reasons": dict(self.reasons),
        }


def scheme_of(recordings: Iterable[Recording]) -> LabelScheme:
    """The labels that the gold tags of recordings use, in order of first use."""
    tags = {
        tag: None
        for recording in recordings
        for record in recording.records
        for tag in record.gold or ()
    }
    labels = {TAG_PREFIX.sub("", tag): None for tag in tags if tag not in {OUTSIDE, ""}}
    return LabelScheme(tuple(labels))


def recover(
    recordings: Sequence[Recording], scheme: LabelScheme, progress: Progress = silent
) -> Iterator[Recovery]:
    """Read every recorded answer back. Never raises, whatever the answers are."""
    total = sum(recording.answers for recording in recordings)
    done = 0
    progress(0, total, "answers")
    for recording in recordings:
        yield _recover(recording, scheme)
        done += recording.answers
        progress(done, total, "answers")


@dataclass(slots=True)
class _Tally:
    """Counts and scores of one recording while its answers are read."""

    fates: Counter[Fate]
    repairs: Counter[str]
    reasons: Counter[str]
    before: list[SpanPair]
    after: list[SpanPair]

    def count(self, labels: TokenLabels) -> None:
        self.fates[labels.fate] += 1
        self.repairs.update(repair.value for repair in labels.repairs)
        if labels.reason:
            self.reasons[labels.reason] += 1

    def score(self, gold: Iterable[Span], before: Iterable[Span], after: Iterable[Span]) -> None:
        self.before.append((gold, before))
        self.after.append((gold, after))


def _recover(recording: Recording, scheme: LabelScheme) -> Recovery:
    tally = _Tally(Counter(), Counter(), Counter(), [], [])
    usable = missing = 0
    repetitions = recording.repetitions
    for record in recording.records:
        gold = spans_of(record.tokens, record.gold or (), scheme)
        taken = 0
        for answer in record.answers:
            strict = strict_tags(answer, record.tokens)
            labels = recovered_labels(answer, record.tokens, scheme)
            taken += strict is not None
            tally.count(labels)
            if record.gold is not None:
                before = spans_of(record.tokens, strict or (), scheme)
                tally.score(gold, before, spans_of(record.tokens, labels.tags, scheme))
        unanswered = repetitions - len(record.answers)
        missing += unanswered
        if record.gold is not None:
            for _ in range(unanswered):
                tally.score(gold, NO_SPANS, NO_SPANS)
        usable += taken > 0
    for group in recording.unusable:
        tally.fates[Fate.REJECTED] += group.answers
        tally.reasons[group.reason] += group.answers
    return Recovery(
        model=recording.model,
        language=recording.language,
        records=len(recording.records),
        records_usable=usable,
        answers=recording.answers,
        exact=tally.fates[Fate.EXACT],
        repaired=tally.fates[Fate.REPAIRED],
        rejected=tally.fates[Fate.REJECTED],
        missing=missing,
        f1_before=_per_cent(tally.before),
        f1_after=_per_cent(tally.after),
        repairs=dict(tally.repairs.most_common()),
        reasons=dict(tally.reasons.most_common()),
    )


def recovered_labels(answer: Any, tokens: Sequence[str], scheme: LabelScheme) -> TokenLabels:
    """What an answer says of a sentence, be it a JSON value or the text of one."""
    lists: TokenLists | InvalidAnswer
    lists = parse_token_lists(answer) if isinstance(answer, str) else token_lists_in(answer)
    return align_token_lists(lists, [tokens], scheme)[0]


def strict_tags(answer: Any, tokens: Sequence[str]) -> list[str] | None:
    """The labels by position, if there is exactly one pair for each token; else ``None``."""
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except (ValueError, RecursionError):
            return None
    if isinstance(answer, dict):
        answer = answer.get("output")
    if not isinstance(answer, list) or len(answer) != len(tokens):
        return None
    if not all(isinstance(item, list) and len(item) == 2 for item in answer):
        return None
    return [str(label) for _, label in answer]


def spans_of(tokens: Sequence[str], tags: Sequence[str], scheme: LabelScheme) -> tuple[Span, ...]:
    """The spans that tags describe, in the tokens joined by spaces; no tags, no spans.

    Labels outside the scheme count as ``O``, on whichever side they stand.
    """
    if not tags:
        return NO_SPANS
    known = {tag: read_tag(tag, scheme) or OUTSIDE for tag in set(tags)}
    return to_text(Sentence(tuple(tokens), tuple(known[tag] for tag in tags)))[1]


def _per_cent(pairs: Sequence[SpanPair]) -> float | None:
    return round(100 * span_scores(pairs).f1, 2) if pairs else None
