"""A round's new tagger before it serves: trained on what helps, calibrated, scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.active_learning.calibrated_tagger import bare, calibrated
from backend.active_learning.calibration import Fitted
from backend.active_learning.mixing import Mixture, learn_from_both
from backend.active_learning.trainer import Trainer
from backend.active_learning.ways import Mix
from backend.domain import Example, SpanScores
from backend.protocols import Explained, Progress, Tagger, silent
from backend.quality.evaluation import tagger_scores
from backend.workspace import Workspace, having_read, llm_examples


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new tagger and what became of it.

    ``mixture``: what it learnt from, and the tagger as it was trained; ``calibration``: ``None``
    where none was tried; ``scores``: strict span scores on the held-out labels, ``None`` where
    these hold no span.
    """

    tagger: Tagger
    mixture: Mixture
    calibration: Fitted | None
    scores: SpanScores | None

    @property
    def remark(self) -> str:
        """What its family has to say of it, behind a semicolon; mostly nothing."""
        trained = self.mixture.tagger
        return f"; {trained.remark}" if isinstance(trained, Explained) else ""

    def about(self, work: Workspace, training: int, held_out: int) -> dict[str, object]:
        """For the manifest of its version, with how many texts it learnt from and was judged on."""
        trained = self.mixture.tagger
        history = trained.history if isinstance(trained, Explained) else {}
        return {
            **history,
            "training_texts": training,
            "llm_labelled_texts": self.mixture.llm_texts,
            "held_out_texts": held_out,
            "held_out_f1": self.scores.f1 if self.scores else None,
            "labels": list(work.scheme.labels),
            "calibration": self.calibration.to_json() if self.calibration else None,
        }


def too_little(training: Sequence[Example], at_least: int) -> str:
    """Why nothing can be learnt from these labels, empty where something can."""
    if len(training) < at_least:
        return f"{len(training)} labels to learn from, {at_least} are needed"
    if not any(example.spans for example in training):
        return f"none of the {len(training)} labelled texts holds a span"
    return ""


def trainer_for(
    work: Workspace,
    training: Sequence[Example],
    rng: np.random.Generator,
    progress: Progress = silent,
    serving: Tagger | None = None,
) -> Trainer:
    """The project's way of training, with all its texts read that nobody is judged by.

    ``serving`` is the tagger that training may go on from.
    """
    start = bare(serving) if serving else None
    family = having_read(work, work.family, training)
    return Trainer(family, work.scheme, rng, progress, start)


def train_candidate(
    work: Workspace, training: Sequence[Example], held_out: Sequence[Example], trainer: Trainer
) -> Candidate:
    """Train on the accepted labels, and on the LLM's as far as these help, then calibrate.

    Nothing is stored or promoted.
    """
    mixture = learn_from_both(
        training,
        llm_examples(work),
        trainer,
        None if work.learning.llm_labels == "auto" else Mix(work.learning.llm_labels),
    )
    tagger, calibration = mixture.tagger, None
    if work.learning.calibrate:
        tagger, calibration = calibrated(tagger, held_out, work.scheme, trainer.rng)
    return Candidate(tagger, mixture, calibration, tagger_scores(tagger, held_out))
