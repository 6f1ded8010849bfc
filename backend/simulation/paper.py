"""The protocol and the measure of Kholodna et al. (2024), "LLMs in the Loop", for comparison.

As their published code has it: the first 5% of the texts are chosen by their gold labels; each
round takes 5% of the rest by mean token entropy over a padded length, so by total entropy, as
padding adds next to none; the pool never shrinks, so a text can be bought again and then counts
twice; a tagger is trained anew on all of it. Ten rounds with gold labels; five with an LLM's, whose
failed answers are dropped. They measure how many tokens of gold mentions get their gold tag: what
is found where nothing is costs nothing.

What is not theirs here: the tagger (no AfroXLMR), tokens for subwords, the LLM's stand-in, and the
rule for the first texts, which they describe for another sample: between 5 and 50% of the tokens
in mentions, weighted by a normal density over the number of mentions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.active_learning.strategies import STRATEGIES
from backend.domain import Example, Span
from backend.errors import InputError
from backend.protocols import Pool
from backend.quality.span_f1 import SpanPair
from backend.simulation.plan import Amount, Cell, Route
from backend.simulation.stage import FIRST, QUERY, Positions, Stage, Trained, lowest
from backend.text.bio import OUTSIDE, tag_names, to_bio
from backend.text.tokens import tokenise

STRATEGY = "total-entropy"
SHARE = Amount(0.05, is_share=True)
GOLD_ROUNDS, LLM_ROUNDS = 10, 5
_ENTITY_SHARE = (0.05, 0.5)


@dataclass(frozen=True, slots=True)
class PaperScores:
    """Their measure: ``accuracy`` and ``macro_f1`` in [0, 1] over tokens of gold mentions only.

    The macro mean has a row for ``O``, which no such token has: its F1 is always 0.
    """

    accuracy: float
    macro_f1: float


def paper_scores(
    texts: Sequence[str], pairs: Sequence[SpanPair], labels: Sequence[str]
) -> PaperScores:
    """Their measure of gold and predicted spans of each text."""
    right: Counter[str] = Counter()
    given: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for text, (gold_spans, predicted) in zip(texts, pairs, strict=True):
        tokens = tokenise(text)
        tags = zip(to_bio(tokens, gold_spans)[0], to_bio(tokens, predicted)[0], strict=True)
        for expected, found in tags:
            if expected != OUTSIDE:
                gold[expected] += 1
                given[found] += 1
                right[expected] += expected == found
    rows = tag_names(labels)
    f1 = [2 * right[tag] / max(1, given[tag] + gold[tag]) for tag in rows]
    return PaperScores(right.total() / max(1, gold.total()), sum(f1) / len(rows))


def first_texts(examples: Sequence[Example], wanted: int, rng: np.random.Generator) -> Positions:
    """The first texts by their rule, which looks at gold labels; others fill up where it must."""
    counts = np.array([len(example.spans) for example in examples], dtype=np.float64)
    shares = np.array([_entity_share(example.text, example.spans) for example in examples])
    fits = (shares > _ENTITY_SHARE[0]) & (shares < _ENTITY_SHARE[1])
    mean, spread = (counts[fits].mean(), counts[fits].std() or 1.0) if fits.any() else (0.0, 1.0)
    density = np.exp(-(((counts - mean) / spread) ** 2) / 2)
    # Efraimidis & Spirakis (2006): the largest keys are a weighted draw without replacement.
    keys = rng.random(len(examples)) ** (1 / np.maximum(density, 1e-9))
    order = np.lexsort((-keys, ~fits))
    return [int(place) for place in order[:wanted]]


def _entity_share(text: str, spans: Sequence[Span]) -> float:
    tags, _ = to_bio(tokenise(text), spans)
    return sum(tag != OUTSIDE for tag in tags) / max(1, len(tags))


@dataclass(frozen=True, slots=True)
class PaperRound:
    """A round of their protocol: what was bought in it, what was bought so far, and the tagger.

    ``bought``: places of all texts that were paid for, repeated ones too; ``by_llm`` of them, the
    last, by an LLM, which gave no usable answer to ``unanswered``.
    """

    number: int
    queried: Positions
    bought: Positions
    by_llm: int
    unanswered: int
    trained: Trained


def play_paper(stage: Stage, cell: Cell) -> Iterator[PaperRound]:
    """Play their protocol; the route says whose labels the rounds bring."""
    by_llm = cell.route is Route.LLM_ONLY
    train = stage.corpus.train
    first = first_texts(train, SHARE.of(len(train)), stage.rng(FIRST))
    pool = sorted(set(range(len(train))) - set(first))
    step = SHARE.of(len(pool))
    labels, bought, unanswered = stage.examples(first), list(first), 0
    trained = stage.train(labels, 0)
    yield PaperRound(0, first, list(bought), 0, 0, trained)
    for number in range(1, (LLM_ROUNDS if by_llm else GOLD_ROUNDS) + 1):
        queried = _query(stage, pool, trained, number)[:step]
        answers = stage.answers(queried) if by_llm else {}
        new = list(answers.values()) if by_llm else stage.examples(queried)
        unanswered += sum(example is None for example in new)
        labels += [example for example in new if example is not None]
        bought += queried
        trained = stage.train(labels, number)
        in_rounds = len(bought) - len(first) if by_llm else 0
        yield PaperRound(number, queried, list(bought), in_rounds, unanswered, trained)


def _query(stage: Stage, pool: Positions, trained: Trained, number: int) -> Positions:
    rng = stage.rng(QUERY, number)
    if trained.tagger is None:
        return [pool[place] for place in rng.permutation(len(pool))]
    texts = [example.text for example in stage.examples(pool)]
    shown = Pool(texts=texts, taggings=trained.taggings(stage.corpus, pool))
    return [pool[place] for place in lowest(STRATEGIES[STRATEGY](shown, rng))]


# Their published results ------------------------------------------------------------------------

_RUNS: Mapping[Route, str] = {
    Route.ALL_HUMAN: "active_learning_on_ground_truth",
    Route.LLM_ONLY: "active_learning_on_foundation_model",
}
_ACCURACY = "accuracy_on_gold_entity_subwords"


def published_curves(path: Path) -> dict[tuple[str, Route], list[float]]:
    """Accuracy by round, as published, by language and whose labels the rounds brought.

    Raises :class:`~backend.errors.InputError` for a file that holds no such results.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
        return {
            (language, route): [float(report[_ACCURACY]) for report in runs["test_reports"]]
            for route, name in _RUNS.items()
            for language, runs in data[name].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold the paper's results: {error!r}. Expected "
            "paper_active_learning.json."
        ) from error
