"""How often gaps between slices are found, by their size and the slice's, and how often falsely.

Simulated held-out texts of 600 with one to four gold spans each; some texts are harder than others
for everybody, so that errors cluster. Texts are of one of two dialects, of one of three sources and
of one of two scripts. In the smaller dialect fewer spans are found and more are wrong, so that its
F1 is lower by a planted gap; sources and scripts never differ. ``fairness_of`` tests all gaps of
all seven slices together at 5%. The naive way beside it: a chi-squared test of found and missed
spans for each slice at 5%, as if spans were independent and one slice had been looked at.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from harness import Comparison, Measured, report
from scipy.stats import chi2_contingency

from backend.domain import Span
from backend.quality.fairness import counts_of, fairness_of
from backend.quality.intervals import wilson
from backend.quality.slices import Case

TEXTS, F1 = 600, 0.8
GAPS = (0.05, 0.1, 0.2, 0.3)
SHARES = (0.05, 0.1, 0.2, 0.5)
"""Of the texts that are of the smaller dialect: 30, 60, 120 or 300."""
PLANTED, SMALLER = "dialect", "south"
KEYS = (PLANTED, "source", "script")
LEVEL = 0.05
FEW_RESAMPLES = 2
"""Only the tests are measured here, not the intervals."""


def project(gap: float, share: float, rng: np.random.Generator) -> list[Case]:
    """Texts with what was given for them; a share of them is of the dialect that lacks ``gap``."""
    cases = []
    for at in range(TEXTS):
        smaller = at < round(share * TEXTS)
        hard = rng.beta(1.2, 1.2)
        wrong = min(0.97, 2 * (1 - F1 + gap * smaller) * hard)
        gold = tuple(Span(10 * place, 10 * place + 5, "PER") for place in range(rng.integers(1, 5)))
        # Half of what is not found has wrong bounds, a miss and a false alarm at once; as many
        # false alarms stand where nothing is.
        draws = rng.random((2, len(gold)))
        right = tuple(span for span, draw in zip(gold, draws[0], strict=True) if draw >= wrong)
        missed = [place for place, draw in enumerate(draws[0]) if draw < wrong]
        moved = tuple(Span(10 * p, 10 * p + 4, "PER") for p in missed if draws[1][p] < 0.5)
        alarms = tuple(
            Span(1000 + 10 * n, 1003 + 10 * n, "PER")
            for n in range(rng.binomial(len(gold), wrong / 2))
        )
        meta = {
            PLANTED: SMALLER if smaller else "north",
            "source": f"source {rng.integers(3)}",
            "script": f"script {rng.integers(2)}",
        }
        cases.append(Case(f"text {at}", gold, right + moved + alarms, meta))
    return cases


def naive(cases: list[Case]) -> set[tuple[str, str]]:
    """The slices whose share of found spans a chi-squared test tells from that of the rest."""
    counts = np.array([counts_of(case) for case in cases])
    named = set()
    for key in KEYS:
        names = np.array([case.meta[key] for case in cases])
        for name in sorted(set(names)):
            sides = [counts[names == name], counts[names != name]]
            table = [(side[:, 0].sum(), side[:, 2].sum()) for side in sides]
            if np.min(np.sum(table, axis=0)) and chi2_contingency(table).pvalue < LEVEL:
                named.add((key, name))
    return named


def measured(
    gap: float, share: float, projects: int, permutations: int, rng: np.random.Generator
) -> dict[str, float | int]:
    """How often the planted gap is named, and how often a slice that lacks nothing is."""
    counted = dict.fromkeys(("found", "naive_found", "false", "naive_false"), 0)
    gaps = []
    for _ in range(projects):
        cases = project(gap, share, rng)
        fairness = fairness_of(cases, KEYS, rng, permutations=permutations, resamples=FEW_RESAMPLES)
        ours = {(each.key, each.name) for each, _ in fairness.found}
        theirs = naive(cases)
        (small,) = (each for each in fairness.slices if each.name == SMALLER)
        (large,) = (each for each in fairness.slices if each.name == "north")
        gaps.append(large.f1.value - small.f1.value)
        for name, named in (("", ours), ("naive_", theirs)):
            planted = {each for each in named if each[0] == PLANTED}
            counted[f"{name}found"] += bool(planted)
            counted[f"{name}false"] += bool(named if not gap else named - planted)
    return {
        "gap": gap,
        "measured_gap": round(float(np.mean(gaps)), 4),
        "texts": round(share * TEXTS),
        "projects": projects,
        **{name: count / projects for name, count in counted.items()},
    }


def show(row: dict[str, float | int]) -> None:
    """A line of the table."""
    runs = int(row["projects"])
    found, false = (
        f"{it.value:5.1%} ({it.low:.1%}-{it.high:.1%})"
        for it in (wilson(row[name] * runs, runs) for name in ("found", "false"))
    )
    print(
        f"{row['gap']:4.0%} ({row['measured_gap']:6.1%})  {row['texts']:5}  "
        f"{found if row['gap'] else '-':22}  {false:22}  {row['naive_false']:.1%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=100, help="with each planted gap")
    parser.add_argument("--unchanged", type=int, default=500, help="without a gap, of each size")
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    print("planted (measured)  texts  found (95% interval)    false alarm             naive: false")
    rows = []
    for gap in (0.0, *GAPS):
        for share in SHARES:
            projects = arguments.projects if gap else arguments.unchanged
            rows.append(measured(gap, share, projects, arguments.permutations, rng))
            show(rows[-1])
    unchanged = [row for row in rows if not row["gap"]]
    total = sum(int(row["projects"]) for row in unchanged)
    rates = {
        name: sum(row[name] * row["projects"] for row in unchanged) / total
        for name in ("false", "naive_false")
    }
    report(
        Comparison(
            "fairness-alarms",
            Measured("a test for each slice", (rates["naive_false"],)),
            Measured("all gaps together", (max(rates["false"], 1 / total),)),
            "share of projects without a gap in which one is named",
        ),
        nominal=LEVEL,
        unchanged_projects=total,
        binomial_error=round(math.sqrt(LEVEL * (1 - LEVEL) / total), 4),
        permutations=arguments.permutations,
        seed=arguments.seed,
        rows=rows,
    )


if __name__ == "__main__":
    main()
