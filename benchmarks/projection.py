"""How often what ``harambee simulate --labels`` expects comes true, on corpora with all labels.

Of a language's train part ``--labels`` random texts keep their labels, 1,500 others wait for
theirs. The projection sees only these. Then the hidden labels come out: taggers learn from more of
them, in random order, and are measured on 1,000 other texts of the train part, which a projection
speaks about, and on the test part, which may be unlike it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.active_learning.trainer import Trainer
from backend.domain import Example
from backend.protocols import reading
from backend.quality.evaluation import tagger_scores
from backend.simulation.corpus import Corpus, read_corpus
from backend.simulation.projection import Expected, project_curve
from backend.tagger.crf import CrfFamily

WAITING, MEASURED = 1500, 1000


def outcomes(
    corpus: Corpus, labels: int, targets: Sequence[int], splits: int, seed: int
) -> list[tuple[Expected, float, float]]:
    """What was expected, the F1 that came, and that on the test part."""
    rng = np.random.default_rng(seed)
    drawn = [corpus.train[place] for place in rng.permutation(len(corpus.train))]
    known, others = drawn[: labels + WAITING], drawn[labels + WAITING :][:MEASURED]
    trainer = Trainer(CrfFamily(), corpus.scheme, rng)
    waiting = [example.text for example in known[labels:]]
    found = project_curve(known[:labels], trainer, targets, splits, waiting)
    family = reading(CrfFamily(), [example.text for example in known])

    def reached(count: int, texts: Sequence[Example]) -> float:
        scores = tagger_scores(family.train(known[:count], corpus.scheme, rng), texts)
        return scores.f1 if scores else float("nan")

    return [
        (each, reached(each.labels, others), reached(each.labels, corpus.test))
        for each in found.expected
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    data = Path(os.environ.get("HARAMBEE_DATA", ".")) / "masakhaner2"
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--languages", default="bam,tsn,zul")
    parser.add_argument("--labels", type=int, default=150)
    parser.add_argument("--targets", default="150,300,600")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--draws", type=int, default=6)
    arguments = parser.parse_args()
    targets = [int(number) for number in arguments.targets.split(",")]
    print("| language | labels | expected | width | came | inside | test part | inside |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for language in arguments.languages.split(","):
        corpus = read_corpus(arguments.data, language)
        rows = [
            outcomes(corpus, arguments.labels, targets, arguments.splits, seed)
            for seed in range(arguments.draws)
        ]
        for of_target in zip(*rows, strict=True):
            print(in_a_row(language, of_target), flush=True)


def in_a_row(language: str, found: Sequence[tuple[Expected, float, float]]) -> str:
    expected = [each for each, _, _ in found]
    cells = [language, str(expected[0].labels)]
    cells.append(f"{100 * np.mean([each.f1.value for each in expected]):.1f}")
    cells.append(f"{100 * np.mean([each.f1.width for each in expected]):.1f}")
    for came in ([one for _, one, _ in found], [one for _, _, one in found]):
        pairs = zip(expected, came, strict=True)
        inside = sum(each.f1.low <= value <= each.f1.high for each, value in pairs)
        cells += [f"{100 * np.mean(came):.1f}", f"{inside} of {len(found)}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
