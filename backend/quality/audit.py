"""The blind audit: how good are the LLM and the tagger, on texts that people labelled unprompted?

People who see a suggestion lean towards it, so labels made that way flatter the suggestion
(anchoring). A random share of the texts is therefore shown without one. Which texts is decided by
a digest of the text, as for the held-out part, and the audit is the first piece of that part:
nothing is ever learnt from it, and no LLM sees it as an example.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Span
from backend.protocols import FloatArray
from backend.quality.holdout import is_held_out, lot
from backend.quality.prediction_powered import LEVEL, Draw, Estimate, ratio_estimate

HALF_WIDTH = 0.03
"""The precision that the forecast of further labels aims at."""
_ORDER_LOT = 1

Spans = Iterable[Span]


def is_audited(text: str, share: float) -> bool:
    """Whether a text is to be labelled blind: ``share`` in [0, 1) of the distinct texts are."""
    return is_held_out(text, share)


def audit_order(text: str) -> float:
    """A place in [0, 1) in the random order in which audited texts are asked for.

    At any moment those that were labelled are then a random sample, however far people have come.
    """
    return lot(text, _ORDER_LOT)


def spread(count: int, others: Sequence[float]) -> FloatArray:
    """Confidences (count,), rising, that mix audited tasks evenly into a queue.

    ``others``: confidences of the other tasks, in any order. A queue that serves the lowest first
    then meets an audited task at every equal step, whatever the other confidences mean.
    """
    places = (np.arange(count) + 0.5) / max(count, 1)
    return np.quantile(np.asarray(others, float), places) if len(others) else places


@dataclass(frozen=True, slots=True)
class AuditScores:
    """Strict span precision, recall and F1 over all texts, ``None`` where nothing is there."""

    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None


def audit_scores(
    gold: Sequence[Spans], predicted: Sequence[Spans], draw: Draw, level: float = LEVEL
) -> AuditScores:
    """What one annotator is worth over all texts, from the audited ones.

    ``gold`` and ``predicted``: spans of each audited text, in the order of ``draw.audited``. Raises
    :class:`~backend.errors.InputError` for fewer than two audited texts.
    """
    counts = span_counts(gold, predicted)
    right, given, wanted = counts.T

    def ratio(part: FloatArray, whole: FloatArray) -> Estimate | None:
        return ratio_estimate(part, whole, draw, level)

    return AuditScores(ratio(right, given), ratio(right, wanted), ratio(2 * right, given + wanted))


def span_counts(gold: Sequence[Spans], predicted: Sequence[Spans]) -> FloatArray:
    """(n_texts, 3): right, predicted and gold spans of each text."""
    rows = []
    for wanted_spans, given_spans in zip(gold, predicted, strict=True):
        wanted, given = set(wanted_spans), set(given_spans)
        rows.append((len(wanted & given), len(given), len(wanted)))
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3)


def agreement_proxies(own: Sequence[Spans], other: Sequence[Spans]) -> FloatArray:
    """(n_texts, 3): spans that two annotators agree on, that only one gives, only the other."""
    right, theirs, ours = span_counts(own, other).T
    return np.column_stack([right, ours - right, theirs - right])


def confidence_proxies(spans: Sequence[Spans]) -> FloatArray:
    """(n_texts, 2): how many spans one annotator gives, and how many it expects to be right."""
    rows = [(len(found), sum(span.score or 0.0 for span in found)) for found in map(list, spans)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2)


def of_label(spans: Sequence[Spans], label: str) -> list[tuple[Span, ...]]:
    """The spans of one label in each text."""
    return [tuple(span for span in found if span.label == label) for found in spans]
