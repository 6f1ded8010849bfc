"""How often alarms are false, and after how many labels true ones come.

Simulated projects of 600 labels: suggestions of two spans, of which people keep 85%; every tenth
text is labelled blind by two people; texts are made of one list of words. Nothing changes, or after
label 300 suggestions become worse, people agree less, or texts come from another list of words. The
naive way beside it: each week (50 labels) is compared with the first 100 labels by a t test at 5%
for each measure.

Then falls of different sizes in one yes-or-no measure, such as acceptance, at the rate that it has
as one of seven: how many are found within 900 labels, and how soon, with the watch as it is and by
cumulative sums alone.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from harness import Comparison, Measured, report
from scipy.stats import ttest_ind

from backend.domain import Span
from backend.quality.change import limits_of, watch
from backend.quality.drift import LabelEvent, measures_of

LABELS, CHANGE, REFERENCE, WEEK, LENGTH = 600, 300, 100, 50, 500
WORDS = ("Amina", "Kano", "went", "to", "saw", "the", "market", "Juma", "Lagos", "today", "rain")
OTHERS = ("uZodwa", "eThekwini", "waya", "kwaye", "ngesonto", "imvula", "namhlanje", "izolo")
KEPT, FALLEN, REFERENCES, FALL_AFTER, FALL_LENGTH = 0.8, (0.8, 0.7, 0.6, 0.5), (100, 200), 100, 1000
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
CHANGES: Mapping[str, tuple[str, ...]] = {
    "nothing": (),
    "suggestions keep 55% of spans, not 85%": ("suggestions accepted", "suggested spans kept"),
    "annotators keep 60% of spans, not 95%": ("agreement",),
    "texts from another list of words": ("strangeness of texts",),
    "texts half as long again": ("length of texts",),
}


def project(change: str, rng: np.random.Generator) -> list[LabelEvent]:
    """Labels of a project in which that changes after label 300."""
    events = []
    for at in range(LABELS):
        changed = change if at >= CHANGE else ""
        words = OTHERS if changed.startswith("texts from") else WORDS
        count = rng.integers(6, 13) * (3 if changed.startswith("texts half") else 2) // 2
        text = " ".join(words[place] for place in rng.integers(len(words), size=count))
        gold = (Span(0, 2, "PER"), Span(3, 5, "LOC"))
        kept = 0.55 if changed.startswith("suggestions") else 0.85
        careful = 0.6 if changed.startswith("annotators") else 0.95
        suggested = tuple(span for span in gold if rng.random() < kept)
        blind = rng.random() < 0.1
        shown, hidden = (None, suggested) if blind else (suggested, None)
        when = STARTED + timedelta(hours=at)
        sure = float(rng.beta(8, 2))
        first = LabelEvent(when, str(at), text, gold, "ada", "v1", shown, hidden, sure)
        second = tuple(span for span in gold if rng.random() < careful)
        events += [first, LabelEvent(when, str(at), text, second, "ben", "v1")]
    return events


def naive_alarm(places: np.ndarray, values: np.ndarray) -> int | None:
    """The last label of the first week that a t test tells from the first 100 labels."""
    first = values[places < REFERENCE]
    for end in range(REFERENCE + WEEK, LABELS + 1, WEEK):
        week = values[(places >= end - WEEK) & (places < end)]
        if min(len(first), len(week)) < 2 or np.ptp(np.r_[first, week]) == 0:
            continue
        if ttest_ind(first, week, equal_var=False).pvalue < 0.05:
            return end
    return None


def falls(projects: int, rate: float, rng: np.random.Generator) -> list[dict[str, object]]:
    """How many falls of a yes-or-no measure from 80% are found, and after how many labels."""
    rows: list[dict[str, object]] = []
    for reference in REFERENCES:
        with_looks = limits_of(reference, FALL_LENGTH, rate, rng)
        # Without looks the sums have the whole rate.
        alone = limits_of(reference, FALL_LENGTH, min(1.0, 2 * rate), rng)
        ways = {"watch": with_looks, "sums alone": replace(alone, looks=(), look_rate=0.0)}
        for share in FALLEN:
            delays: dict[str, list[int]] = {name: [] for name in ways}
            for _ in range(projects):
                values = (rng.random(reference + FALL_LENGTH) < KEPT).astype(float)
                begin = reference + FALL_AFTER
                values[begin:] = rng.random(len(values) - begin) < share
                for name, limits in ways.items():
                    alarm = watch(values, limits, rng).alarm
                    if alarm is not None and (alarm >= begin or share == KEPT):
                        delays[name].append(alarm - begin + 1)
            row: dict[str, object] = {"reference": reference, "to": share}
            for name, found in delays.items():
                row[f"{name}: found"] = len(found) / projects
                row[f"{name}: median labels"] = statistics.median(found) if found else None
            rows.append(row)
            print(" ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    names = list(measures_of([]))
    limits = limits_of(REFERENCE, LENGTH, 0.05 / len(names), rng)
    rows = []
    for change, shown_by in CHANGES.items():
        false = {"ours": 0, "naive": 0}
        delays: list[int] = []
        naive_delays: list[int] = []
        for _ in range(arguments.projects):
            ours: dict[str, int] = {}
            naive: dict[str, int] = {}
            for name, series in measures_of(project(change, rng), REFERENCE).items():
                # Each text has two labels: a place is that of the text.
                places = np.array([at // 2 for at in series], dtype=int)
                values = np.array(list(series.values()))
                seen = watch(values, limits, rng)
                if seen.alarm is not None:
                    ours[name] = int(places[seen.alarm]) + 1
                if (end := naive_alarm(places, values)) is not None:
                    naive[name] = end
            begin = CHANGE if shown_by else LABELS
            false["ours"] += any(at <= begin for at in ours.values())
            false["naive"] += any(at <= begin for at in naive.values())
            true = [at for name, at in ours.items() if name in shown_by and at > begin]
            delays += [min(true) - begin] if true else []
            late = [at for name, at in naive.items() if name in shown_by and at > begin]
            naive_delays += [min(late) - begin] if late else []
        row = {
            "change": change,
            "false_alarms": false["ours"] / arguments.projects,
            "naive_false_alarms": false["naive"] / arguments.projects,
            "found": len(delays) / arguments.projects if shown_by else None,
            "delay": statistics.median(delays) if delays else None,
            "naive_delay": statistics.median(naive_delays) if naive_delays else None,
        }
        rows.append(row)
        print(
            f"{change:40} false before: {row['false_alarms']:.1%} (naive "
            f"{row['naive_false_alarms']:.1%}); found: {row['found']}, median labels until then: "
            f"{row['delay']} (naive {row['naive_delay']})",
            flush=True,
        )
    unchanged = rows[0]
    report(
        Comparison(
            "drift-alarms",
            Measured("weekly t tests", (float(unchanged["naive_false_alarms"] or 0),)),
            Measured(
                "one watch", (max(float(unchanged["false_alarms"] or 0), 1 / arguments.projects),)
            ),
            "share of unchanged projects with an alarm",
        ),
        projects_of_each_kind=arguments.projects,
        seed=arguments.seed,
        nominal=0.05,
        binomial_error=round(math.sqrt(0.05 * 0.95 / arguments.projects), 4),
        rows=rows,
        falls=falls(arguments.projects, 0.05 / len(names), rng),
    )


if __name__ == "__main__":
    main()
