"""What labelling is like over time: series of everything that is measured, and alarms.

Labels in the order in which they were made are summed up by week, or in runs of so many, and by
the version of what suggested; each measure is watched for a change from label to label
(:mod:`backend.quality.change`), all of them together with one false-alarm rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from backend.domain import Span
from backend.protocols import FloatArray
from backend.quality.change import LENGTH, RATE, REFERENCE, Limits, Watch, limits_of, watch
from backend.quality.comparison import holm
from backend.quality.input_shift import Distance, Surprise, distance
from backend.quality.intervals import (
    LEVEL,
    Interval,
    bootstrap,
    f1_of,
    mean_interval,
    wilson,
)

Spans = tuple[Span, ...]

MEASURES = (
    "suggestions accepted",
    "suggested spans kept",
    "quality, blind",
    "agreement",
    "confidence",
    "length of texts",
    "strangeness of texts",
)
"""What is watched."""

UNKNOWN = "unknown"
"""The version of what suggested, where none is known."""


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """One label that somebody gave, and what was suggested for it.

    ``shown``: the suggestion in view while it was made, ``None`` where there was none or it is not
    known; ``hidden``: one that was kept back (a blind audit). ``version``: of what suggested.
    ``confidence``: in [0, 1], of the suggestion.
    """

    at: datetime
    task_id: str
    text: str
    accepted: Spans
    annotator: str = ""
    version: str = ""
    shown: Spans | None = None
    hidden: Spans | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A week, a run of labels or a version, in figures; ``None`` where nothing can be measured.

    ``accepted``: share of shown suggestions that were left as they were; ``edited``: 1 - strict
    span F1 between shown and accepted; ``quality``: strict span F1 of hidden suggestions against
    labels made without them; ``agreement``: pairwise strict F1 between annotators of one task;
    ``length``: characters of a text; ``shift``: how far its texts are from the first ones,
    ``shift_p_value`` adjusted for all periods.
    """

    name: str
    begin: str
    labels: int
    annotators: int
    accepted: Interval | None
    edited: Interval | None
    quality: Interval | None
    agreement: Interval | None = None
    confidence: Interval | None = None
    length: Interval | None = None
    shift: Distance | None = None
    shift_p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """A measure under watch. ``events``: which labels its values belong to.

    ``needed``: how many values there must be before the watch begins.
    """

    name: str
    events: tuple[int, ...]
    values: FloatArray
    needed: int
    watch: Watch

    @property
    def alarm(self) -> int | None:
        """The label that raised the alarm."""
        return None if self.watch.alarm is None else self.events[self.watch.alarm]

    @property
    def onset(self) -> int | None:
        """The label from which on the measure had changed, as far as can be told."""
        return None if self.watch.onset is None else self.events[self.watch.onset]


@dataclass(frozen=True, slots=True)
class Drift:
    """All periods and all watches of a project. ``rate`` is that of all watches together."""

    events: tuple[LabelEvent, ...]
    periods: tuple[Period, ...]
    versions: tuple[Period, ...]
    watched: tuple[Watched, ...]
    rate: float
    reference: int
    length: int

    @property
    def alarms(self) -> list[Watched]:
        """The measures that raised an alarm, the first one first."""
        raised = [each for each in self.watched if each.alarm is not None]
        return sorted(raised, key=lambda each: each.alarm or 0)


def drift_of(
    events: Sequence[LabelEvent],
    limits: Limits,
    rng: np.random.Generator,
    *,
    labels_a_period: int | None = None,
) -> Drift:
    """Sum labels up and watch them. ``labels_a_period``: in runs of so many, not by week.

    ``limits`` are those of one measure: see :func:`watch_limits`.
    """
    ordered = sorted(events, key=lambda event: event.at)
    reference = limits.reference
    watched = []
    for name, values in measures_of(ordered, reference).items():
        row = np.fromiter(values.values(), dtype=np.float64)
        watched.append(Watched(name, tuple(values), row, reference, watch(row, limits, rng)))
    first = [ordered[at].text for at in _first_of_tasks(ordered)[:reference]]
    by_time = _by_run(ordered, labels_a_period) if labels_a_period else _by_week(ordered)
    periods = _periods(ordered, by_time, rng)
    return Drift(
        tuple(ordered),
        tuple(_shifted(ordered, by_time, periods, first, rng)),
        tuple(_periods(ordered, _by_version(ordered), rng)),
        tuple(watched),
        limits.rate * len(MEASURES),
        reference,
        limits.length,
    )


def watch_limits(
    rng: np.random.Generator,
    *,
    rate: float = RATE,
    reference: int = REFERENCE,
    length: int = LENGTH,
) -> Limits:
    """Limits with which all measures together raise a false alarm with a probability of ``rate``.

    ``reference``: the first values of each measure, with which later ones are compared; ``length``:
    how many are watched then.
    """
    return limits_of(reference, length, rate / len(MEASURES), rng)


# One value a label ------------------------------------------------------------------------------

Series = Mapping[int, float]
"""Values by the place of the label that they belong to, in order."""


def measures_of(events: Sequence[LabelEvent], reference: int = REFERENCE) -> dict[str, Series]:
    """What is watched, one value for each label that has one.

    What is measured on texts alone is measured once for each task. How strange texts are is
    measured by the first ``reference`` texts, on those behind them.
    """
    new = _first_of_tasks(events)
    surprise = Surprise([events[at].text for at in new[:reference]])
    values: Sequence[Series] = (
        _values(events, _accepted),
        _values(events, lambda event: _likeness(event.shown, event)),
        _values(events, lambda event: _likeness(event.hidden, event)),
        _agreement(events),
        {at: confidence for at in new if (confidence := events[at].confidence) is not None},
        {at: float(len(events[at].text)) for at in new},
        {at: surprise.of(events[at].text) for at in new[reference:]},
    )
    return dict(zip(MEASURES, values, strict=True))


def _values(events: Sequence[LabelEvent], value_of: Callable[[LabelEvent], float | None]) -> Series:
    found = ((at, value_of(event)) for at, event in enumerate(events))
    return {at: value for at, value in found if value is not None}


def _first_of_tasks(events: Sequence[LabelEvent]) -> list[int]:
    first: dict[str, int] = {}
    for at, event in enumerate(events):
        first.setdefault(event.task_id, at)
    return list(first.values())


def _accepted(event: LabelEvent) -> float | None:
    return None if event.shown is None else float(set(event.shown) == set(event.accepted))


def _likeness(suggested: Spans | None, event: LabelEvent) -> float | None:
    """Strict F1 of one text, ``None`` where it has no span on either side."""
    if suggested is None or not (suggested or event.accepted):
        return None
    return float(f1_of(_counts(suggested, event.accepted)))


def _counts(given: Spans, gold: Spans) -> FloatArray:
    """Right, spurious and missed spans."""
    ours, theirs = set(given), set(gold)
    return np.array([len(ours & theirs), len(ours - theirs), len(theirs - ours)], dtype=np.float64)


def _agreement(events: Sequence[LabelEvent]) -> Series:
    """F1 of each label with those that others gave to the same task before."""
    found: dict[int, float] = {}
    for at, _, counts in _with_earlier(events):
        if counts.sum():
            found[at] = float(f1_of(counts))
    return found


def _with_earlier(events: Sequence[LabelEvent]) -> list[tuple[int, str, FloatArray]]:
    """Labels of a task that others had labelled: place, task, and counts against these."""
    earlier: defaultdict[str, dict[str, Spans]] = defaultdict(dict)
    found = []
    for at, event in enumerate(events):
        others = [
            spans for name, spans in earlier[event.task_id].items() if name != event.annotator
        ]
        if others:
            counts = sum((_counts(event.accepted, other) for other in others), np.zeros(3))
            found.append((at, event.task_id, counts))
        earlier[event.task_id][event.annotator] = event.accepted
    return found


# Many labels together ---------------------------------------------------------------------------

Groups = Mapping[str, Sequence[int]]
"""The places of labels that belong together, by name, in order."""


def _by_week(events: Sequence[LabelEvent]) -> Groups:
    return _grouped([event.at.strftime("%G-W%V") for event in events])


def _by_run(events: Sequence[LabelEvent], size: int) -> Groups:
    starts = [at - at % size for at in range(len(events))]
    return _grouped([f"{start + 1}-{min(start + size, len(events))}" for start in starts])


def _by_version(events: Sequence[LabelEvent]) -> Groups:
    return _grouped([event.version or UNKNOWN for event in events])


def _grouped(names: Sequence[str]) -> Groups:
    groups: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        groups.setdefault(name, []).append(at)
    return groups


def _periods(
    events: Sequence[LabelEvent], groups: Groups, rng: np.random.Generator
) -> list[Period]:
    pairs = {at: (task_id, counts) for at, task_id, counts in _with_earlier(events)}
    new = set(_first_of_tasks(events))
    periods = []
    for name, places in groups.items():
        together: defaultdict[str, FloatArray] = defaultdict(lambda: np.zeros(3))
        for task_id, counts in (pairs[at] for at in places if at in pairs):
            together[task_id] += counts
        period = _period(name, [events[at] for at in places], rng)
        texts = [events[at] for at in places if at in new]
        periods.append(
            replace(
                period,
                agreement=_f1(list(together.values()), rng),
                confidence=_mean([event.confidence for event in texts]),
                length=_mean([float(len(event.text)) for event in texts]),
            )
        )
    return periods


def _period(name: str, events: Sequence[LabelEvent], rng: np.random.Generator) -> Period:
    """What can be said of labels one by one."""
    shown = [event for event in events if event.shown is not None]
    hidden = [event for event in events if event.hidden is not None]
    unchanged = sum(_accepted(event) or 0.0 for event in shown)
    kept = _f1([_counts(event.shown or (), event.accepted) for event in shown], rng)
    return Period(
        name=name,
        begin=events[0].at.isoformat(),
        labels=len(events),
        annotators=len({event.annotator for event in events}),
        accepted=wilson(unchanged, len(shown)) if shown else None,
        edited=Interval(1 - kept.value, 1 - kept.high, 1 - kept.low, LEVEL) if kept else None,
        quality=_f1([_counts(event.hidden or (), event.accepted) for event in hidden], rng),
    )


def _f1(counts: Sequence[FloatArray], rng: np.random.Generator) -> Interval | None:
    """Micro F1 with an interval; ``None`` where there is no span to measure."""
    rows = np.array(counts)
    return bootstrap(rows, f1_of, rng) if rows.size and rows.any() else None


def _mean(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    return mean_interval(known) if known else None


def _shifted(
    events: Sequence[LabelEvent],
    groups: Groups,
    periods: Sequence[Period],
    first: Sequence[str],
    rng: np.random.Generator,
) -> list[Period]:
    """The periods with how far their texts are from the first ones, leaving these out."""
    known, new = set(first), _first_of_tasks(events)
    texts = {at: events[at].text for at in new if events[at].text not in known}
    shifts = [
        distance(first, [texts[at] for at in places if at in texts], rng)
        for places in groups.values()
    ]
    measured = [at for at, shift in enumerate(shifts) if shift is not None]
    adjusted = holm([shift.p_value for shift in shifts if shift is not None])
    p_values = dict(zip(measured, adjusted, strict=True))
    return [
        replace(period, shift=shift, shift_p_value=p_values.get(at))
        for at, (period, shift) in enumerate(zip(periods, shifts, strict=True))
    ]
