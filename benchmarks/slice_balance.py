"""What turns in the queue bring to a slice that the pool holds little of, and cost the others.

A pool of 900 sentences of one language and 90 of another stands for a large and a small dialect.
The first 40 labels are random, then come five rounds of 40 asked for by the default strategy, as it
is or with the slices in turn (``suggestions.balance_by``). Strict span F1 of a CRF on 300 test
sentences of each. Needs HARAMBEE_DATA; says so and ends without it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
from harness import Comparison, Measured, report

from backend.active_learning.balancing import balanced
from backend.active_learning.query import Query
from backend.domain import Example, Task
from backend.quality.evaluation import tagger_scores
from backend.simulation.corpus import Corpus, read_corpus
from backend.tagger.crf import CrfFamily

SMALL, LARGE, TESTED = 90, 900, 300
FIRST, STEP, ROUNDS = 40, 40, 5


def played(corpora: dict[str, Corpus], seed: int, *, in_turn: bool) -> tuple[dict[str, float], int]:
    """F1 by slice after the last round, and how many labels went to the small slice."""
    rng = np.random.default_rng(seed)
    large, small = corpora
    pool: dict[str, tuple[str, Example]] = {}
    for name, size in ((large, LARGE), (small, SMALL)):
        train = corpora[name].train
        for at in rng.choice(len(train), size, replace=False):
            pool[f"{name}{at}"] = (name, train[at])
    ids = sorted(pool)
    labelled = [ids[at] for at in rng.choice(len(ids), FIRST, replace=False)]
    family, scheme = CrfFamily(), corpora[large].scheme
    for _ in range(ROUNDS):
        tagger = family.train([pool[id_][1] for id_ in labelled], scheme, rng)
        left = [id_ for id_ in ids if id_ not in set(labelled)]
        tasks = [Task(id_, pool[id_][1].text) for id_ in left]
        sure = np.array([value for _, _, value in Query("default").scored(tagger, tasks, rng)])
        if in_turn:
            counts = Counter(pool[id_][0] for id_ in labelled)
            sure = balanced(sure, [pool[id_][0] for id_ in left], counts)
        labelled += [left[at] for at in np.argsort(sure, kind="stable")[:STEP]]
    tagger = family.train([pool[id_][1] for id_ in labelled], scheme, rng)
    scores = {
        name: scored.f1
        for name, corpus in corpora.items()
        if (scored := tagger_scores(tagger, corpus.test[:TESTED])) is not None
    }
    return scores, sum(pool[id_][0] == small for id_ in labelled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--languages", default="zul,tsn", help="the large one, the small one")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    data = os.environ.get("HARAMBEE_DATA")
    if not data:
        print(json.dumps({"name": "slice-balance", "skipped": "HARAMBEE_DATA is not set"}))
        return
    folder = Path(data) / "masakhaner2"
    corpora = {name: read_corpus(folder, name) for name in arguments.languages.split(",")}
    large, small = corpora
    f1: dict[tuple[str, bool], list[float]] = {}
    labels: dict[bool, list[int]] = {}
    for seed in range(arguments.seeds):
        for in_turn in (False, True):
            scores, count = played(corpora, seed, in_turn=in_turn)
            labels.setdefault(in_turn, []).append(count)
            for name, value in scores.items():
                f1.setdefault((name, in_turn), []).append(value)
            print(f"seed {seed}, in turn {in_turn}: {scores}, {count} of {small}", flush=True)
    report(
        Comparison(
            "slice-balance",
            Measured("by doubt alone", tuple(1 - value for value in f1[small, False])),
            Measured("slices in turn", tuple(1 - value for value in f1[small, True])),
            f"1 - F1 on {small}, the small slice",
        ),
        seeds=arguments.seeds,
        f1={
            name: {
                "by doubt alone": round(statistics.mean(f1[name, False]), 4),
                "in turn": round(statistics.mean(f1[name, True]), 4),
                "differences": [
                    round(b - a, 4) for a, b in zip(f1[name, False], f1[name, True], strict=True)
                ],
            }
            for name in (large, small)
        },
        labels_of_the_small={"by doubt alone": labels[False], "in turn": labels[True]},
    )


if __name__ == "__main__":
    main()
