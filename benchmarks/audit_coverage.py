"""Whether an audit's 90% intervals hold the truth in 90% of projects, and how much they save.

Simulated projects of 2,000 to 5,000 texts, of which 100 to 300 are labelled by people; annotators
of F1 .5, .7 and .9; 14%, 35% and 55% of the texts without a mention; 1,000 projects of each kind.
The same labels make two intervals of F1: the classical one from the labels alone, and ours, which
also uses what is known of every text: where the LLM and a tagger agree and where they do not. In
the last rows the tagger's spans have nothing to do with the texts, so there is nothing to gain.
"""

from __future__ import annotations

import argparse
import math
import statistics

import numpy as np
from harness import Comparison, Measured, report

from backend.quality.prediction_powered import Draw, ratio_estimate
from backend.testing.audited_projects import World, audited_project

AUDITS = ((100, 0.55), (200, 0.35), (300, 0.14))


def measured(world: World, projects: int, seed: int) -> dict[str, float]:
    """Coverage and mean width of both intervals over simulated projects."""
    rng = np.random.default_rng([seed, round(100 * world.f1), world.audited, world.informative])
    held = {"ours": 0, "classical": 0}
    widths: dict[str, list[float]] = {"ours": [], "classical": []}
    truths = []
    for _ in range(projects):
        project = audited_project(world, rng)
        audited = project.audited
        estimate = ratio_estimate(
            2 * project.right[audited],
            (project.predicted + project.gold)[audited],
            Draw(audited, project.proxies),
        )
        if estimate is None:
            raise SystemExit("A simulated project has nothing to measure.")
        truths.append(project.f1)
        for name, interval in (("ours", estimate.interval), ("classical", estimate.classical)):
            held[name] += project.f1 in interval
            widths[name].append(interval.width)
    return {
        "f1": round(statistics.mean(truths), 4),
        "audited": world.audited,
        "empty": world.empty,
        "informative": world.informative,
        "coverage": held["ours"] / projects,
        "classical_coverage": held["classical"] / projects,
        "width": round(statistics.mean(widths["ours"]), 5),
        "classical_width": round(statistics.mean(widths["classical"]), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    worlds = [World(f1, audited, empty) for f1 in (0.5, 0.7, 0.9) for audited, empty in AUDITS] + [
        World(f1, 100, 0.55, informative=False) for f1 in (0.5, 0.7, 0.9)
    ]
    print("  F1  audited  empty  proxies   coverage (classical)   width (classical)   wider by")
    rows = []
    for world in worlds:
        row = measured(world, arguments.projects, arguments.seed)
        rows.append(row)
        print(
            f"{row['f1']:.2f}  {world.audited:7}  {world.empty:5.0%}  "
            f"{'useful ' if world.informative else 'useless'}   "
            f"{row['coverage']:8.1%} ({row['classical_coverage']:9.1%})   "
            f"{row['width']:.4f} ({row['classical_width']:.4f})      "
            f"{row['width'] / row['classical_width'] - 1:+.1%}",
            flush=True,
        )
    useful = [row for row in rows if row["informative"]]
    comparison = Comparison(
        "audit-coverage",
        Measured("labels alone", tuple(row["classical_width"] for row in useful)),
        Measured("labels and proxies", tuple(row["width"] for row in useful)),
        "width of the F1 interval",
    )
    report(
        comparison,
        projects_of_each_kind=arguments.projects,
        seed=arguments.seed,
        nominal=0.9,
        lowest_coverage=min(row["coverage"] for row in rows),
        highest_coverage=max(row["coverage"] for row in rows),
        widest_over_classical=round(max(r["width"] / r["classical_width"] for r in rows), 4),
        binomial_error=round(math.sqrt(0.9 * 0.1 / arguments.projects), 4),
        rows=rows,
    )


if __name__ == "__main__":
    main()
