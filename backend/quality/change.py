"""Has something changed? Values watched one by one, with one false-alarm rate for the whole watch.

The first values are what later ones are compared with. The rank of a value among them, ties broken
at random, depends on nothing but chance while nothing changes, however the values are distributed.
Cumulative sums of ranks (CUSUM; Page, 1954; of ranks: Bakir & Reynolds, 1979) rise when values
rise or fall: three a side, for changes that are small and lasting and for large ones. Their limits
are found by playing the whole watch many times without a change, the luck of the first values
included, so that the stated share of watches raises an alarm, ever; fewer where many values are
equal.

Sums see a value at a time, and ranks among few first values are coarse. So half of the rate goes to
a few looks at all values so far (:mod:`backend.quality.change_point`), which find smaller changes,
later; each look has the same part of that half.

That holds for values that are exchangeable while nothing changes. Texts that an active learner
asks for are not: the doubtful ones come first. See ``docs/drift.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.errors import InputError
from backend.protocols import FloatArray
from backend.quality.change_point import change_point

RATE = 0.05
"""Of how many watches without a change one may raise an alarm."""
REFERENCE = 100
LENGTH = 1000
FIRST_LOOK = 50
RUNS = 10_000
"""Watches that are played to find the limits."""

_ALLOWANCES = np.array([0.1, 0.25, 0.5])
"""What a sum loses with each value, in standard deviations of a rank."""
_RUNS_AT_ONCE = 2_500


@dataclass(frozen=True, slots=True)
class Limits:
    """How far each sum may go in a watch.

    The first ``reference`` values are compared with; the ``length`` behind are watched; an alarm
    is raised in a share of ``rate``, at most, of watches without a change. ``sums``: (6,), three
    for rises and three for falls. ``looks``: after how many watched values all are looked at, with
    p-values of ``look_rate`` or less an alarm.
    """

    reference: int
    length: int
    rate: float
    sums: FloatArray
    looks: tuple[int, ...] = ()
    look_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What a watch saw.

    ``watched``: how many values, after those compared with. ``alarm``: the place, in all values, of
    the one that raised it, ``None`` for no alarm; ``onset``: where the sum that did so began to
    rise; ``direction``: 1 if values rose, -1 if they fell, 0 without an alarm. ``height``:
    (watched,), how near an alarm was: the highest sum as a share of its limit, or a look's p-value
    beside its rate, by their logarithms.
    """

    watched: int
    height: FloatArray
    alarm: int | None = None
    onset: int | None = None
    direction: int = 0


def limits_of(
    reference: int, length: int, rate: float, rng: np.random.Generator, runs: int = RUNS
) -> Limits:
    """Limits that a share of ``rate`` in (0, 1) of watches without a change goes beyond.

    Raises :class:`~backend.errors.InputError` for a rate outside, and for one so small that
    ``runs`` say nothing of it.
    """
    if not 0 < rate < 1 or rate * runs < 20:
        raise InputError(
            f"No limits can be found for a false-alarm rate of {rate:g}: choose one between "
            f"{20 / runs:g} and 1 for each thing that is watched."
        )
    if reference < 2 or length < 1:
        raise InputError("A watch needs 2 values to compare with and 1 to watch, at least.")
    highest = np.concatenate(
        [
            _highest(reference, length, min(_RUNS_AT_ONCE, runs - done), rng)
            for done in range(0, runs, _RUNS_AT_ONCE)
        ]
    )
    # Each run by the sum that is most unusual in it, so that all sums share the rate evenly.
    unusual = 1 - highest.argsort(axis=0).argsort(axis=0) / runs
    share = np.quantile(unusual.min(axis=1), rate / 2)
    looks = _looks(length)
    sums = np.quantile(highest, 1 - share, axis=0)
    return Limits(reference, length, rate, sums, looks, rate / 2 / len(looks))


def _looks(length: int) -> tuple[int, ...]:
    """After how many values to look: about twice as many each time, the last at the end."""
    steps = max(0, round(math.log2(length / FIRST_LOOK)))
    return tuple(round(length * 2.0 ** (at - steps)) for at in range(steps + 1))


def watch(
    values: Sequence[float] | npt.NDArray[np.float64], limits: Limits, rng: np.random.Generator
) -> Watch:
    """Watch values in the order in which they came, until the watch is over.

    Watching again when more have come says the same of those there were, with the same ``rng``.
    Raises :class:`~backend.errors.InputError` for values that are not finite numbers.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise InputError("Only a row of finite numbers can be watched for a change.")
    first, later = given[: limits.reference], given[limits.reference :][: limits.length]
    if not later.size:
        return Watch(0, np.zeros(0))
    for_ties, *for_looks = rng.spawn(1 + len(limits.looks))
    sums = np.stack(list(_sums(_standard(ranks(first, later, for_ties))[None, :])))[:, 0]
    height = (sums / limits.sums).max(axis=1)
    place = limits.reference
    for count, generator in zip(limits.looks, for_looks, strict=True):
        if count > len(later) or (height[: count - 1] >= 1).any():
            break
        change = change_point(given[: place + count], place, limits.look_rate, generator)
        share = math.log(change.p_value) / math.log(limits.look_rate)
        height[count - 1] = max(height[count - 1], share)
        if share >= 1:
            return Watch(len(later), height, place + count - 1, change.place, change.direction)
    reached = np.flatnonzero(height >= 1)
    if not reached.size:
        return Watch(len(later), height)
    alarm = int(reached[0])
    leading = int((sums[alarm] / limits.sums).argmax())
    at_rest = np.flatnonzero(sums[:alarm, leading] == 0)
    onset = int(at_rest[-1]) + 1 if at_rest.size else 0
    direction = 1 if leading < len(_ALLOWANCES) else -1
    return Watch(len(later), height, place + alarm, place + onset, direction)


def ranks(first: FloatArray, later: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(n_later,), the rank of each later value among the first ones and itself, in [0, 1].

    High means high; ties are broken at random.
    """
    ordered = np.sort(first)
    below = np.searchsorted(ordered, later, side="left")
    not_above = np.searchsorted(ordered, later, side="right")
    return (below + rng.random(len(later)) * (not_above - below + 1)) / (len(ordered) + 1)


def _highest(reference: int, length: int, runs: int, rng: np.random.Generator) -> FloatArray:
    """(runs, 6), how far each sum goes in watches without a change."""
    played = np.stack([ranks(rng.random(reference), rng.random(length), rng) for _ in range(runs)])
    highest = np.zeros((runs, 2 * len(_ALLOWANCES)))
    for sums in _sums(_standard(played)):
        np.maximum(highest, sums, out=highest)
    return highest


def _standard(uniform: FloatArray) -> FloatArray:
    """Ranks with mean 0 and standard deviation 1."""
    return (uniform - 0.5) * math.sqrt(12)


def _sums(steps: FloatArray) -> Iterator[FloatArray]:
    """The sums (runs, 6) after each of the steps (runs, length)."""
    sums = np.zeros((len(steps), 2 * len(_ALLOWANCES)))
    for step in steps.T:
        risen = step[:, None] - _ALLOWANCES
        fallen = -step[:, None] - _ALLOWANCES
        sums = np.maximum(0.0, sums + np.hstack([risen, fallen]))
        yield sums
