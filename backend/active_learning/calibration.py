"""Confidences that mean what they say: learnt on held-out labels, kept only where it helps.

Token probabilities get a temperature (Guo et al., 2017); span scores, each for itself, an isotonic
regression (Zadrozny & Elkan, 2002) or, where few spans are known, a logistic one (Platt, 1999).
Whether it helps is found by cross-fitting: every held-out text is judged by a calibration that has
not seen it. Nothing here knows how a tagger works inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from backend.active_learning.reliability import (
    BoolArray,
    calibration_error,
    negative_log_likelihood,
)
from backend.active_learning.tokens import IntArray, Tokens
from backend.domain import Example, LabelScheme, Span
from backend.protocols import FloatArray, Tagging
from backend.text.bio import tag_names, to_bio
from backend.text.tokens import tokenise

MIN_TEXTS = 50
"""Held-out texts below which nothing is calibrated."""

MIN_SPANS = 50
"""Predicted spans below which their scores stay as they are."""

_FOLDS = 5
_MIN_OF_EACH = 5
_LEAST = 1e-12
_COLDEST, _HOTTEST = 0.25, 8.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """A correction of confidences; as made here without values, none.

    ``temperature`` divides the tokens' log-probabilities: above 1 it makes them less sure.
    ``span_points`` are (score, probability) pairs, both rising, with straight lines between them.
    """

    temperature: float = 1.0
    span_points: tuple[tuple[float, float], ...] = ()

    def apply(self, taggings: Sequence[Tagging]) -> list[Tagging]:
        """The taggings with corrected probabilities and span scores; the spans stay.

        ``sequence_probability`` stays too: its own correction would need the model.
        """
        return [
            replace(
                tagging,
                spans=self._spans(tagging.spans),
                probabilities=heated(tagging.probabilities, self.temperature),
            )
            for tagging in taggings
        ]

    def _spans(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        if not self.span_points:
            return spans
        return tuple(
            span if span.score is None else replace(span, score=self.span_probability(span.score))
            for span in spans
        )

    def span_probability(self, score: float) -> float:
        """How likely a span with this score is right, in [0, 1]."""
        if not self.span_points:
            return score
        scores, probabilities = zip(*self.span_points, strict=True)
        return float(np.interp(score, scores, probabilities))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {"temperature": self.temperature, "span_points": [list(p) for p in self.span_points]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Calibration:
        """The inverse of :meth:`to_json`. Raises ``ValueError`` and its like for other content."""
        points = tuple((float(score), float(right)) for score, right in content["span_points"])
        temperature = float(content["temperature"])
        if not (temperature > 0 and np.isfinite(temperature) and sorted(points) == list(points)):
            raise ValueError(f"no calibration: temperature {temperature}, points {points}")
        return cls(temperature, points)


@dataclass(frozen=True, slots=True)
class Gain:
    """What a correction does on texts that it was not fitted on.

    Negative log-likelihoods in nats and expected calibration errors in [0, 1], of ``count``
    tokens or spans.
    """

    count: int
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float

    @property
    def helps(self) -> bool:
        """Whether the likelihood is better and the calibration error no worse."""
        return self.nll_after < self.nll_before and self.ece_after <= self.ece_before

    def __str__(self) -> str:
        errors = f"calibration error {self.ece_before:.3f} -> {self.ece_after:.3f}"
        return errors if self.helps else f"{errors}, left as they are"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration and what spoke for or against its parts, ``None`` where too little is known."""

    calibration: Calibration
    tokens: Gain | None = None
    spans: Gain | None = None

    def __str__(self) -> str:
        parts = [f"{name} {gain}" for name, gain in self._parts() if gain]
        return "; ".join(parts) or "too few held-out labels to calibrate on"

    def _parts(self) -> tuple[tuple[str, Gain | None], ...]:
        return ("tokens", self.tokens), ("spans", self.spans)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a model version's description."""
        return {name: asdict(gain) if gain else None for name, gain in self._parts()}


def fit_calibration(
    examples: Sequence[Example],
    taggings: Sequence[Tagging],
    scheme: LabelScheme,
    rng: np.random.Generator,
) -> Fitted:
    """Learn a calibration from a tagger's ``taggings`` of held-out ``examples``.

    Probabilities need the columns of ``tag_names(scheme.labels)`` and the rows of ``tokenise``.
    A part that does not help on texts it was not fitted on is left out; so are both with fewer
    than 50 texts, and that of spans with fewer than 50 of them or fewer than 5 right or wrong ones.
    """
    if len(examples) < MIN_TEXTS:
        return Fitted(Calibration())
    folds = rng.permutation(len(examples)) % _FOLDS
    tokens, gold = _gold_tokens(examples, taggings, scheme)
    temperature, of_tokens = _fit_temperature(tokens, gold, folds)
    points, of_spans = _fit_spans(examples, taggings, folds)
    return Fitted(Calibration(temperature, points), of_tokens, of_spans)


# Tokens -----------------------------------------------------------------------------------------


def heated(probabilities: FloatArray, temperature: float) -> FloatArray:
    """(n_tokens, n_tags) with their logarithms divided by ``temperature``; rows sum to 1."""
    if temperature == 1.0 or not probabilities.size:
        return probabilities
    logits = np.log(
        probabilities, out=np.full_like(probabilities, -np.inf), where=probabilities > 0
    )
    scaled = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    rows: FloatArray = scaled / scaled.sum(axis=1, keepdims=True)
    return rows


def best_temperature(probabilities: FloatArray, gold: IntArray) -> float:
    """The temperature in [0.25, 8] under which the gold tags (n_tokens,) are likeliest."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - takes long to import

    found = minimize_scalar(
        lambda logarithm: _nll(heated(probabilities, float(np.exp(logarithm))), gold),
        bounds=(np.log(_COLDEST), np.log(_HOTTEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _fit_temperature(tokens: Tokens, gold: IntArray, folds: IntArray) -> tuple[float, Gain | None]:
    if not len(gold) or not (gold > 0).any():
        return 1.0, None
    fold = folds[tokens.owner]
    after = np.empty_like(tokens.probabilities)
    for number in range(_FOLDS):
        here = fold == number
        temperature = best_temperature(tokens.probabilities[~here], gold[~here])
        after[here] = heated(tokens.probabilities[here], temperature)
    gain = Gain(
        len(gold),
        _nll(tokens.probabilities, gold),
        _nll(after, gold),
        _token_error(tokens.probabilities, gold),
        _token_error(after, gold),
    )
    return (best_temperature(tokens.probabilities, gold) if gain.helps else 1.0), gain


def _gold_tokens(
    examples: Sequence[Example], taggings: Sequence[Tagging], scheme: LabelScheme
) -> tuple[Tokens, IntArray]:
    column = {tag: place for place, tag in enumerate(tag_names(scheme.labels))}
    gold = [
        column.get(tag, 0)
        for example in examples
        for tag in to_bio(tokenise(example.text), example.spans)[0]
    ]
    return Tokens.of(taggings), np.array(gold, dtype=np.int64)


def _nll(probabilities: FloatArray, gold: IntArray) -> float:
    given = probabilities[np.arange(len(gold)), gold]
    return float(-np.log(np.maximum(given, _LEAST)).mean())


def _token_error(probabilities: FloatArray, gold: IntArray) -> float:
    return calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == gold)


# Spans ------------------------------------------------------------------------------------------


def isotonic(scores: FloatArray, right: BoolArray) -> Calibration:
    """A calibration of span scores alone: the best rising line, kept off 0 and 1.

    No finite number of spans proves certainty, so probabilities stay within [1 / (n + 2),
    1 - 1 / (n + 2)] (Laplace's rule).
    """
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - takes long to import

    edge = 1.0 / (len(scores) + 2)
    line = IsotonicRegression(y_min=edge, y_max=1.0 - edge, out_of_bounds="clip")
    line.fit(scores, right.astype(np.float64))
    points = zip(line.X_thresholds_.tolist(), line.y_thresholds_.tolist(), strict=True)
    return Calibration(span_points=tuple(points))


def logistic(scores: FloatArray, right: BoolArray) -> Calibration:
    """A calibration of span scores alone: a rising S-curve over their logits, in 51 points.

    Two numbers are fitted, so it needs far fewer spans than :func:`isotonic`, but knows one shape.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above

    if right.all() or not right.any():
        return isotonic(scores, right)
    line = LogisticRegression().fit(_logits(scores)[:, None], right)
    grid = np.linspace(0.0, 1.0, 51)
    slope = max(0.0, float(line.coef_[0, 0]))
    values = 1.0 / (1.0 + np.exp(-(float(line.intercept_[0]) + slope * _logits(grid))))
    return Calibration(span_points=tuple(zip(grid.tolist(), values.tolist(), strict=True)))


def _logits(scores: FloatArray) -> FloatArray:
    inside = np.clip(scores, 1e-3, 1.0 - 1e-3)
    logits: FloatArray = np.log(inside / (1.0 - inside))
    return logits


def _fit_spans(
    examples: Sequence[Example], taggings: Sequence[Tagging], folds: IntArray
) -> tuple[tuple[tuple[float, float], ...], Gain | None]:
    found = [
        (span.score, span in set(example.spans), fold)
        for example, tagging, fold in zip(examples, taggings, folds, strict=True)
        for span in tagging.spans
        if span.score is not None
    ]
    scores = np.array([score for score, _, _ in found], dtype=np.float64)
    right = np.array([hit for _, hit, _ in found], dtype=np.bool_)
    fold = np.array([number for _, _, number in found], dtype=np.int64)
    if len(found) < MIN_SPANS or min(right.sum(), (~right).sum()) < _MIN_OF_EACH:
        return (), None
    gains = {fit: _span_gain(scores, right, fold, fit) for fit in (isotonic, logistic)}
    best = min(gains, key=lambda fit: (not gains[fit].helps, gains[fit].nll_after))
    return (best(scores, right).span_points if gains[best].helps else ()), gains[best]


def _span_gain(
    scores: FloatArray,
    right: BoolArray,
    fold: IntArray,
    fit: Callable[[FloatArray, BoolArray], Calibration],
) -> Gain:
    after = np.empty_like(scores)
    for number in np.unique(fold):
        here = fold == number
        line = fit(scores[~here], right[~here])
        after[here] = [line.span_probability(score) for score in scores[here]]
    return Gain(
        len(scores),
        negative_log_likelihood(scores, right),
        negative_log_likelihood(after, right),
        calibration_error(scores, right),
        calibration_error(after, right),
    )
