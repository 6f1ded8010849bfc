"""Several people labelled the same text: what to believe, whom, and what to look at again.

A place that anybody marked is an item, to be given a label or none; who of the text's annotators
marked it, and as what, are its votes. That makes strict spans, with exact bounds, the currency
from beginning to end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.domain import Span
from backend.protocols import FloatArray
from backend.quality.dawid_skene import Priors, Truth, Votes, dawid_skene

Spans = tuple[Span, ...]

NOTHING = 0
"""The class of a place that is no mention; the labels follow in their order."""

RIGHT, WRONG = 4.0, 1.0
"""Pseudo-votes on each class, right and wrong, from which the habits of all are found."""
STRENGTH = 5.0
"""Pseudo-votes of every annotator on each class: these habits, until shown otherwise."""
UNMARKED = 10.0
"""Places of a text that nobody marked and everybody rightly left alone.

Without them nobody could be seen to leave places alone, as only marked ones are items, and false
alarms would be taken for the rule. How many hardly matters: from 3 to 30 the results are the same.
"""


@dataclass(frozen=True, slots=True)
class Marked:
    """One text's annotations: the spans of each annotator, none at all included."""

    task_id: str
    by_annotator: Mapping[str, Spans]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that somebody marked. ``probabilities``: of nothing and of each label."""

    start: int
    end: int
    votes: Mapping[str, int]
    probabilities: FloatArray

    @property
    def doubt(self) -> float:
        """Probability in [0, 1] that the most probable decision on this place is wrong."""
        return float(1 - self.probabilities.max())


@dataclass(frozen=True, slots=True)
class Agreed:
    """What to believe of one text: spans with their probability as score, all its candidates."""

    task_id: str
    spans: Spans
    candidates: tuple[Candidate, ...]

    @property
    def doubt(self) -> float:
        """Expected number of wrong decisions on this text."""
        return sum(candidate.doubt for candidate in self.candidates)

    @property
    def weight(self) -> float:
        """What the text is worth for training, in [0, 1]: how sure its decisions are, on the mean.

        1 where nobody marked anything.
        """
        if not self.candidates:
            return 1.0
        return 1 - self.doubt / len(self.candidates)


@dataclass(frozen=True, slots=True)
class Crowd:
    """A whole collection, aggregated. ``texts`` in the given order."""

    texts: tuple[Agreed, ...]
    annotators: tuple[str, ...]
    labels: tuple[str, ...]
    votes: Votes
    truth: Truth


def majority(marked: Marked) -> Spans:
    """The spans that more than half of a text's annotators gave exactly, sorted.

    These can still overlap where annotators overlap their own spans; the one with more votes
    stays.
    """
    counts = Counter(span for spans in marked.by_annotator.values() for span in set(spans))
    needed = len(marked.by_annotator) / 2
    backed = [(span, count) for span, count in counts.items() if count > needed]
    ranked = sorted(backed, key=lambda pair: (-pair[1], pair[0]))
    return tuple(sorted(_without_overlaps(span for span, _ in ranked)))


def aggregate(texts: Sequence[Marked], labels: Sequence[str]) -> Crowd:
    """Dawid-Skene over all places that anybody marked in any of the texts.

    A text with one annotator keeps that one's spans. Spans of labels outside ``labels`` take no
    part. Raises :class:`~backend.errors.InputError` where nobody annotated anything.
    """
    annotators = tuple(sorted({name for text in texts for name in text.by_annotator}))
    places = [_places(text, labels) for text in texts]
    votes = _votes(texts, places, annotators, len(labels) + 1)
    truth = dawid_skene(votes, _shared_habits(votes))
    rows = iter(truth.classes)
    agreed = []
    for text, found in zip(texts, places, strict=True):
        candidates = tuple(
            Candidate(start, end, said, next(rows)) for (start, end), said in found.items()
        )
        agreed.append(Agreed(text.task_id, _believed(text, candidates, labels), candidates))
    return Crowd(tuple(agreed), annotators, tuple(labels), votes, truth)


def _places(text: Marked, labels: Sequence[str]) -> dict[tuple[int, int], dict[str, int]]:
    """Each marked place in order, with what every annotator of the text said of it."""
    known = {label: number for number, label in enumerate(labels, start=1)}
    marked: dict[tuple[int, int], dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(text.by_annotator, NOTHING)
    )
    for annotator, spans in text.by_annotator.items():
        for span in spans:
            if span.label in known:
                marked[span.start, span.end][annotator] = known[span.label]
    return dict(sorted(marked.items()))


def _votes(
    texts: Sequence[Marked],
    places: Sequence[Mapping[tuple[int, int], Mapping[str, int]]],
    annotators: Sequence[str],
    classes: int,
) -> Votes:
    """Votes on all marked places, and behind them one item per text for its unmarked ones."""
    number = {name: at for at, name in enumerate(annotators)}
    marked = [votes for found in places for votes in found.values()]
    unmarked = [dict.fromkeys(text.by_annotator, NOTHING) for text in texts]
    rows = [
        (item, number[annotator], said)
        for item, votes in enumerate([*marked, *unmarked])
        for annotator, said in votes.items()
    ]
    item, annotator, said = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    weight = np.r_[np.ones(len(marked)), np.full(len(texts), UNMARKED)]
    return Votes(item, annotator, said, weight, len(annotators), classes)


def _shared_habits(votes: Votes) -> Priors:
    """What all annotators have in common, as pseudo-votes of each of them.

    Found by taking them for one person first; somebody with few votes is then taken for an average
    annotator, and somebody with many is judged by their own.
    """
    classes = votes.classes
    start = np.full((classes, classes), WRONG / max(classes - 1, 1))
    np.fill_diagonal(start, RIGHT)
    shares = np.ones(classes)
    as_one = replace(votes, annotator=np.zeros_like(votes.annotator), annotators=1)
    common = dawid_skene(as_one, Priors(start, shares)).confusion[0]
    return Priors(STRENGTH * common, shares)


def _believed(text: Marked, candidates: Sequence[Candidate], labels: Sequence[str]) -> Spans:
    """The most probable of the labels that somebody gave, as far as they do not overlap."""
    if len(text.by_annotator) == 1:
        return tuple(sorted(next(iter(text.by_annotator.values()))))
    found = []
    for candidate in candidates:
        given = sorted(set(candidate.votes.values()) - {NOTHING})
        best = max(given, key=lambda label: candidate.probabilities[label])
        probability = float(candidate.probabilities[best])
        if probability > candidate.probabilities[NOTHING]:
            found.append(Span(candidate.start, candidate.end, labels[best - 1], probability))
    found.sort(key=lambda span: (-(span.score or 0.0), span))
    return tuple(sorted(_without_overlaps(found)))


def _without_overlaps(ranked: Iterable[Span]) -> list[Span]:
    """The spans that overlap none before them."""
    kept: list[Span] = []
    for span in ranked:
        if not any(span.overlaps(other) for other in kept):
            kept.append(span)
    return kept
