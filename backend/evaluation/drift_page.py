"""The longitudinal report: what labelling was like over time, and what has changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backend.quality.drift import Drift, Period, Watched
from backend.quality.intervals import Interval
from backend.reports.figures import Series, learning_curve
from backend.reports.page import Cell, Column, Figure, Provenance, Report, Section, Table

RISEN = {1: "rose", -1: "fell"}
SHARES = (
    ("suggestions accepted unchanged", "accepted"),
    ("spans changed", "edited"),
    ("F1 on blind labels", "quality"),
    ("F1 between annotators", "agreement"),
    ("stated confidence", "confidence"),
)
SIGNIFICANT = 0.05


def drift_report(found: Drift, provenance: Provenance) -> Report:
    """The page."""
    return Report(
        title="Labelling over time",
        lead=in_words(found),
        sections=[
            _watch_section(found),
            _periods_section("Over time", found.periods, drawn=True),
            _input_section(found),
            _periods_section("By version of the suggestions", found.versions, drawn=False),
        ],
        provenance=provenance,
        results={
            "rate": found.rate,
            "reference": found.reference,
            "length": found.length,
            "alarms": [_alarm(found, each) for each in found.alarms],
            "watched": [
                {"name": each.name, "values": len(each.values), "watched": each.watch.watched}
                for each in found.watched
            ],
            "periods": found.periods,
            "versions": found.versions,
        },
    )


def in_words(found: Drift) -> list[str]:
    """What has changed, in sentences."""
    told = [
        f"{len(found.events):,} labels from {_day(found, 0)} to {_day(found, -1)}. While nothing "
        f"changes, {100 * found.rate:g}% of such watches raise any alarm."
    ]
    for each in found.alarms:
        alarm = _alarm(found, each)
        told.append(
            f"Alarm: {each.name} {alarm.direction}, from {alarm.before:.3g} to {alarm.after:.3g}. "
            f"Seen on {alarm.day} (label {alarm.label:,}); it seems to have begun by "
            f"{alarm.begun} (label {alarm.begun_label:,})."
        )
    if not found.alarms:
        watched = [each.name for each in found.watched if each.watch.watched]
        told.append(
            f"No alarm. Watched: {', '.join(watched)}."
            if watched
            else f"Nothing can be watched yet: that takes more than {found.reference} values."
        )
    return told


def _day(found: Drift, at: int) -> str:
    return found.events[at].at.date().isoformat()


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm: means of the values compared with and of those since it began; labels from 1."""

    measure: str
    direction: str
    before: float
    after: float
    day: str
    label: int
    begun: str
    begun_label: int
    version: str


def _alarm(found: Drift, each: Watched) -> Alarm:
    alarm, onset = each.alarm, each.onset
    if alarm is None or onset is None or each.watch.alarm is None or each.watch.onset is None:
        raise ValueError(f"{each.name} has raised no alarm")
    since = each.values[each.watch.onset : each.watch.alarm + 1]
    return Alarm(
        measure=each.name,
        direction=RISEN[each.watch.direction],
        before=float(each.values[: each.needed].mean()),
        after=float(since.mean()),
        day=_day(found, alarm),
        label=alarm + 1,
        begun=_day(found, onset),
        begun_label=onset + 1,
        version=found.events[onset].version,
    )


def _watch_section(found: Drift) -> Section:
    columns = [
        Column("measure"),
        Column("values"),
        Column("compared with"),
        Column("watched"),
        Column("evidence / limit", decimals=2),
        Column("alarm", words=True),
    ]
    rows: list[Sequence[Cell]] = [
        (
            each.name,
            len(each.values),
            min(len(each.values), each.needed),
            each.watch.watched,
            float(each.watch.height.max()) if each.watch.watched else None,
            _outcome(found, each),
        )
        for each in found.watched
    ]
    note = (
        f"Each measure's first {found.reference} values are compared with, the next "
        f"{found.length:,} are watched. Doubtful texts are asked for first, so what is labelled "
        "changes by itself; blind labels are a random sample at any time."
    )
    table = Table("What is watched, label by label", columns, rows, note)
    return Section("Alarms", [table, *_evidence(found)])


def _evidence(found: Drift) -> list[Figure]:
    """How near each watch came to an alarm, where any has begun."""
    lines = [
        Series(
            each.name,
            list(each.events[each.needed :][: each.watch.watched]),
            each.watch.height.tolist(),
        )
        for each in found.watched
        if each.watch.watched
    ]
    if not lines:
        return []
    caption = "Evidence of a change; above 1 is an alarm"
    shown = [_thinned(line) for line in lines]
    levels = {"alarm": 1.0}
    return [learning_curve(caption, shown, "labels so far", "evidence / limit", levels)]


def _outcome(found: Drift, each: Watched) -> str:
    if each.alarm is not None:
        return f"{RISEN[each.watch.direction]}, {_day(found, each.alarm)}"
    if not each.watch.watched:
        return f"too few: {len(each.values)} of {each.needed + 1}"
    if each.watch.watched == found.length:
        return "none; the watch is over"
    return "none"


def _thinned(line: Series, most: int = 60) -> Series:
    """So many points that markers do not hide the line, the highest of each stretch."""
    step = math.ceil(len(line.x) / most)
    kept = [
        max(range(at, min(at + step, len(line.x))), key=line.y.__getitem__)
        for at in range(0, len(line.x), step)
    ]
    return Series(line.name, [line.x[at] for at in kept], [line.y[at] for at in kept])


def _periods_section(title: str, periods: Sequence[Period], *, drawn: bool) -> Section:
    columns = [
        Column("period" if drawn else "version"),
        Column("labels"),
        Column("annotators"),
        *(Column(name, percent=True) for name, _ in SHARES),
    ]
    rows = [
        (
            period.name,
            period.labels,
            period.annotators,
            *(getattr(period, name) for _, name in SHARES),
        )
        for period in periods
    ]
    note = "In %, with 95% intervals. Changed spans are 1 - strict F1 between shown and accepted."
    table = Table(title, columns, rows, note)
    return Section(title, [*([_curve(periods)] if drawn and len(periods) > 1 else []), table])


def _curve(periods: Sequence[Period]) -> Figure:
    lines = []
    ends = [0]
    for period in periods:
        ends.append(ends[-1] + period.labels)
    for name, attribute in SHARES:
        points: list[tuple[int, Interval]] = [
            (ends[at + 1], interval)
            for at, period in enumerate(periods)
            if isinstance(interval := getattr(period, attribute), Interval)
            and not math.isnan(interval.low)
        ]
        if points:
            lines.append(
                Series(
                    name,
                    [at for at, _ in points],
                    [100 * it.value for _, it in points],
                    [100 * it.low for _, it in points],
                    [100 * it.high for _, it in points],
                )
            )
    return learning_curve("Labelling over time", lines, "labels so far", "%")


def _input_section(found: Drift) -> Section:
    columns = [
        Column("period"),
        Column("characters a text"),
        Column("distance to the first texts", decimals=3),
        Column("expected by chance", decimals=3),
        Column("p, adjusted", decimals=3),
        Column("", words=True),
    ]
    rows: list[Sequence[Cell]] = []
    for period in found.periods:
        p_value = period.shift_p_value
        rows.append(
            (
                period.name,
                period.length,
                period.shift.value if period.shift else None,
                period.shift.chance if period.shift else None,
                p_value,
                "" if p_value is None else "other" if p_value < SIGNIFICANT else "alike",
            )
        )
    note = (
        "Jensen-Shannon distance of pairs of characters, between 0 and 1; permutation test, "
        "adjusted for all periods (Holm). Small samples are far apart by chance."
    )
    return Section("The texts", [Table("What texts are made of", columns, rows, note)])
