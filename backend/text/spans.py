"""Mentions that a model wrote down become spans of the text; spans that a tool stored are checked.

Parsing forgives, alignment does not: whatever becomes a span is a slice of the text under a
configured label, and whatever cannot is kept with the reason.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from backend.domain import LabelScheme, Rejection, Span
from backend.text.labels import canonical_label
from backend.text.normalise import NormalText, normalise, verbatim
from backend.text.tokens import tokenise

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mention:
    """An entity as a model names it: by its words, not by its place.

    ``occurrence`` counts from 1 where the same words occur more than once; ``None`` where the
    model did not say. ``confidence`` in [0, 1], ``None`` where it did not say.
    """

    text: str
    label: str
    occurrence: int | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Alignment:
    """Spans in the text, sorted and disjoint; how many needed repair; what was rejected."""

    spans: tuple[Span, ...]
    repaired: int = 0
    rejected: tuple[Rejection, ...] = ()


def align(text: str, mentions: Sequence[Mention], scheme: LabelScheme) -> Alignment:
    """Find the place of every mention in the text.

    The words are looked for as they are, then in normal form, then without regard to case, then
    without regard to the punctuation and the spaces in them ("COVID-19" in "COVID - 19"); a
    label may differ in form from a configured one (:func:`backend.text.labels.canonical_label`).
    Each such difference counts as a repair.

    Places that begin and end with a word come first: "Ali" is the second word of "Alison, Ali".
    A place inside a word is taken only where the words stand nowhere on their own, and only as
    they are written, because many languages grow prefixes and suffixes onto names ("Thekwini" in
    "eThekwini") and a span inside a word is easier for an annotator to correct than a lost one.

    A mention with an ``occurrence`` goes there; the others, and those whose occurrence does not
    exist or is taken, go to the first place that no equal label holds. Where places overlap, the
    longer span stays, of equal ones the earlier, of equal places the one given first.
    """
    search = _Search(text)
    placed: dict[Span, int] = {}
    rejected: list[Rejection] = []
    for order, mention in sorted(enumerate(mentions), key=lambda item: item[1].occurrence is None):
        span = _place(mention, search, scheme, placed)
        if isinstance(span, Span):
            placed[span] = order
        else:
            rejected.append(Rejection(mention.text, mention.label, span))

    kept, lost = resolve_overlaps(sorted(placed, key=placed.__getitem__))
    for mention in (mentions[placed[span]] for span in lost):
        reason = "overlaps a longer or earlier mention"
        rejected.append(Rejection(mention.text, mention.label, reason))
    return Alignment(
        spans=kept,
        repaired=sum(_differs(text, span, mentions[placed[span]]) for span in kept),
        rejected=tuple(rejected),
    )


def resolve_overlaps(spans: Iterable[Span]) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Disjoint spans in text order, and those that had to go.

    The longer span stays, of equally long ones the earlier, of equal places the first given.
    """
    kept: list[Span] = []
    lost: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        at = bisect_left(kept, span.start, key=lambda other: other.end - 1)
        if at < len(kept) and kept[at].overlaps(span):
            lost.append(span)
        else:
            kept.insert(at, span)
    return tuple(kept), tuple(lost)


def valid_spans(
    text: str, spans: Iterable[Span], scheme: LabelScheme
) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """The spans that can be learnt from, and what is wrong with each of the others.

    A labelling tool may hold spans of a label that was removed since, beyond a text that was
    edited, reversed, empty, given twice or overlapping. Valid spans are sorted and disjoint.
    """
    problems: list[str] = []
    possible: dict[Span, Span] = {}
    for span in spans:
        problem = "is there twice" if span in possible else _problem(text, span, scheme)
        if problem:
            problems.append(_describe(span, problem))
        else:
            possible[span] = span
    kept, lost = resolve_overlaps(possible)
    problems += [_describe(span, "overlaps a longer or earlier span") for span in lost]
    return kept, tuple(problems)


class _Search:
    """One text, searched in ever more forgiving ways, each prepared when it is first needed."""

    def __init__(self, text: str) -> None:
        self._text = text

    def exact(self, words: str) -> list[Place]:
        """Places of ``words`` as they are, where they begin and end with a word."""
        wanted = words.strip()
        found: list[Place] = []
        start = self._text.find(wanted) if wanted else -1
        while start >= 0:
            end = start + len(wanted)
            here = self._whole_words([(start, end)])
            found += here
            start = self._text.find(wanted, end if here else start + 1)
        return found

    def places(self, words: str) -> list[list[Place]]:
        """Places of ``words``, one list per way of looking, the strictest first."""
        ways = list(self._ways(words.strip()))
        whole_words = [self._whole_words(places) for places in ways]
        if not any(whole_words):
            wanted = normalise(words, fold_case=True, words_only=True).value.strip()
            whole_words = [self._whole_words(self._words_only.find(wanted))]
        return whole_words if any(whole_words) else ways[:2]

    def _ways(self, words: str) -> Iterator[list[Place]]:
        yield list(self._verbatim.find(words))
        yield list(self._normal.find(normalise(words).value))
        yield list(self._folded.find(normalise(words, fold_case=True).value))

    def _whole_words(self, places: Iterable[Place]) -> list[Place]:
        return [
            (start, end)
            for start, end in places
            if start in self._word_starts and end in self._word_ends
        ]

    @cached_property
    def _verbatim(self) -> NormalText:
        return verbatim(self._text)

    @cached_property
    def _normal(self) -> NormalText:
        return normalise(self._text)

    @cached_property
    def _folded(self) -> NormalText:
        return normalise(self._text, fold_case=True)

    @cached_property
    def _words_only(self) -> NormalText:
        return normalise(self._text, fold_case=True, words_only=True)

    @cached_property
    def _words(self) -> list[Place]:
        return tokenise(self._text)

    @cached_property
    def _word_starts(self) -> frozenset[int]:
        return frozenset(start for start, _ in self._words)

    @cached_property
    def _word_ends(self) -> frozenset[int]:
        return frozenset(end for _, end in self._words)


def _place(
    mention: Mention, search: _Search, scheme: LabelScheme, taken: Container[Span]
) -> Span | str:
    """The span of a mention, or the reason why it has none."""
    label = canonical_label(mention.label, scheme)
    if label is None:
        return "the label is not one of the project's"
    score = _probability(mention.confidence)

    def spans_at(places: Iterable[Place]) -> list[Span]:
        return [Span(start, end, label, score) for start, end in places]

    # Nearly all mentions are copied as they stand; looking further costs most of the time.
    if meant := _meant(spans_at(search.exact(mention.text)), mention, taken):
        return meant
    ways = [spans_at(places) for places in search.places(mention.text)]
    if not any(ways):
        return "not in the text"
    meant = next(filter(None, (_meant(spans, mention, taken) for spans in ways)), None)
    free = next((span for spans in ways for span in spans if span not in taken), None)
    return meant or free or "given more often than it occurs"


def _meant(spans: Sequence[Span], mention: Mention, taken: Container[Span]) -> Span | None:
    """The span of the occurrence that a mention names, the first free one if it names none."""
    if mention.occurrence is None or mention.occurrence < 1:
        return next((span for span in spans if span not in taken), None)
    named = spans[mention.occurrence - 1 : mention.occurrence]
    return named[0] if named and named[0] not in taken else None


def _probability(confidence: float | None) -> float | None:
    if confidence is None or math.isnan(confidence):
        return None
    return min(max(confidence, 0.0), 1.0)


def _differs(text: str, span: Span, mention: Mention) -> bool:
    return text[span.start : span.end] != mention.text or span.label != mention.label


def _problem(text: str, span: Span, scheme: LabelScheme) -> str | None:
    if span.label not in scheme:
        return "has a label that is not one of the project's"
    if span.start > span.end:
        return "is reversed"
    if span.start == span.end:
        return "is empty"
    if span.start < 0 or span.end > len(text):
        return f"is outside the text of {len(text)} characters"
    return None


def _describe(span: Span, problem: str) -> str:
    return f"{span.label} at {span.start}-{span.end} {problem}"
