"""A query strategy at work in a project: told what it needs, shown the pool in parts or whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.active_learning.calibrated_tagger import CalibratedTagger, bare
from backend.active_learning.strategies import COMMITTEE, POINTWISE, STRATEGIES, TIMED
from backend.active_learning.strategies.cost import expected_seconds
from backend.active_learning.tokens import Tokens
from backend.domain import Annotation, Suggestion, Task
from backend.errors import InputError
from backend.protocols import FloatArray, Pool, Progress, SamplingTagger, Tagger, Tagging, silent
from backend.text.tokens import tokenise

WINDOW = 512
"""Texts tagged at a time where each is judged by itself, so that memory stays flat."""

DROPOUT_PASSES = 5
"""Members of a committee made of one network."""

_ALONE: Mapping[str, str] = {
    **dict.fromkeys([*COMMITTEE, "k-center", "clusters", "margin-diverse"], "margin"),
    **dict.fromkeys(["margin-clusters", "llm-disagreement"], "margin"),
    **dict.fromkeys(TIMED, "total-entropy"),
    "entropy-diverse": "top-entropy",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A strategy by name, with what it may know beside the pool and the serving tagger.

    ``labelled``: tasks with the annotations that count. ``suggested``: the LLM's suggestions by
    task id. ``members``: the committee's further taggers.
    """

    name: str
    labelled: Sequence[tuple[Task, Annotation]] = ()
    suggested: Mapping[str, Suggestion] = field(default_factory=dict)
    members: Sequence[Tagger] = ()

    def alone(self) -> Query:
        """The query for texts outside their pool: what is nearest to it and needs nothing else."""
        return Query(_ALONE.get(self.name, self.name))

    def scored(
        self,
        tagger: Tagger,
        tasks: Sequence[Task],
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> Iterator[tuple[Task, Tagging, float]]:
        """Each task with its tagging and confidence in [0, 1], lowest first to be asked.

        A strategy that weighs texts against each other gets all at once, which keeps all their
        taggings in memory: 2 kB for a sentence.
        """
        size = WINDOW if self.name in POINTWISE else max(1, len(tasks))
        for start in range(0, len(tasks), size):
            window = tasks[start : start + size]
            pool = self._pool(tagger, window, rng, progress if size > WINDOW else silent)
            scores = STRATEGIES[self.name](pool, rng).tolist()
            yield from zip(window, pool.taggings, scores, strict=True)
            progress(min(start + size, len(tasks)), len(tasks), "scoring the pool")

    def _pool(
        self, tagger: Tagger, tasks: Sequence[Task], rng: np.random.Generator, progress: Progress
    ) -> Pool:
        texts = [task.text for task in tasks]
        taggings = tagger.tag(texts, progress)
        answers = [self.suggested.get(task.id) for task in tasks]
        return Pool(
            texts=texts,
            taggings=taggings,
            labelled=() if self.name in POINTWISE else [task.text for task, _ in self.labelled],
            committee=self._committee(tagger, texts, rng),
            suggested=[answer.spans if answer else None for answer in answers],
            seconds=self._seconds(taggings) if self.name in TIMED else None,
        )

    def _committee(
        self, tagger: Tagger, texts: Sequence[str], rng: np.random.Generator
    ) -> list[list[Tagging]]:
        if self.name != "bald":
            return [member.tag(texts) for member in self.members]
        return dropout_passes(tagger, texts, rng)

    def _seconds(self, taggings: Sequence[Tagging]) -> FloatArray:
        lengths = [len(tokenise(task.text)) for task, _ in self.labelled]
        took = [note.lead_time or np.nan for _, note in self.labelled]
        return expected_seconds(
            Tokens.of(taggings).lengths,
            np.array(lengths, dtype=np.int64),
            np.array(took, dtype=np.float64),
        )


def dropout_passes(
    tagger: Tagger, texts: Sequence[str], rng: np.random.Generator
) -> list[list[Tagging]]:
    """What a network says with dropout left on, calibrated as the tagger is.

    Raises :class:`~backend.errors.InputError` for a tagger without dropout.
    """
    network = bare(tagger)
    if not isinstance(network, SamplingTagger):
        raise InputError(
            f"The strategy bald needs a tagger with dropout, and a {tagger.kind} has none. Use "
            f"committee-kl, the same measure over a committee, or tagger.kind: transformer."
        )
    passes = network.sample(texts, DROPOUT_PASSES, rng)
    if isinstance(tagger, CalibratedTagger):
        return [tagger.calibration.apply(taggings) for taggings in passes]
    return passes
