"""The loop over a corpus: query, label, train, measure; with the parts that the live loop has.

Humans are the gold labels. What is queried comes from the live loop's
:class:`~backend.active_learning.query.Query`: the texts of the lowest confidence, the first of
equals. Four routes say who labels what is queried:

``all-human``   humans label everything
``human-only``  humans label the given share, those queried first; the rest waits
``llm-only``    an LLM labels everything, the first texts too
``default``     an LLM labels everything; humans label the first texts, and the given share where
                what is right is least known; how many LLM labels are learnt from is decided
                on the human ones
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from backend.active_learning.choosing import choose_for_humans
from backend.active_learning.committee import committee_of
from backend.active_learning.mixing import learn_from_both
from backend.active_learning.query import Query
from backend.active_learning.strategies import BAGGED
from backend.active_learning.trainer import Trainer
from backend.domain import (
    Annotation,
    Example,
    Source,
    SourceKind,
    SpanScores,
    Suggestion,
    Task,
)
from backend.protocols import Tagger
from backend.simulation.paper import PaperRound, PaperScores, paper_scores, play_paper
from backend.simulation.plan import PAPER, RANDOM, Cell, Route
from backend.simulation.stage import (
    COMMITTEES,
    MIX,
    QUERY,
    ROUTE,
    Positions,
    Stage,
    Trained,
    lowest,
)

LLM_DISAGREEMENT = "llm-disagreement"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Played:
    """One round: what is labelled by then, by whom, what it cost, and the scores on the test set.

    Counts are of texts and tokens since the beginning; ``texts`` and ``tokens`` that anybody was
    asked about, each once. ``llm_texts``: that an LLM was asked about,
    ``unanswered`` of them in vain. ``queried``: places in the pool of the texts of this round, in
    the order they were asked for. ``mix``: what was made of the LLM's labels, where that is chosen.
    ``paper``: the scores by the paper's measure, where they are wanted. ``auxiliary``: what was
    decided about labels of other languages (:meth:`backend.tagger.auxiliary.Decision.as_json`).
    """

    round: int
    texts: int
    tokens: int
    human_texts: int
    human_tokens: int
    llm_texts: int
    llm_tokens: int
    unanswered: int
    usd: float
    scores: SpanScores
    queried: tuple[int, ...] = ()
    mix: str = ""
    paper: PaperScores | None = None
    auxiliary: Mapping[str, Any] | None = None

    @property
    def helped(self) -> bool:
        """Whether labels of other languages entered the training."""
        return bool(self.auxiliary and self.auxiliary["accepted"])


def play(stage: Stage, cell: Cell) -> Iterator[Played]:
    """Play a cell round by round; the first texts are round 0, the whole pool is one round."""
    if cell.is_full:
        everything = dict(enumerate(stage.corpus.train))
        trained = stage.train(stage.corpus.train, 0)
        yield Run(stage, cell, human=everything).played(0, trained, ())
        return
    if cell.strategy == PAPER:
        yield from (_played_in_paper(stage, each) for each in play_paper(stage, cell))
        return
    run = Run(stage, cell)
    trained = run.begin()
    yield run.played(0, trained, stage.first)
    step = stage.plan.step.of(len(stage.corpus.train))
    for number in range(1, stage.plan.rounds + 1):
        if not run.pool():
            return
        queried = run.query(trained, number)[:step]
        trained = run.learn(queried, number)
        yield run.played(number, trained, queried)


class Run:
    """A cell under way: who labelled what so far."""

    def __init__(
        self, stage: Stage, cell: Cell, human: Mapping[int, Example] | None = None
    ) -> None:
        self.stage = stage
        self.cell = cell
        self.human = dict(human or {})
        self.llm: dict[int, Example] = {}
        self.unanswered: set[int] = set()
        self._asked_llm: set[int] = set()
        self._mix = ""

    def begin(self) -> Trained:
        """Have the first texts labelled and train on them."""
        by_llm = self.cell.route is Route.LLM_ONLY
        if self.cell.route in {Route.LLM_ONLY, Route.DEFAULT}:
            self._ask_llm(self.stage.first)
        if not by_llm:
            self._ask_humans(self.stage.first)
        labels = self.llm if by_llm else self.human
        return self.stage.first_tagger(list(labels.values()), by_llm=by_llm)

    def pool(self) -> Positions:
        """Places of the texts that nobody was asked about, in order."""
        asked = self._asked()
        return [place for place in range(len(self.stage.corpus.train)) if place not in asked]

    def _asked(self) -> set[int]:
        return self.human.keys() | self.llm.keys() | self.unanswered

    def query(self, trained: Trained, number: int) -> Positions:
        """The pool, least certain text first; in random order while there is no tagger."""
        pool, stage = self.pool(), self.stage
        rng = stage.rng(QUERY, number)
        if trained.tagger is None or self.cell.strategy == RANDOM:
            return [pool[place] for place in rng.permutation(len(pool))]
        asked = Query(
            self.cell.strategy,
            labelled=[self._labelled(place, example) for place, example in self.human.items()],
            suggested=self._suggested(pool),
            members=self._committee(number),
        )
        tasks = [Task(str(place), stage.corpus.train[place].text) for place in pool]
        scored = asked.scored(trained.tagger, tasks, rng, stage.progress)
        return [pool[place] for place in lowest(np.array([score for _, _, score in scored]))]

    def _labelled(self, place: int, example: Example) -> tuple[Task, Annotation]:
        """A human's label as a labelling tool keeps it, with the time it took."""
        seconds = self.stage.plan.costs.seconds(int(self.stage.tokens[place]))
        task = Task(str(place), example.text)
        return task, Annotation(
            str(place), task.id, example.spans, "gold", LONG_AGO, lead_time=seconds
        )

    def _committee(self, number: int) -> list[Tagger]:
        if self.cell.strategy not in BAGGED:
            return []
        stage = self.stage
        labels = list((self.llm | self.human).values())
        return committee_of(
            stage.family, labels, stage.corpus.scheme, stage.rng(COMMITTEES, number)
        )

    def _suggested(self, pool: Positions) -> dict[str, Suggestion]:
        """What the LLM says of the whole pool, if that is what is asked by; it is paid for."""
        if self.cell.strategy != LLM_DISAGREEMENT or self.stage.make_annotator is None:
            return {}
        self._asked_llm.update(pool)
        answers = self.stage.answers(pool).items()
        source = Source(SourceKind.LLM, "simulated")
        return {
            str(place): Suggestion(str(place), example.spans, 1.0, source)
            for place, example in answers
            if example is not None
        }

    def learn(self, queried: Positions, number: int) -> Trained:
        """Have the queried texts labelled by whom the route says, and train on the labels."""
        return _ROUTES[self.cell.route](self, queried, number)

    def played(self, number: int, trained: Trained, queried: Sequence[int]) -> Played:
        """What the round came to."""
        costs, tokens = self.stage.plan.costs, self.stage.tokens
        human, llm = list(self.human), sorted(self._asked_llm)
        seconds = sum(costs.seconds(int(count)) for count in tokens[human])
        asked = list(self._asked())
        return Played(
            round=number,
            texts=len(asked),
            tokens=int(tokens[asked].sum()),
            human_texts=len(human),
            human_tokens=int(tokens[human].sum()),
            llm_texts=len(llm),
            llm_tokens=int(tokens[llm].sum()),
            unanswered=len(self.unanswered),
            usd=round(seconds / 3600 * costs.usd_per_hour + len(llm) * costs.llm_usd_per_text, 6),
            scores=trained.scores,
            queried=tuple(queried),
            mix=self._mix,
            paper=_paper_scores(self.stage, trained),
            auxiliary=trained.auxiliary,
        )

    def all_human(self, queried: Positions, number: int) -> Trained:
        """Humans label everything."""
        self._ask_humans(queried)
        return self.stage.train(list(self.human.values()), number)

    def human_only(self, queried: Positions, number: int) -> Trained:
        """Humans label as many as in the shared route, those queried first."""
        self._ask_humans(queried[: self._human_part(queried)])
        return self.stage.train(list(self.human.values()), number)

    def llm_only(self, queried: Positions, number: int) -> Trained:
        """The LLM labels everything."""
        self._ask_llm(queried)
        return self.stage.train(list(self.llm.values()), number)

    def shared(self, queried: Positions, number: int) -> Trained:
        """The LLM labels everything; humans label where what is right is least known.

        Humans choose among all that only the LLM has labelled so far, not just this round's.
        """
        stage = self.stage
        self._ask_llm(queried)
        answered = list(self.llm)
        chosen = choose_for_humans(
            list(self.human.values()),
            list(self.llm.values()),
            self._human_part(queried),
            self._trainer(ROUTE, number),
        )
        self._ask_humans([answered[place] for place in chosen])
        human, llm = list(self.human.values()), list(self.llm.values())
        if not any(example.spans for example in (*human, *llm)):
            return stage.measured(None)
        mixture = learn_from_both(human, llm, self._trainer(MIX, number))
        self._mix = str(mixture.way)
        return stage.measured(mixture.tagger)

    def _trainer(self, purpose: int, number: int) -> Trainer:
        stage = self.stage
        rng = stage.rng(purpose, number)
        return Trainer(stage.family, stage.corpus.scheme, rng, stage.progress)

    def _human_part(self, queried: Positions) -> int:
        return max(1, round(self.stage.plan.human_share * len(queried)))

    def _ask_humans(self, places: Positions) -> None:
        self.human.update(zip(places, self.stage.examples(places), strict=True))

    def _ask_llm(self, places: Positions) -> None:
        self._asked_llm.update(places)
        for place, example in self.stage.answers(places).items():
            if example is None:
                self.unanswered.add(place)
            else:
                self.llm[place] = example


_ROUTES: Mapping[Route, Callable[[Run, Positions, int], Trained]] = {
    Route.ALL_HUMAN: Run.all_human,
    Route.HUMAN_ONLY: Run.human_only,
    Route.LLM_ONLY: Run.llm_only,
    Route.DEFAULT: Run.shared,
}


def _paper_scores(stage: Stage, trained: Trained) -> PaperScores | None:
    if not stage.plan.paper:
        return None
    test = stage.corpus.test
    gold = [example.spans for example in test]
    pairs = list(zip(gold, trained.found, strict=True))
    return paper_scores([example.text for example in test], pairs, stage.corpus.scheme.labels)


def _played_in_paper(stage: Stage, each: PaperRound) -> Played:
    """A round of the paper's protocol; what was bought twice was paid and counts twice."""
    tokens, costs = stage.tokens, stage.plan.costs
    human = each.bought[: len(each.bought) - each.by_llm]
    llm = each.bought[len(human) :]
    seconds = sum(costs.seconds(int(count)) for count in tokens[human])
    return Played(
        round=each.number,
        texts=len(each.bought),
        tokens=int(tokens[each.bought].sum()),
        human_texts=len(human),
        human_tokens=int(tokens[human].sum()),
        llm_texts=len(llm),
        llm_tokens=int(tokens[llm].sum()),
        unanswered=each.unanswered,
        usd=round(seconds / 3600 * costs.usd_per_hour + len(llm) * costs.llm_usd_per_text, 6),
        scores=each.trained.scores,
        queried=tuple(each.queried),
        paper=_paper_scores(stage, each.trained),
    )
