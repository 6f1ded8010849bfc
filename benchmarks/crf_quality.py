"""Strict span F1 of the CRF, by language and number of labelled sentences.

The protocol: so many sentences are drawn at random from the language's train part, once per seed
(size ``all``: all of them, once); a CRF learns from their labels, and from the texts of the whole
train part without labels, as a project's CRF does from its pool; it is scored on the test part. A
figure is the mean over the seeds. ``labels only`` has not read the texts, ``read once`` knows their
lexicon and has not taken the second look. Beside them stands the same CRF with the features of
sklearn-crfsuite's tutorial (word, suffixes, case and digits, of the neighbours too), on the same
draws. ``ratio`` is how many times fewer errors, as 1 - F1 on the mean over languages and sizes, the
features of harambee leave. ``--auxiliary`` adds an arm that may learn from the other languages as
well (:mod:`backend.tagger.auxiliary`).

Without research data the shipped sample is split instead, which says nothing but that it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import mean

import numpy as np
import pycrfsuite
from rich.progress import track

from backend.domain import Example, LabelScheme, Span
from backend.protocols import TaggerFamily
from backend.quality.span_f1 import span_scores
from backend.samples import sample_texts
from backend.tagger.auxiliary import AuxiliaryFamily
from backend.tagger.crf import CrfFamily
from backend.tagger.training_set import tagged_texts
from backend.text.bio import from_bio
from backend.text.conll import read_conll, to_text
from backend.text.tokens import tokenise

Corpus = Mapping[str, Sequence[Example]]
"""The parts of one language by name: train, dev, test."""


def corpora(languages: Sequence[str], split: str) -> dict[str, Corpus]:
    """The languages asked for, or all there are."""
    if not (data := os.environ.get("HARAMBEE_DATA")):
        return samples(split)
    folder = Path(data) / "masakhaner2"
    names = languages or sorted(path.name for path in folder.iterdir() if path.is_dir())
    return {
        name: {part: read(folder / name / f"{part}.txt.gz") for part in ("train", split)}
        for name in names
    }


def read(path: Path) -> list[Example]:
    texts = (to_text(sentence) for sentence in read_conll(path))
    return [Example(f"{path}:{n}", text, spans) for n, (text, spans) in enumerate(texts)]


def samples(split: str) -> dict[str, Corpus]:
    by_language: dict[str, list[Example]] = {}
    for language, example in sample_texts():
        by_language.setdefault(language, []).append(example)
    return {
        language: {"train": examples[::2], split: examples[1::2]}
        for language, examples in by_language.items()
    }


def scheme_of(corpus: Corpus) -> LabelScheme:
    spans = (span for part in corpus.values() for example in part for span in example.spans)
    return LabelScheme(tuple(sorted({span.label for span in spans})))


def draws(corpus: Corpus, size: str, seeds: int) -> Iterator[tuple[int, list[Example]]]:
    train = corpus["train"]
    if size == "all":
        yield 0, list(train)
        return
    for seed in range(seeds):
        chosen = np.random.default_rng(seed).permutation(len(train))[: int(size)]
        yield seed, [train[place] for place in chosen]


def f1(found: Sequence[Sequence[Span]], gold: Sequence[Example]) -> float:
    pairs = zip((example.spans for example in gold), found, strict=True)
    return 100 * span_scores(pairs).f1


def tutorial_features(words: Sequence[str]) -> list[list[str]]:
    """The features of sklearn-crfsuite's tutorial, without the parts of speech."""

    def looks(place: int, at: str) -> list[str]:
        if not 0 <= place < len(words):
            return [f"{at}edge"]
        word = words[place]
        return [
            f"{at}w={word.lower()}",
            f"{at}upper={word.isupper()}",
            f"{at}title={word.istitle()}",
        ]

    return [
        [
            "bias",
            *looks(place, ""),
            f"f3={word[-3:]}",
            f"f2={word[-2:]}",
            f"digit={word.isdigit()}",
            *looks(place - 1, "-1"),
            *looks(place + 1, "+1"),
        ]
        for place, word in enumerate(words)
    ]


def tutorial(training: Sequence[Example], scheme: LabelScheme, test: Sequence[Example]) -> float:
    def features(text: str) -> list[list[str]]:
        return tutorial_features([text[start:end] for start, end in tokenise(text)])

    trainer = pycrfsuite.Trainer("lbfgs", CrfFamily().parameters, verbose=False)
    for example in tagged_texts(training, scheme):
        trainer.append(features(example.text), example.tags)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        found = [from_bio(tokenise(one.text), tagger.tag(features(one.text))) for one in test]
        return f1(found, test)


def ours(
    family: TaggerFamily,
    training: Sequence[Example],
    scheme: LabelScheme,
    test: Sequence[Example],
) -> float:
    tagger = family.train(training, scheme, np.random.default_rng(0))
    return f1([tagging.spans for tagging in tagger.tag([one.text for one in test])], test)


def reader(corpus: Corpus, test: Sequence[Example]) -> CrfFamily:
    """A family that has read the train part's texts; none of those that it is scored on."""
    scored = {example.text for example in test}
    texts = [example.text for example in corpus["train"] if example.text not in scored]
    return CrfFamily().with_texts(texts)


def with_others(
    family: AuxiliaryFamily,
    training: Sequence[Example],
    scheme: LabelScheme,
    test: Sequence[Example],
    seed: int,
) -> tuple[float, bool]:
    """The F1, and whether the others' labels were used."""
    tagger = family.train(training, scheme, np.random.default_rng(seed))
    found = [tagging.spans for tagging in tagger.tag([one.text for one in test])]
    return f1(found, test), tagger.decision.accepted


def beside(
    family: CrfFamily, others: Mapping[str, Sequence[Example]], test: Sequence[Example]
) -> AuxiliaryFamily:
    """The family with the others' labels; none of the texts that it is scored on."""
    scored = {example.text for example in test}
    sources = {
        name: [one for one in texts if one.text not in scored] for name, texts in others.items()
    }
    return AuxiliaryFamily(family, sources)


def measure(
    corpus: Corpus, split: str, size: str, seeds: int, others: Mapping[str, Sequence[Example]]
) -> dict[str, float]:
    """Mean F1 of each arm, and the share of draws in which the others' labels were used."""
    scheme, test = scheme_of(corpus), corpus[split]
    reading = reader(corpus, test)
    auxiliary = beside(reading, others, test)
    values: dict[str, list[float]] = {}
    for seed, training in draws(corpus, size, seeds):
        values.setdefault("tutorial", []).append(tutorial(training, scheme, test))
        values.setdefault("labels only", []).append(ours(CrfFamily(), training, scheme, test))
        once = CrfFamily(lexicon=reading.lexicon)
        values.setdefault("read once", []).append(ours(once, training, scheme, test))
        values.setdefault("harambee", []).append(ours(reading, training, scheme, test))
        if others:
            score, used = with_others(auxiliary, training, scheme, test, seed)
            values.setdefault("auxiliary", []).append(score)
            values.setdefault("accepted", []).append(used)
    return {arm: round(mean(scores), 2) for arm, scores in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--languages", type=lambda value: value.split(","), default=[])
    parser.add_argument("--sizes", type=lambda value: value.split(","), default=["100", "200"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--split", default="test", choices=["test", "dev"])
    parser.add_argument("--auxiliary", action="store_true", help="with the other languages")
    arguments = parser.parse_args()
    found = corpora(arguments.languages, arguments.split)
    everything = corpora([], arguments.split) if arguments.auxiliary else {}
    cells = list(product(found, arguments.sizes))
    figures = {}
    for language, size in track(cells, "measuring", disable=None):
        others = {name: it["train"] for name, it in everything.items() if name != language}
        figures[language, size] = measure(
            found[language], arguments.split, size, arguments.seeds, others
        )
        print(f"{language} {size:>5}  {figures[language, size]}", flush=True)
    errors = {
        arm: mean(100 - figure[arm] for figure in figures.values())
        for arm in ("tutorial", "harambee")
    }
    summary = {
        "name": "crf-quality",
        "ratio": round(errors["tutorial"] / errors["harambee"], 4),
        "ratio_of": "mean error (100 - strict span F1): tutorial's features / harambee's",
        "split": arguments.split,
        "seeds": arguments.seeds,
        "f1": {f"{language} {size}": figure for (language, size), figure in figures.items()},
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
