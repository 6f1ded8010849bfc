"""How many fewer errors Dawid-Skene leaves than a majority vote, and whether spammers are found.

Simulated crowds whose quality is known: eight people of F1 .50 to .95, with or without two who mark
at random and one who submits everything empty; two, three or five of them label each of 300 texts.
Errors are those of strict span F1 against the gold of the simulation.
"""

from __future__ import annotations

import argparse

import numpy as np
from harness import Comparison, Measured, report

from backend.quality.crowd import Marked, aggregate, majority
from backend.quality.crowd_report import annotator_qualities
from backend.quality.intervals import mean_interval
from backend.quality.span_f1 import span_scores
from backend.testing.simulated_crowd import IDLE, SPAMMER, Person, simulated_crowd

LABELS = ("PER", "ORG", "LOC", "DATE")
PEOPLE = [Person.of_quality(f1) for f1 in (0.95, 0.9, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)]
EQUALS = [Person.of_quality(0.9)] * 8
CHEATS = [SPAMMER, SPAMMER, IDLE]
CROWDS = {
    "mixed, 2 a text": (PEOPLE, 2),
    "mixed, 3 a text": (PEOPLE, 3),
    "mixed, 5 a text": (PEOPLE, 5),
    "with 3 cheats, 3 a text": (PEOPLE + CHEATS, 3),
    "with 3 cheats, 5 a text": (PEOPLE + CHEATS, 5),
    "all equally good, 3 a text": (EQUALS, 3),
}


def play(people: list[Person], each: int, seed: int) -> tuple[float, float, set[str], int]:
    """Error of the majority and of ours, who was called a spammer, and how many labelled."""
    world = simulated_crowd(people, LABELS, np.random.default_rng(seed), texts=300, each=each)
    texts = [Marked(str(at), marked) for at, marked in enumerate(world.marked)]
    crowd = aggregate(texts, LABELS)
    by_majority = span_scores(zip(world.gold, map(majority, texts), strict=True))
    ours = span_scores(zip(world.gold, (text.spans for text in crowd.texts), strict=True))
    flagged = {one.name for one in annotator_qualities(crowd, texts) if one.spammer}
    return 1 - by_majority.f1, 1 - ours.f1, flagged, len(crowd.annotators)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    rows = []
    errors: list[tuple[float, float]] = []
    found = honest = cheats = others = 0
    print(f"{'crowd':28} {'majority F1':>12} {'ours F1':>9}   gain in F1, 95% interval")
    for name, (people, each) in CROWDS.items():
        runs = [play(people, each, seed) for seed in range(arguments.seeds)]
        gain = mean_interval([majority_error - own for majority_error, own, _, _ in runs])
        vote, own = (float(np.mean([run[at] for run in runs])) for at in (0, 1))
        named = {f"p{who:02}" for who, person in enumerate(people) if person in CHEATS}
        for _, _, flagged, labelled in runs:
            found, cheats = found + len(flagged & named), cheats + len(named)
            honest, others = honest + len(flagged - named), others + labelled - len(named)
        print(
            f"{name:28} {100 * (1 - vote):12.1f} {100 * (1 - own):9.1f}   "
            f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})",
            flush=True,
        )
        errors += [run[:2] for run in runs]
        rows.append({"crowd": name, "majority": 1 - vote, "ours": 1 - own, "gain": gain.as_json()})
    print(f"spammers found: {found} of {cheats}; honest people accused: {honest} of {others}")
    logs = mean_interval([float(np.log(vote / own)) for vote, own in errors])
    comparison = Comparison(
        "crowd-aggregation",
        Measured("majority vote", tuple(round(vote, 4) for vote, _ in errors)),
        Measured("Dawid-Skene", tuple(round(own, 4) for _, own in errors)),
        "of 1, error (1 - F1)",
    )
    report(
        comparison,
        seeds=arguments.seeds,
        ratio_of_each_run_geometric_mean=[
            round(float(np.exp(it)), 3) for it in (logs.value, logs.low, logs.high)
        ],
        spammers=[found, cheats],
        accused=[honest, others],
        rows=rows,
    )


if __name__ == "__main__":
    main()
