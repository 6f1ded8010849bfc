"""What further labels would bring to a project, from those it has: "expect this with 300 labels".

Each quarter of the labels is held out in turn and the rest is learnt from in growing parts, in
random order: a strategy's order would look steep at first and flat at the end, because it has used
up what it wants. Through these points goes the power law of
:mod:`backend.active_learning.learning_curve`, which says what lies beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend.active_learning.learning_curve import Measurement, f1_deviation, predict_gain
from backend.active_learning.trainer import Trainer
from backend.domain import Example, SpanScores
from backend.errors import InputError
from backend.protocols import reading
from backend.quality.evaluation import tagger_scores
from backend.quality.intervals import Interval, mean_interval

FEWEST = 40
"""Labels below which nothing can be said: the parts would be too small to learn from."""

PREDICTED_LEVEL = 0.9
_FOLDS = 4
"""Every label is held out once before any is a second time."""

_STEPS = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """Strict span F1 in [0, 1] that taggers reached with so many of the labels."""

    labels: int
    f1: Interval


@dataclass(frozen=True, slots=True)
class Expected:
    """Strict span F1 in [0, 1] to expect with so many labels, bounded with 90% confidence."""

    labels: int
    f1: Interval


@dataclass(frozen=True, slots=True)
class Projection:
    """A learning curve from the labels there are, and where it leads."""

    labels: int
    splits: int
    seen: tuple[Seen, ...]
    expected: tuple[Expected, ...]

    def as_json(self) -> dict[str, Any]:
        """The form in which it is written down."""
        return {
            "labels": self.labels,
            "splits": self.splits,
            "measured": [{"labels": at.labels, "f1": at.f1.as_json()} for at in self.seen],
            "expected": [{"labels": at.labels, "f1": at.f1.as_json()} for at in self.expected],
        }


def project_curve(
    examples: Sequence[Example],
    trainer: Trainer,
    targets: Sequence[int],
    splits: int,
    unlabelled: Sequence[str] = (),
) -> Projection:
    """Measure on the labels there are, and extrapolate to the numbers of labels in ``targets``.

    Numbers that the labels at hand suffice for are measured. ``unlabelled``: the texts that wait
    for labels; taggers that read such texts read them here as in the loop, and those of the labels
    that are not held out.

    Raises :class:`~backend.errors.InputError` for fewer than 40 distinct labelled texts, where
    hardly any holds a span, and for a target below 1.
    """
    if wrong := [target for target in targets if target < 1]:
        raise InputError(f"{wrong[0]} is no number of labels to expect anything of: say 1 or more.")
    rng, progress = trainer.rng, trainer.progress
    distinct = list({example.text: example for example in examples}.values())
    if len(distinct) < FEWEST or sum(bool(example.spans) for example in distinct) < _STEPS:
        raise InputError(
            f"{len(distinct)} labelled texts are here; a learning curve needs {FEWEST}, and "
            f"{_STEPS} of them with spans. Label more first."
        )
    runs: list[list[SpanScores]] = []
    sizes: list[int] = []
    order: list[Example] = []
    for split in range(splits):
        progress(split, splits, "splits of the labels")
        if split % _FOLDS == 0:
            order = [distinct[place] for place in rng.permutation(len(distinct))]
        held_out = order[split % _FOLDS :: _FOLDS]
        rest = [example for at, example in enumerate(order) if at % _FOLDS != split % _FOLDS]
        rest = rest[: len(distinct) * (_FOLDS - 1) // _FOLDS]  # folds differ by a text
        steps = {round(len(rest) * step / _STEPS) for step in range(1, _STEPS + 1)}
        sizes = sorted(steps | {target for target in targets if target < len(rest)})
        texts = [*unlabelled, *(example.text for example in rest)]
        informed = replace(trainer, family=reading(trainer.family, texts))
        runs.append([_scores(rest[:size], held_out, informed) for size in sizes])
    progress(splits, splits, "splits of the labels")
    measured = [_measured(size, [run[at] for run in runs]) for at, size in enumerate(sizes)]
    seen = [
        Seen(size, _inside(mean_interval([run[at].f1 for run in runs])))
        for at, size in enumerate(sizes)
    ]
    expected = [_expected(measured, target, rng) for target in targets if target > sizes[-1]]
    return Projection(len(distinct), splits, tuple(seen), tuple(expected))


def _scores(
    training: Sequence[Example], held_out: Sequence[Example], trainer: Trainer
) -> SpanScores:
    tagger = trainer.train_apart(training)
    if tagger is None:
        return SpanScores(0, 0, sum(len(example.spans) for example in held_out))
    return tagger_scores(tagger, held_out) or SpanScores(0, 0, 0)


def _measured(labels: int, scores: Sequence[SpanScores]) -> Measurement:
    """The mean over splits, and its standard deviation.

    Only splits that hold out other labels divide the variance; it is no less than that of all
    labels held out once.
    """
    f1 = [each.f1 for each in scores]
    apart = min(len(scores), _FOLDS)
    counts = np.array(
        [(each.true_positives, each.false_positives, each.false_negatives) for each in scores]
    )
    right, wrong, missed = (counts.sum(axis=0) * apart / len(scores)).tolist()
    spread = float(np.std(f1, ddof=1)) / apart**0.5 if apart > 1 else 0.0
    return Measurement(labels, float(np.mean(f1)), max(spread, f1_deviation(right, wrong, missed)))


def _expected(measured: Sequence[Measurement], target: int, rng: np.random.Generator) -> Expected:
    last = measured[-1]
    found = predict_gain(measured, target - last.labels, rng)
    gain, low, high = (found.gain, found.low, found.high) if found else (0.0, 0.0, 1.0)
    # The bounds of the rise, and how unsure the place is from which it rises.
    reach = 1.645 * last.deviation
    value = last.f1 + gain
    below = value - float(np.hypot(gain - low, reach))
    above = value + float(np.hypot(high - gain, reach))
    return Expected(target, _inside(Interval(value, below, above, PREDICTED_LEVEL)))


def _inside(interval: Interval) -> Interval:
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    return Interval(min(1.0, interval.value), low, high, interval.level)
