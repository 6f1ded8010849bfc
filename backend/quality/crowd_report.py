"""Whom to believe, whom to talk to, and which texts to look at again: a crowd without gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

import numpy as np
import numpy.typing as npt

from backend.domain import SpanScores
from backend.protocols import FloatArray
from backend.quality.crowd import Agreed, Crowd, Marked
from backend.quality.dawid_skene import IntArray
from backend.quality.intervals import Interval, wilson
from backend.quality.span_f1 import SpanPair, span_scores

BoolArray = npt.NDArray[np.bool_]

LEVEL = 0.95
SPAM_BELOW = 0.5
"""An annotator is suspect whose quality is surely below this part of the others' median."""
FEWEST_TEXTS = 10
"""Texts that an annotator must have labelled before anything is said against them."""


@dataclass(frozen=True, slots=True)
class AnnotatorQuality:
    """One annotator, judged by what the aggregation believes of the texts others labelled too.

    ``quality``: expected strict F1 in [0, 1], its interval as if those beliefs were the truth;
    ``by_label`` the same for each label. ``agreement``: strict span F1 with the other annotators of
    the same texts, ``None`` where nobody else labelled one. ``spammer``: so much worse than the
    others that it cannot be chance.
    """

    name: str
    texts: int
    spans: int
    agreement: float | None
    quality: Interval | None
    by_label: Mapping[str, float]
    spammer: bool = False


def annotator_qualities(crowd: Crowd, texts: Sequence[Marked]) -> list[AnnotatorQuality]:
    """Every annotator in order of name; ``texts`` are those that were aggregated."""
    believed = crowd.truth.classes[crowd.votes.item]
    shared = _shared_votes(crowd, texts)
    found = []
    for number, name in enumerate(crowd.annotators):
        mine = shared & (crowd.votes.annotator == number)
        own = [text for text in texts if name in text.by_annotator]
        found.append(
            AnnotatorQuality(
                name=name,
                texts=len(own),
                spans=sum(len(text.by_annotator[name]) for text in own),
                agreement=_agreement(name, own),
                quality=_expected_f1(
                    crowd.votes.said[mine], believed[mine], range(1, crowd.votes.classes)
                ),
                by_label=_by_label(crowd.labels, crowd.votes.said[mine], believed[mine]),
            )
        )
    return [_judged(one, found) for one in found]


def pairwise_agreement(texts: Sequence[Marked]) -> dict[tuple[str, str], SpanScores]:
    """Strict span counts of each two annotators over the texts that both labelled.

    The F1 of these is symmetric: which of the two is taken for gold makes no difference.
    """
    pairs: dict[tuple[str, str], list[SpanPair]] = {}
    for text in texts:
        for one, other in combinations(sorted(text.by_annotator), 2):
            spans = (text.by_annotator[one], text.by_annotator[other])
            pairs.setdefault((one, other), []).append(spans)
    return {pair: span_scores(spans) for pair, spans in sorted(pairs.items())}


def adjudication_queue(crowd: Crowd) -> list[Agreed]:
    """Texts that somebody has to decide, the most contested first; agreed ones are left out."""
    contested = [text for text in crowd.texts if any(_disputed(it.votes) for it in text.candidates)]
    return sorted(contested, key=lambda text: (-text.doubt, text.task_id))


def _disputed(votes: Mapping[str, int]) -> bool:
    return len(set(votes.values())) > 1


def _shared_votes(crowd: Crowd, texts: Sequence[Marked]) -> BoolArray:
    """(n_votes,): whether a vote is on a marked place of a text with several annotators."""
    several = [
        len(text.by_annotator) > 1
        for text, agreed in zip(texts, crowd.texts, strict=True)
        for _ in agreed.candidates
    ]
    unmarked = [False] * len(texts)
    return np.array(several + unmarked, dtype=np.bool_)[crowd.votes.item]


def _agreement(name: str, own: Sequence[Marked]) -> float | None:
    others = [
        (text.by_annotator[name], spans)
        for text in own
        for other, spans in text.by_annotator.items()
        if other != name
    ]
    return span_scores(others).f1 if others else None


def _by_label(labels: Sequence[str], said: IntArray, truth: FloatArray) -> dict[str, float]:
    found = {label: _expected_f1(said, truth, [at]) for at, label in enumerate(labels, start=1)}
    return {label: interval.value for label, interval in found.items() if interval is not None}


def _expected_f1(said: IntArray, truth: FloatArray, classes: Sequence[int]) -> Interval | None:
    """Expected strict F1 of what somebody said; ``None`` where there was nothing to say.

    F1 is the share of right ones among all spans, given or true, in pairs; so is the interval.
    """
    right = sum(float(truth[said == at, at].sum()) for at in classes)
    given = float(np.isin(said, classes).sum())
    wanted = float(truth[:, list(classes)].sum())
    if given + wanted < 1:
        return None
    pairs = (given + wanted) / 2
    return wilson(min(right, pairs), pairs, LEVEL)


def _judged(one: AnnotatorQuality, everybody: Sequence[AnnotatorQuality]) -> AnnotatorQuality:
    others = [it.quality.value for it in everybody if it.quality is not None and it is not one]
    if one.quality is None or not others or one.texts < FEWEST_TEXTS:
        return one
    if one.quality.high >= SPAM_BELOW * median(others):
        return one
    return replace(one, spammer=True)
