"""Several answers to one task made into one: what most of them say, scored by how many say it.

A span that all answers give is not certain to be right, since a model repeats its errors: on
recorded answers of GPT-4-Turbo to four African languages, spans of all ten repetitions were right
in 62 to 77 % of cases. One that only some of them give is mostly wrong, above all between two
different models. So scores order spans and tasks well, and want calibration before they are taken
for probabilities (self-consistency: Wang et al., 2023; disagreement as query by committee: Seung,
Opper & Sompolinsky, 1992).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from backend.domain import Answer, Source, Span, Suggestion
from backend.quality.span_f1 import span_scores


def combined(answers: Sequence[Answer], source: Source) -> Answer:
    """One answer out of several to the same task, the first of which counts most.

    A span is kept if more than half of the answers give it, or half of them with the first among
    these; where kept spans overlap, the one with more votes stays. Its score is the share of all
    answers that give it, and the confidence is the mean F1 between two answers; one that failed
    agrees with nothing. Where all failed, it is the first failure.
    """
    given = [answer.suggestion for answer in answers if answer.suggestion is not None]
    if not given:
        return answers[0]
    votes = Counter(span for suggestion in given for span in suggestion.spans)
    wanted = [
        span
        for span, count in votes.items()
        if 2 * count > len(given) or (2 * count == len(given) and span in given[0].spans)
    ]
    spans = tuple(
        replace(span, score=votes[span] / len(answers)) for span in _disjoint(wanted, votes)
    )
    first = next(answer for answer in answers if answer.suggestion is not None)
    suggestion = Suggestion(first.task_id, spans, agreement(given, len(answers)), source)
    return replace(first, suggestion=suggestion)


def _disjoint(spans: Sequence[Span], votes: Counter[Span]) -> list[Span]:
    """In order; of overlapping ones that with most votes stays, then the longer, the earlier."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (-votes[one], one.start - one.end, one)):
        if not any(span.overlaps(other) for other in kept):
            kept.append(span)
    return sorted(kept)


def agreement(given: Sequence[Suggestion], asked: int) -> float:
    """Mean strict F1 between two of ``asked`` answers, in [0, 1]; two that name nothing agree.

    Those that were asked for and not given agree with none. A single answer: 1.0.
    """
    if asked < 2:
        return 1.0
    total = sum(_f1(one.spans, other.spans) for one, other in combinations(given, 2))
    return total / (asked * (asked - 1) / 2)


def _f1(one: Sequence[Span], other: Sequence[Span]) -> float:
    return span_scores([(one, other)]).f1 if one or other else 1.0
