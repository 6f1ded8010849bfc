"""What an LLM's labels are worth beside few human ones: is the default route ever the wrong one?

Of each language's training sentences 5% are labelled by people, and 30% are queried: an LLM labels
them (an error model fitted to recorded answers), and people label again the tenth of them of which
least is known once a tagger and the LLM have both been heard. A CRF then learns from the human
labels alone, from the LLM's alone, from both by ``learn_from_both``, and, for comparison, from
human labels of everything. Strict span F1 on the test sentences that are not in train.

With ``--out FILE`` each finished row is kept there, and the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from harness import Comparison, Measured, report
from scipy import stats

from backend.active_learning.choosing import choose_for_humans
from backend.active_learning.mixing import learn_from_both
from backend.active_learning.trainer import Trainer
from backend.domain import Example, LabelScheme
from backend.llm.recordings import read_recordings
from backend.protocols import Tagger
from backend.quality.span_f1 import span_scores
from backend.simulation.error_model import ErrorModel
from backend.simulation.recorded import fitted
from backend.tagger.crf import CrfFamily
from backend.text.conll import read_conll, to_text

SCHEME = LabelScheme(("PER", "ORG", "LOC", "DATE"))
SEED_SHARE, QUERIED, FOR_HUMANS = 0.05, 0.30, 0.10


@dataclass(frozen=True)
class Corpus:
    """A language's sentences; none of ``test`` is in ``train``."""

    language: str
    train: list[Example]
    test: list[Example]


def read(data: Path, language: str) -> Corpus:
    def sentences(part: str) -> list[Example]:
        path = data / "masakhaner2" / language / f"{part}.txt.gz"
        return [
            Example(f"{part}-{number}", *to_text(sentence))
            for number, sentence in enumerate(read_conll(path))
        ]

    train = sentences("train")
    known = {example.text for example in train}
    return Corpus(language, train, [item for item in sentences("test") if item.text not in known])


def measured(corpus: Corpus, errors: ErrorModel, right: float, seed: int) -> dict[str, float | str]:
    """F1 of each route with one seed, in per cent."""
    rng = np.random.default_rng([seed, *corpus.language.encode()])
    family = CrfFamily().with_texts([example.text for example in corpus.train])
    trainer = Trainer(family, SCHEME, rng)

    def asked(example: Example) -> Example:
        """As the LLM labels it; a share ``right`` of the texts without an error."""
        if rng.random() < right:
            return example
        return replace(
            example, spans=errors.corrupt(example.text, example.spans, rng, habit=str(seed))
        )

    begun = time.process_time()
    order = rng.permutation(len(corpus.train))
    n_seed, n_queried = round(SEED_SHARE * len(order)), round(QUERIED * len(order))
    seeds = [corpus.train[place] for place in order[:n_seed]]
    gold = [corpus.train[place] for place in order[n_seed : n_seed + n_queried]]
    llm = [asked(example) for example in gold]
    answers = [*llm, *map(asked, seeds)]
    chosen = choose_for_humans(seeds, answers, round(FOR_HUMANS * n_queried), trainer)
    human = [*seeds, *(gold[place] for place in chosen)]
    chosen_at = time.process_time()
    both = learn_from_both(human, answers, trainer)
    learnt_at = time.process_time()

    def test_f1(tagger: Tagger) -> float:
        taggings = tagger.tag([example.text for example in corpus.test])
        pairs = [(e.spans, t.spans) for e, t in zip(corpus.test, taggings, strict=True)]
        return round(100 * span_scores(pairs).f1, 2)

    labels = [(e.spans, answer.spans) for e, answer in zip(gold, llm, strict=True)]
    return {
        "language": corpus.language,
        "seed": seed,
        "labels": round(100 * span_scores(labels).f1, 1),
        "human only": test_f1(trainer.train(human)),
        "LLM only": test_f1(trainer.train(answers)),
        "both": test_f1(both.tagger),
        "all human": test_f1(trainer.train([*seeds, *gold])),
        "mix": str(both.way),
        "choosing_cpu_s": round(chosen_at - begun, 1),
        "learning_cpu_s": round(learnt_at - chosen_at, 1),
    }


def kept(path: Path | None) -> dict[str, dict[str, float | str]]:
    """Finished rows by what they were asked for."""
    if path is None or not path.exists():
        return {}
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    return {line["asked"]: line["row"] for line in lines}


def keep(path: Path | None, asked: str, row: dict[str, float | str]) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"asked": asked, "row": row}) + "\n")


def share_of_all_human(rows: Sequence[dict[str, float | str]]) -> dict[str, tuple[float, float]]:
    """By language and on the mean: ratio of the mean F1, and half its 95% interval over seeds.

    Student's t over seeds, of languages' mean F1 in each; ``nan`` where there is but one seed.
    """
    found = {}
    for name in (*dict.fromkeys(str(row["language"]) for row in rows), "mean"):
        own = [row for row in rows if name in {row["language"], "mean"}]
        ratios = []
        for seed in dict.fromkeys(row["seed"] for row in own):
            of_seed = [row for row in own if row["seed"] == seed]
            ratios.append(means(of_seed, "both") / means(of_seed, "all human"))
        half = float("nan")
        if len(ratios) > 1:
            width = stats.t.ppf(0.975, len(ratios) - 1)
            half = width * statistics.stdev(ratios) / len(ratios) ** 0.5
        found[name] = (round(means(own, "both") / means(own, "all human"), 4), round(half, 4))
    return found


def means(rows: Sequence[dict[str, float | str]], column: str) -> float:
    return statistics.mean(float(row[column]) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("HARAMBEE_DATA"))
    parser.add_argument("--languages", default="zul,bam")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--model", default="gpt-4-turbo", help="whose recorded errors")
    parser.add_argument("--right", type=float, default=0.0, help="share of texts without errors")
    parser.add_argument("--out", type=Path, help="file that keeps finished rows")
    arguments = parser.parse_args()
    if not arguments.data:
        print('{"name": "llm-labels", "skipped": "HARAMBEE_DATA names no folder with data"}')
        return
    recordings = read_recordings(arguments.data / "llm_responses")
    rows: list[dict[str, float | str]] = []
    done = kept(arguments.out)
    print("language seed  labels  human only  LLM only   both  all human  LLM labels", flush=True)
    for language in arguments.languages.split(","):
        corpus = read(arguments.data, language)
        errors, _ = fitted(recordings, arguments.model, language, SCHEME)
        errors = errors.scaled_to(corpus.train)
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            asked = f"{language} {seed} {arguments.model} {arguments.right}"
            row = done.get(asked) or measured(corpus, errors, arguments.right, seed)
            rows.append(row)
            if asked not in done:
                keep(arguments.out, asked, row)
            print(
                f"{language:8} {seed:4}  {row['labels']:6}  {row['human only']:10}  "
                f"{row['LLM only']:8}  {row['both']:5}  {row['all human']:9}  {row['mix']}",
                flush=True,
            )
    shares = share_of_all_human(rows)
    for name, (share, half) in shares.items():
        print(f"{name:8} both / all human {share:.1%} +- {half:.1%}")
    losses = {}
    for language in arguments.languages.split(","):
        own = [row for row in rows if row["language"] == language]
        better = max(means(own, "human only"), means(own, "LLM only"))
        losses[language] = round(better - means(own, "both"), 2)
    report(
        Comparison(
            "llm-labels",
            Measured("all human", tuple(float(row["all human"]) for row in rows)),
            Measured("both", tuple(float(row["both"]) for row in rows)),
            "F1",
        ),
        of_all_human=shares["mean"][0],
        below_the_better_route=losses,
        model=arguments.model,
        rows=rows,
    )


if __name__ == "__main__":
    main()
