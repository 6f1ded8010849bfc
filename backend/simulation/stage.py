"""A corpus and a seed, and what the runs over them share: first texts, answers, first taggers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.active_learning.cold_start import cold_start_confidence
from backend.domain import Example, Outcome, Span, SpanScores, Task
from backend.errors import InputError
from backend.protocols import (
    Annotator,
    Explained,
    Progress,
    Tagger,
    TaggerFamily,
    Tagging,
    reading,
    silent,
)
from backend.quality.span_f1 import span_scores
from backend.simulation.corpus import Corpus
from backend.simulation.plan import FirstTexts, Plan
from backend.text.tokens import tokenise

Positions = list[int]
"""Places of texts in the pool."""

FIRST, QUERY, TRAIN, ROUTE, MIX, COMMITTEES = range(6)
"""What random numbers are for, so that one use does not shift another."""


class Trained:
    """A tagger (``None``: nothing to learn from yet), its scores, and what it says of the pool.

    ``found``: its spans of each text of the test set, in order.
    """

    def __init__(
        self, tagger: Tagger | None, scores: SpanScores, found: Sequence[tuple[Span, ...]]
    ) -> None:
        self.tagger = tagger
        self.scores = scores
        self.found = found
        self._taggings: dict[int, Tagging] = {}

    @property
    def auxiliary(self) -> Mapping[str, Any] | None:
        """What was decided about labels of other languages, where that was asked."""
        if not isinstance(self.tagger, Explained):
            return None
        decision: Any = self.tagger.history.get("auxiliary")
        return (
            {key: value for key, value in decision.items() if key != "sources"}
            if decision
            else None
        )

    def taggings(self, corpus: Corpus, places: Sequence[int]) -> list[Tagging]:
        """Of the texts at these places; each is tagged once. Only where there is a tagger."""
        new = [place for place in places if place not in self._taggings]
        if new and self.tagger is not None:
            texts = [corpus.train[place].text for place in new]
            self._taggings.update(zip(new, self.tagger.tag(texts), strict=True))
        return [self._taggings[place] for place in places]


@dataclass
class Stage:
    """A corpus with one seed. ``annotator``: the LLM, where a route needs one.

    ``family`` may read the texts of the whole pool, without their labels.
    ``progress`` hears of each training's steps and may raise to stop.
    """

    corpus: Corpus
    seed: int
    plan: Plan
    family: TaggerFamily
    make_annotator: Callable[[], Annotator] | None = None
    progress: Progress = silent
    _first_taggers: dict[bool, Trained] = field(default_factory=dict)
    _answers: dict[int, Example | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = [example.text for example in self.corpus.train]
        self.family = reading(self.family, texts)

    @cached_property
    def tokens(self) -> npt.NDArray[np.int64]:
        """(n_texts,): tokens of each text of the pool."""
        return np.array([len(tokenise(example.text)) for example in self.corpus.train])

    @cached_property
    def first(self) -> Positions:
        """The texts to begin with, chosen without their labels."""
        texts = [example.text for example in self.corpus.train]
        wanted = self.plan.first.of(len(texts))
        rng = self.rng(FIRST)
        if self.plan.first_texts is FirstTexts.RANDOM:
            return [int(place) for place in rng.permutation(len(texts))[:wanted]]
        return lowest(cold_start_confidence(texts, rng))[:wanted]

    def rng(self, purpose: int, number: int = 0) -> np.random.Generator:
        """Random numbers for one purpose and round, the same for every strategy."""
        return np.random.default_rng([self.seed, purpose, number])

    def examples(self, places: Sequence[int]) -> list[Example]:
        """The texts at these places with their gold labels."""
        return [self.corpus.train[place] for place in places]

    @cached_property
    def _annotator(self) -> Annotator:
        if self.make_annotator is None:
            raise ValueError("a route with an LLM needs an annotator")
        return self.make_annotator()

    def answers(self, places: Sequence[int]) -> dict[int, Example | None]:
        """What the LLM says of texts, ``None`` where it gave no answer. Asked once for each."""
        if new := [place for place in places if place not in self._answers]:
            tasks = [Task(str(place), self.corpus.train[place].text) for place in new]
            for answer in self._annotator.annotate(tasks, self.corpus.scheme):
                if answer.outcome in {Outcome.UNREACHABLE, Outcome.OVER_BUDGET}:
                    raise InputError(
                        f"The LLM could not be asked: {answer.detail}. What is finished is kept, "
                        "and so are its answers; once that is mended the same command goes on."
                    )
                place, given = int(answer.task_id), answer.suggestion
                example = self.corpus.train[place]
                self._answers[place] = (
                    Example(example.task_id, example.text, given.spans) if given else None
                )
        return {place: self._answers[place] for place in places}

    def train(self, examples: Sequence[Example], number: int) -> Trained:
        """A tagger of the examples, or none where they hold no span; and what it scores."""
        if not any(example.spans for example in examples):
            return self.measured(None)
        rng = self.rng(TRAIN, number)
        return self.measured(self.family.train(examples, self.corpus.scheme, rng, self.progress))

    def measured(self, tagger: Tagger | None) -> Trained:
        """A tagger with its strict span scores on the test set; no tagger finds nothing."""
        texts = [example.text for example in self.corpus.test]
        found: list[tuple[Span, ...]] = [()] * len(texts)
        if tagger is not None:
            found = [tagging.spans for tagging in tagger.tag(texts)]
        gold = [example.spans for example in self.corpus.test]
        return Trained(tagger, span_scores(zip(gold, found, strict=True)), found)

    def first_tagger(self, labels: Sequence[Example], *, by_llm: bool) -> Trained:
        """The tagger of the first texts, which does not depend on the strategy."""
        if by_llm not in self._first_taggers:
            self._first_taggers[by_llm] = self.train(labels, 0)
        return self._first_taggers[by_llm]


def lowest(confidence: npt.NDArray[np.float64]) -> Positions:
    """All places, lowest value first, the first of equals first."""
    return [int(place) for place in np.argsort(confidence, kind="stable")]
