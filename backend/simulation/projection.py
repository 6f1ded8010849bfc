"""What further labels would bring to a project, from those it has: "expect this with 300 labels".

Each quarter of the labels is held out in turn and the rest is learnt from in growing parts, in
random order: a strategy's order would look steep at first and flat at the end, because it has used
up what it wants. Through these points goes the power law of
:mod:`backend.active_learning.learning_curve`, which says what lies beyond.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from backend.active_learning.learning_curve import Measurement, f1_deviation, predict_gain
from backend.active_learning.trainer import Trainer
from backend.domain import Example
from backend.errors import InputError
from backend.protocols import FloatArray, reading
from backend.quality.evaluation import counts_by_text
from backend.quality.intervals import Interval, f1_of, percentile_interval, resampled_sums

FEWEST = 40
"""Labels below which nothing can be said: the parts would be too small to learn from."""

PREDICTED_LEVEL = 0.9
_NORMAL = float(ndtri((1 + PREDICTED_LEVEL) / 2))
"""Standard deviations from the middle of a normal distribution to a bound of that level."""

_FOLDS = 4
"""Every label is held out once before any is a second time."""

_STEPS = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """Strict span F1 in [0, 1] that taggers reached with so many of the labels, with 95% bounds."""

    labels: int
    f1: Interval


@dataclass(frozen=True, slots=True)
class Expected:
    """Strict span F1 in [0, 1] to expect of a tagger of so many labels, within 90% bounds.

    They are for a tagger of any such labels, and leave out what measuring it is uncertain of.
    """

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
    distinct = list({example.text: example for example in examples}.values())
    if len(distinct) < FEWEST or sum(bool(example.spans) for example in distinct) < _STEPS:
        raise InputError(
            f"{len(distinct)} labelled texts are here; a learning curve needs {FEWEST}, and "
            f"{_STEPS} of them with spans. Label more first."
        )
    rng = trainer.rng
    seen, measured = [], []
    for size, counts in _counts_by_size(distinct, trainer, targets, splits, unlabelled).items():
        at, deviation = _measured(size, counts, rng)
        seen.append(at)
        measured.append(Measurement(size, at.f1.value, deviation))
    last = measured[-1].labels
    expected = [_expected(measured, target, splits, rng) for target in targets if target > last]
    return Projection(len(distinct), splits, tuple(seen), tuple(expected))


def _counts_by_size(
    distinct: list[Example],
    trainer: Trainer,
    targets: Sequence[int],
    splits: int,
    unlabelled: Sequence[str],
) -> dict[int, FloatArray]:
    """Right, spurious and missed spans (n_texts, 3) by the number of labels learnt from.

    Of each text while it was held out, added up over the splits; sizes from small to large.
    """
    rng, progress = trainer.rng, trainer.progress
    counts: dict[int, FloatArray] = {}
    order = np.arange(len(distinct))
    for split in range(splits):
        progress(split, splits, "splits of the labels")
        if split % _FOLDS == 0:
            order = rng.permutation(len(distinct))
        held_out = order[split % _FOLDS :: _FOLDS]
        rest = [distinct[place] for place in order if place not in set(held_out.tolist())]
        rest = rest[: len(distinct) * (_FOLDS - 1) // _FOLDS]  # folds differ by a text
        texts = [*unlabelled, *(example.text for example in rest)]
        informed = replace(trainer, family=reading(trainer.family, texts))
        judged = [distinct[place] for place in held_out]
        for size in _sizes(len(rest), targets):
            tagger = informed.train_apart(rest[:size])
            of_size = counts.setdefault(size, np.zeros((len(distinct), 3)))
            of_size[held_out] += counts_by_text(tagger, judged)
    progress(splits, splits, "splits of the labels")
    return counts


def _sizes(labels: int, targets: Sequence[int]) -> list[int]:
    """How many of the labels to learn from: even steps, and the targets that they suffice for."""
    steps = {round(labels * step / _STEPS) for step in range(1, _STEPS + 1)}
    return sorted(steps | {target for target in targets if target < labels})


def _measured(labels: int, counts: FloatArray, rng: np.random.Generator) -> tuple[Seen, float]:
    """F1 of all texts that were held out together, and its standard deviation.

    ``counts``: (n_texts, 3) right, spurious and missed spans, added up over the splits. Texts are
    resampled whole (Efron, 1979), as a text's spans are right or wrong together.
    """
    value = float(f1_of(counts.sum(axis=0)))
    drawn = f1_of(resampled_sums(counts, rng))
    interval = percentile_interval(value, drawn)
    few = f1_deviation(*counts.sum(axis=0).tolist())
    return Seen(labels, _inside(interval)), max(float(np.std(drawn)), few)


def _expected(
    measured: Sequence[Measurement], target: int, splits: int, rng: np.random.Generator
) -> Expected:
    """The curve that flattens nowhere; below it there is room for one that does."""
    last = measured[-1]
    rising = predict_gain(measured, target - last.labels, rng, plateau=False)
    flattening = predict_gain(measured, target - last.labels, rng)
    gain, low, high = (rising.gain, rising.low, rising.high) if rising else (0.0, 0.0, 1.0)
    low = min(low, flattening.low) if flattening else low
    # The bounds of the rise, and how unsure the place is from which it rises and the one to come.
    reach = _NORMAL * last.deviation * math.sqrt(beyond_sampling(last.labels, target, splits))
    value = last.f1 + gain
    below = value - float(np.hypot(gain - low, reach))
    above = value + float(np.hypot(high - gain, reach))
    return Expected(target, _inside(Interval(value, below, above, PREDICTED_LEVEL)))


def beyond_sampling(last: int, target: int, splits: int) -> float:
    """What to multiply the last measurement's variance by, for a tagger of ``target`` labels; > 1.

    ``last``: labels that those measured learnt from. Resampled texts tell how far F1 depends on the
    texts that were held out, and nothing of how far it depends on those that were learnt from. By
    the correction of Nadeau & Bengio (2003) that adds, to the variance of the mean over ``splits``
    that share labels, ``splits`` times held-out by learnt texts of one. It counts twice: for the
    taggers that were measured, and for the one to come, where it is taken to fall with the number
    of labels.
    """
    of_labels = min(splits, _FOLDS) / (_FOLDS - 1)
    return 1 + of_labels + of_labels * last / target


def _inside(interval: Interval) -> Interval:
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    return Interval(min(1.0, interval.value), low, high, interval.level)
