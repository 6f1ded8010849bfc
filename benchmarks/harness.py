"""Compares two ways of doing one thing, so that a claim comes with its measurement.

A benchmark is a script beside this file: it builds two arms, lets :func:`compare` measure them in
turn, and prints the result with :func:`report`. The last line of its output is a JSON object::

    slow = Arm("one by one", timed(lambda: push(tasks, batch=1), before=forget))
    fast = Arm("in bulk", timed(lambda: push(tasks, batch=1000), before=forget))
    report(compare("label-studio-push", baseline=slow, candidate=fast), tasks=len(tasks))
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """One of the two ways. ``measure`` does it once and returns what it took, in ``unit``."""

    name: str
    measure: Callable[[], float]


@dataclass(frozen=True)
class Measured:
    """What each repetition of an arm took, in the order they ran."""

    name: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value: one disturbed repetition does not move it."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Comparison:
    """Both arms, measured in one run on one machine."""

    name: str
    baseline: Measured
    candidate: Measured
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """How many times less the candidate takes than the baseline, by medians."""
        return self.baseline.median / self.candidate.median


def timed(
    work: Callable[[], object],
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Callable[[], float]:
    """A measure of the seconds that ``work`` takes.

    ``before`` prepares and ``after`` checks each time, unmeasured.
    """

    def measure() -> float:
        before()
        start = clock()
        work()
        seconds = clock() - start
        after()
        return seconds

    return measure


def compare(
    name: str, baseline: Arm, candidate: Arm, repeats: int = 5, unit: str = "s"
) -> Comparison:
    """Measure both arms ``repeats`` times in turn."""
    first, second = in_turn((baseline, candidate), repeats)
    return Comparison(name, first, second, unit)


def in_turn(arms: Sequence[Arm], repeats: int) -> list[Measured]:
    """Measure any number of arms ``repeats`` times; they come back in the order given.

    Every other time the order is reversed, so that no arm always meets the warmer machine.
    """
    values: dict[Arm, list[float]] = {arm: [] for arm in arms}
    order = list(arms)
    for _ in range(repeats):
        for arm in order:
            values[arm].append(arm.measure())
        order.reverse()
    return [Measured(arm.name, tuple(values[arm])) for arm in arms]


def report(comparison: Comparison, **details: object) -> None:
    """Print a table, then one line of JSON with ``name``, ``ratio``, the values and ``details``."""
    arms = (comparison.baseline, comparison.candidate)
    width = max(len(arm.name) for arm in arms)
    for arm in arms:
        print(
            f"{arm.name:{width}}  median {arm.median:10.4g} {comparison.unit}"
            f"  min {min(arm.values):10.4g}  max {max(arm.values):10.4g}  n {len(arm.values)}"
        )
    print(f"{comparison.candidate.name} takes {comparison.ratio:.3g} times less")
    summary = {
        "name": comparison.name,
        "ratio": round(comparison.ratio, 4),
        "unit": comparison.unit,
        "arms": {arm.name: {"median": arm.median, "values": arm.values} for arm in arms},
        **details,
    }
    print(json.dumps(summary))
