"""The blind audit: how good are the LLM and the tagger, on texts that people labelled unprompted?

People who see a suggestion lean towards it, so labels made that way flatter the suggestion
(anchoring). A random share of the texts is therefore shown without one. Which texts is decided by
a digest of the text, as for the held-out part, and the audit is the first piece of that part:
nothing is ever learnt from it, and no LLM sees it as an example.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from backend.domain import NO_SOURCE, SourceKind, Span, Suggestion, Task
from backend.protocols import FloatArray
from backend.quality.holdout import is_held_out, lot
from backend.quality.intervals import Interval
from backend.quality.prediction_powered import LEVEL, Draw, Estimate, ratio_estimate

TIE = 1e-6
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


def hide(
    tasks: Sequence[Task], suggestions: Sequence[Suggestion], share: float
) -> list[Suggestion]:
    """What annotators may see: of audited tasks nothing, and these mixed evenly into the queue.

    One suggestion per task goes in and comes out, in the same order.
    """
    texts = [task.text for task in tasks]
    confidences = mixed(texts, [suggestion.confidence for suggestion in suggestions], share)
    return [
        replace(suggestion, spans=(), source=NO_SOURCE, confidence=float(confidence))
        if is_audited(text, share)
        else replace(suggestion, confidence=float(confidence))
        for text, suggestion, confidence in zip(texts, suggestions, confidences, strict=True)
    ]


def mixed(texts: Sequence[str], confidences: npt.ArrayLike, share: float) -> FloatArray:
    """The confidences (n_texts,) in [0, 1] with the audited texts mixed in evenly, at random.

    A queue that serves the lowest first meets an audited text at every equal step, whatever the
    other confidences mean, so equal ones are told apart by less than a millionth.
    """
    places = np.array(confidences, dtype=np.float64)
    audited = np.array([is_audited(text, share) for text in texts], dtype=np.bool_)
    if not audited.any():
        return places
    others = np.flatnonzero(~audited)
    others = others[np.argsort(places[others], kind="stable")]
    places[others] = (places[others] + TIE * np.arange(len(others)) / len(texts)) / (1 + TIE)
    chosen = sorted(np.flatnonzero(audited).tolist(), key=lambda at: audit_order(texts[at]))
    steps = (np.arange(len(chosen)) + 0.5) / len(chosen)
    places[chosen] = np.quantile(places[others], steps) if len(others) else steps
    return places


@dataclass(frozen=True, slots=True)
class AuditScores:
    """Strict span precision, recall and F1 over all texts, ``None`` where nothing is there."""

    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None


@dataclass(frozen=True, slots=True)
class AuditedModel:
    """What an audit says of the LLM or the tagger, kept to be shown.

    ``texts`` were labelled blind; ``more`` of them would bring F1 to within the half width.
    """

    kind: SourceKind
    model: str
    texts: int
    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    more: int | None


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """An audit in the few figures that people look at; see ``laboratory.audit.ProjectAudit``.

    ``level``: of the intervals; ``half_width`` in (0, 1): how exactly F1 is to be known.
    """

    texts: int
    drawn: int
    labelled: int
    seen: int
    level: float
    half_width: float
    proxies: str
    models: tuple[AuditedModel, ...]


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
