"""The CRF beside python-crfsuite as its tutorial uses it: a dictionary of features per token.

Both arms get the same texts, features, tags and parameters. The features are those of harambee's
default, with the lexicon and the guesses of all the texts, which are made once and given to both.
What the second look takes that makes the guesses is a row of its own. Scoring a pool means the best
tags, their probability and every token's marginals; before anything is measured, both arms' answers
are held against each other. Time is processor time of one process, because other work on the
machine should not count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pycrfsuite
from harness import Arm, Comparison, compare, in_turn, report, timed

from backend.domain import Example, LabelScheme
from backend.protocols import Tagging
from backend.samples import LABELS, sample_texts
from backend.tagger.crf import CrfFamily, CrfTagger
from backend.tagger.crf_features import (
    sentence_features,
    shape,
    signs,
    split_inner_capital,
    words_of,
)
from backend.tagger.crf_lexicon import CLASSES, Lexicon
from backend.tagger.training_set import tagged_texts
from backend.text.bio import tag_names
from backend.text.conll import read_conll, to_text
from backend.text.tokens import tokenise

SCHEME = LabelScheme(LABELS)
SHAPE = shape.__wrapped__  # without its cache

Answer = tuple[list[str], list[list[float]], float]


def examples(language: str) -> tuple[str, list[Example]]:
    """Where the texts come from, and the texts."""
    if data := os.environ.get("HARAMBEE_DATA"):
        file = Path(data) / "masakhaner2" / language / "train.txt.gz"
        texts = [to_text(sentence) for sentence in read_conll(file)]
        name = f"MasakhaNER 2.0, {language}, train"
    else:
        shipped = islice(cycle(sample_texts()), 5000)
        texts = [(example.text, example.spans) for _, example in shipped]
        name = "the sample corpus, repeated"
    return name, [Example(str(number), *text) for number, text in enumerate(texts)]


def plain_features(words: Sequence[str], lexicon: Lexicon) -> list[dict[str, bool]]:
    """The features as a user of python-crfsuite writes them down, nothing remembered."""
    return [dict.fromkeys(plain_word(words, place, lexicon), True) for place in range(len(words))]


def plain_lexicon(word: str, lexicon: Lexicon) -> list[str]:
    form = word.lower()
    numbers = lexicon.classes.get(form, ())
    names = [f"k{size}={number}" for size, number in zip(CLASSES, numbers, strict=False)]
    if form in lexicon.guesses:
        label, step = lexicon.guesses[form]
        names += [f"g={label}", f"g={label}|{step}"]
    return names


def plain_word(words: Sequence[str], at: int, lexicon: Lexicon) -> list[str]:
    word = words[at]
    form = word.lower()
    features = ["bias", f"w={form}", f"s={SHAPE(word)}", f"h={signs(word)[:4]}"]
    features += [f"n={form[of : of + 3]}" for of in range(len(form) - 2)]
    features += [f"p={form[:size]}" for size in range(1, min(4, len(form)) + 1)]
    features += [f"f={form[-size:]}" for size in range(1, min(4, len(form)) + 1)]
    prefix, stem = split_inner_capital(word)
    if prefix:
        features += [f"ip={prefix}", f"is={stem.lower()}", f"is3={stem.lower()[:3]}"]
    if prefix or word[:1].isupper():
        features.append("capital")
    if any(sign.isdigit() for sign in word):
        features += [f"d={word[:2]}", f"digits={min(len(word), 5)}"]
    features += plain_lexicon(word, lexicon)
    if lexicon.small and word[:1].isupper():
        features.append("also small" if form in lexicon.small else "never small")
    for offset in (-2, -1, 1, 2):
        if not 0 <= at + offset < len(words):
            features.append(f"{offset:+d}edge")
            continue
        other = words[at + offset]
        features += [f"{offset:+d}w={other.lower()}", f"{offset:+d}s={SHAPE(other)}"]
        if abs(offset) == 1:
            features += [f"{offset:+d}p={other.lower()[:3]}", f"{offset:+d}f={other.lower()[-3:]}"]
            features += [f"{offset:+d}{name}" for name in plain_lexicon(other, lexicon)]
    before = SHAPE(words[at - 1]) if at else ""
    after = SHAPE(words[at + 1]) if at + 1 < len(words) else ""
    two = f"{before}|{SHAPE(word)}"
    place = "inner" if before else "first"
    return [*features, f"{place}={SHAPE(word)}", f"ss={two}", f"sss={two}|{after}"]


def plain_training(training: Sequence[Example], family: CrfFamily) -> bytes:
    trainer = pycrfsuite.Trainer("lbfgs", family.parameters, verbose=False)
    for example in tagged_texts(training, SCHEME):
        words = words_of(example.text, example.tokens)
        trainer.append(plain_features(words, family.lexicon), example.tags)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        trainer.train(str(path))
        return path.read_bytes()


def plain_scoring(model: CrfTagger, texts: Sequence[str]) -> list[Answer]:
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(model.model)
    known = tagger.labels()
    answers = []
    for text in texts:
        words = words_of(text, tokenise(text))
        tagger.set(plain_features(words, model.lexicon))
        best = tagger.tag()
        marginals = [[tagger.marginal(tag, place) for tag in known] for place in range(len(words))]
        answers.append((best, marginals, tagger.probability(best)))
    return answers


def check_features(texts: Sequence[str], lexicon: Lexicon) -> None:
    """Both arms see the same of every word."""
    for text in texts:
        words = words_of(text, tokenise(text))
        ours = [{name.decode() for name in names} for names in sentence_features(words, lexicon)]
        if ours != [set(names) for names in plain_features(words, lexicon)]:
            raise SystemExit(f"the arms have different features of {text!r}")


def worst_difference(model: bytes, answers: Sequence[Answer], taggings: Sequence[Tagging]) -> float:
    """Between any two probabilities that the arms give for the same thing."""
    crfsuite = pycrfsuite.Tagger()
    crfsuite.open_inmemory(model)
    columns = [tag_names(LABELS).index(tag) for tag in crfsuite.labels()]
    worst = 0.0
    for (_, marginals, probability), tagging in zip(answers, taggings, strict=True):
        if marginals:
            apart = np.abs(tagging.probabilities[:, columns] - np.array(marginals))
            worst = max(worst, float(apart.max()))
        worst = max(worst, abs(probability - (tagging.sequence_probability or 0.0)))
    return worst


def learnt(family: CrfFamily, training: Sequence[Example]) -> CrfTagger:
    return family.train(training, SCHEME, np.random.default_rng(0))


def as_new(tagger: CrfTagger) -> CrfTagger:
    """The tagger as it is loaded, with nothing remembered in it."""
    return CrfTagger(tagger.model, LABELS, tagger.lexicon)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", default="zul", help="a folder of masakhaner2")
    parser.add_argument("--training", type=int, default=1000, help="sentences to train on")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    corpus, all_examples = examples(arguments.language)
    training, pool = all_examples[: arguments.training], all_examples[arguments.training :]
    texts = [example.text for example in pool]
    whole = CrfFamily().with_texts([example.text for example in all_examples])
    tagger = whole.train(training, SCHEME, np.random.default_rng(0))
    check_features(texts[:500], tagger.lexicon)
    once = CrfFamily(lexicon=tagger.lexicon)
    start = time.process_time()
    taggings = tagger.tag(texts)
    cold = time.process_time() - start
    apart = worst_difference(tagger.model, plain_scoring(tagger, texts), taggings)
    if apart > 1e-6:
        raise SystemExit(f"the arms' probabilities differ by up to {apart:.2g}")

    clock = time.process_time
    plain, ours, twice = in_turn(
        (
            Arm(
                "python-crfsuite, dictionaries",
                timed(lambda: plain_training(training, once), clock=clock),
            ),
            Arm("harambee", timed(lambda: learnt(once, training), clock=clock)),
            Arm(
                "harambee, with the second look",
                timed(lambda: learnt(whole, training), clock=clock),
            ),
        ),
        repeats=max(1, arguments.repeats // 2),
    )
    trained = Comparison("crf-training", plain, ours)
    print(f"training on {len(training)} sentences:")
    report(
        trained,
        sentences=len(training),
        second_look={"median": twice.median, "values": twice.values},
    )
    print(f"{twice.name} takes {twice.median:.3g} s")
    scored = compare(
        "crf-speed",
        Arm(
            "python-crfsuite, dictionaries",
            timed(lambda: plain_scoring(tagger, texts), clock=clock),
        ),
        Arm("harambee", timed(lambda: as_new(tagger).tag(texts), clock=clock)),
        repeats=arguments.repeats,
    )
    print(f"scoring {len(texts)} sentences:")
    report(
        scored,
        corpus=corpus,
        sentences=len(texts),
        sentences_per_second=round(len(texts) / scored.candidate.median),
        sentences_per_second_cold=round(len(texts) / cold),
        baseline_sentences_per_second=round(len(texts) / scored.baseline.median),
        training_ratio=round(trained.ratio, 4),
        second_look_seconds=round(twice.median, 3),
        largest_difference=apart,
    )


if __name__ == "__main__":
    main()
