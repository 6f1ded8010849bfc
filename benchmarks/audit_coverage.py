"""Whether an audit's 90% intervals hold the truth in 90% of projects, and how much they save.

Simulated projects of 2,000 to 5,000 texts, of which 100 to 300 are labelled by people; annotators
of F1 .5, .7 and .9; 14%, 35% and 55% of the texts without a mention; 1,000 projects of each kind.
The same labels make two intervals of F1: the classical one from the labels alone, and ours, which
also uses what is known of every text: where the LLM and a tagger agree and where they do not. In
the last rows the tagger's spans have nothing to do with the texts, so there is nothing to gain.

With HARAMBEE_DATA the same again on real texts: projects are drawn from the recorded answers of
real LLMs, their gold labels and what a CRF says that learnt from 300 other sentences of the
language; languages are strata. None of the recorded models is good, so a share of the answers of
the best is put right as well, for annotators of F1 .7 and .9 whose errors are real.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from harness import Comparison, Measured, report

from backend.domain import LabelScheme
from backend.llm.recordings import Recording, read_recordings
from backend.protocols import FloatArray
from backend.quality.audit import agreement_proxies, span_counts
from backend.quality.prediction_powered import Draw, ratio_estimate
from backend.simulation.corpus import read_corpus
from backend.simulation.recorded import observations
from backend.tagger.crf import CrfFamily
from backend.testing.audited_projects import AuditedProject, World, audited_project

AUDITS = ((100, 0.55), (200, 0.35), (300, 0.14))
SCHEME = LabelScheme(("PER", "ORG", "LOC", "DATE"))
LEARNT_FROM = 300
FEWEST_LANGUAGES = 4
REAL_AUDITS = (100, 300)
PUT_RIGHT = (0.7, 0.9)

Row = dict[str, float | str]


@dataclass(frozen=True)
class Pool:
    """Real texts with an LLM's real answers, one row for each answer.

    ``counts``: (n_answers, 3), right, predicted and gold spans; ``proxies``: (n_answers, 3), as in
    an audit; ``tagger``: (n_answers, 2), the tagger's right spans and all of them; ``language``:
    (n_answers,), a number. Every text has as many answers as any other.
    """

    model: str
    counts: FloatArray
    proxies: FloatArray
    tagger: FloatArray
    language: np.ndarray

    @property
    def f1(self) -> float:
        right, predicted, gold = self.counts.sum(axis=0)
        return float(2 * right / (predicted + gold))

    def project(self, audited: int, rng: np.random.Generator) -> tuple[AuditedProject, np.ndarray]:
        """2,000 to 5,000 of the answers, drawn with replacement, and their languages."""
        rows = rng.integers(len(self.counts), size=rng.integers(2000, 5001))
        right, predicted, gold = self.counts[rows].T
        places = rng.permutation(len(rows))[:audited].astype(np.int64)
        return (
            AuditedProject(right, predicted, gold, self.proxies[rows], places),
            self.language[rows],
        )


def real_pools(data: Path) -> list[Pool]:
    """A pool for each recorded model that answered in several languages; failures found nothing."""
    by_model: dict[str, list[Recording]] = defaultdict(list)
    for recording in read_recordings(data / "llm_responses"):
        by_model[recording.model].append(recording)
    several = {name: found for name, found in by_model.items() if len(found) >= FEWEST_LANGUAGES}
    languages = sorted({each.language for found in several.values() for each in found})
    taggers = {}
    for language in languages:
        told = set(_texts(several, language))
        train = read_corpus(data / "masakhaner2", language).train
        others = [example for example in train if example.text not in told]
        rng = np.random.default_rng(0)
        chosen = [others[at] for at in rng.choice(len(others), LEARNT_FROM, replace=False)]
        taggers[language] = CrfFamily().train(chosen, SCHEME, rng)
    pools = []
    for model, found in several.items():
        counts, proxies, tagger, spoken = [], [], [], []
        for recording in found:
            seen = list(observations(recording, SCHEME))
            llm = [item.predicted or () for item in seen]
            tagged = [it.spans for it in taggers[recording.language].tag([o.text for o in seen])]
            gold = [item.gold for item in seen]
            counts.append(span_counts(gold, llm))
            tagger.append(span_counts(gold, tagged)[:, :2])
            proxies.append(agreement_proxies(llm, tagged))
            spoken += [languages.index(recording.language)] * len(seen)
        arrays = (np.concatenate(each) for each in (counts, proxies, tagger))
        pools.append(Pool(model, *arrays, np.array(spoken)))
    return pools


def _texts(by_model: dict[str, list[Recording]], language: str) -> list[str]:
    return [
        " ".join(token for token in record.tokens if token)
        for found in by_model.values()
        for recording in found
        if recording.language == language
        for record in recording.records
    ]


def put_right(pool: Pool, f1: float, rng: np.random.Generator) -> Pool:
    """The pool with the gold labels in place of as many answers, at random, as it takes."""
    counts, proxies = pool.counts.copy(), pool.proxies.copy()
    for row in rng.permutation(len(counts)):
        if replace(pool, counts=counts).f1 >= f1:
            break
        gold, (shared, tagged) = counts[row, 2], pool.tagger[row]
        counts[row] = gold
        proxies[row] = (shared, gold - shared, tagged - shared)
    return replace(pool, model=f"{pool.model}, partly put right", counts=counts, proxies=proxies)


Drawn = tuple[AuditedProject, np.ndarray | None]


def measured(
    draw: Callable[[np.random.Generator], Drawn], projects: int, rng: np.random.Generator
) -> dict[str, float]:
    """Coverage and mean width of both intervals over projects."""
    held = {"ours": 0, "classical": 0}
    widths: dict[str, list[float]] = {"ours": [], "classical": []}
    truths = []
    for _ in range(projects):
        project, strata = draw(rng)
        audited = project.audited
        estimate = ratio_estimate(
            2 * project.right[audited],
            (project.predicted + project.gold)[audited],
            Draw(audited, project.proxies, strata),
        )
        if estimate is None:
            raise SystemExit("A simulated project has nothing to measure.")
        truths.append(project.f1)
        for name, interval in (("ours", estimate.interval), ("classical", estimate.classical)):
            held[name] += project.f1 in interval
            widths[name].append(interval.width)
    return {
        "f1": round(statistics.mean(truths), 4),
        "coverage": held["ours"] / projects,
        "classical_coverage": held["classical"] / projects,
        "width": round(statistics.mean(widths["ours"]), 5),
        "classical_width": round(statistics.mean(widths["classical"]), 5),
    }


def simulated_rows(projects: int, seed: int) -> list[Row]:
    """Coverage on made-up projects of each kind."""
    worlds = [World(f1, audited, empty) for f1 in (0.5, 0.7, 0.9) for audited, empty in AUDITS] + [
        World(f1, 100, 0.55, informative=False) for f1 in (0.5, 0.7, 0.9)
    ]
    rows = []
    for world in worlds:
        rng = np.random.default_rng([seed, round(100 * world.f1), world.audited, world.informative])

        def draw(rng: np.random.Generator, world: World = world) -> Drawn:
            return audited_project(world, rng), None

        proxies = "useful" if world.informative else "useless"
        kind = f"{world.empty:.0%} empty, {proxies} proxies"
        about = {"kind": kind, "audited": world.audited, "informative": world.informative}
        rows.append(about | measured(draw, projects, rng))
        show(rows[-1])
    return rows


def real_rows(data: Path, projects: int, seed: int) -> list[Row]:
    """Coverage on projects of real texts and answers."""
    rng = np.random.default_rng([seed, 1])
    pools = real_pools(data)
    best = max(pools, key=lambda pool: pool.f1)
    rows = []
    for pool in [*pools, *(put_right(best, f1, rng) for f1 in PUT_RIGHT)]:
        for audited in REAL_AUDITS:

            def draw(rng: np.random.Generator, pool: Pool = pool, audited: int = audited) -> Drawn:
                return pool.project(audited, rng)

            rows.append({"kind": pool.model, "audited": audited} | measured(draw, projects, rng))
            show(rows[-1])
    return rows


HEADING = "  F1  audited   coverage (classical)   width (classical)   wider by"


def show(row: Row) -> None:
    """A line of the table."""
    print(
        f"{row['f1']:.2f}  {row['audited']:7}   "
        f"{row['coverage']:8.1%} ({row['classical_coverage']:9.1%})   "
        f"{row['width']:.4f} ({row['classical_width']:.4f})      {wider(row):+6.1%}  {row['kind']}",
        flush=True,
    )


def wider(row: Row) -> float:
    """By how much our interval is wider than the classical one, less than 0 for narrower."""
    return float(row["width"]) / float(row["classical_width"]) - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"Made-up projects\n{HEADING}")
    rows = simulated_rows(arguments.projects, arguments.seed)
    real: list[Row] = []
    data = os.environ.get("HARAMBEE_DATA")
    if data and (Path(data) / "llm_responses").is_dir():
        print(f"Real texts and recorded answers\n{HEADING}")
        real = real_rows(Path(data), arguments.projects, arguments.seed)
    else:
        print("Without real texts: set HARAMBEE_DATA to a folder with llm_responses/ for these.")
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
        **_worst("", rows),
        **_worst("real_", real),
        binomial_error=round(math.sqrt(0.9 * 0.1 / arguments.projects), 4),
        rows=rows,
        real_rows=real,
    )


def _worst(name: str, rows: Sequence[Row]) -> dict[str, float | None]:
    coverage = [float(row["coverage"]) for row in rows]
    return {
        f"{name}lowest_coverage": min(coverage, default=None),
        f"{name}highest_coverage": max(coverage, default=None),
        f"{name}widest_over_classical": round(1 + max(map(wider, rows)), 4) if rows else None,
    }


if __name__ == "__main__":
    main()
