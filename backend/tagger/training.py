"""Fine-tuning a token classifier. Imports torch: import this module only where needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from backend.protocols import Progress
from backend.tagger.batching import length_buckets, padded
from backend.tagger.devices import Device
from backend.tagger.encoding import IGNORED, LabelledPieces
from backend.tagger.memory import BatchLimit, fitting
from backend.tagger.transformer_tagger import model_inputs

_WARM_UP = 0.1
_CLIP = 1.0
_WEIGHT_DECAY = 0.01
_EVALUATIONS = 10


class Team(Protocol):
    """The processes that train one model together, each with a part of every batch."""

    @property
    def rank(self) -> int:
        """Which of them this is; number 0 evaluates and reports."""

    @property
    def size(self) -> int:
        """How many there are."""

    def sum_gradients(self, model: Any) -> None:
        """Give each of them the sum of all their gradients."""


class Alone:
    """A team of one."""

    rank = 0
    size = 1

    def sum_gradients(self, model: Any) -> None:
        """There is nobody else."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to learn from and how.

    ``evaluate`` gives a score in [0, 1] of a model, for choosing among checkpoints; without it
    the last weights count. ``seed`` decides the order of the batches, and what drops out.
    """

    windows: Sequence[LabelledPieces]
    pad_id: int
    learning_rate: float
    epochs: int
    min_steps: int
    batch_tokens: int
    device: Device
    seed: int
    evaluate: Callable[[Any], float] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in which every window is seen once."""
        lengths = [len(window.pieces) for window in self.windows]
        return len(length_buckets(lengths, self.batch_tokens))

    @property
    def steps(self) -> int:
        """Optimiser steps: all epochs, or the minimum, as few labels make few steps an epoch."""
        return max(self.min_steps, self.epochs * self.steps_per_epoch)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training went: the step whose weights were kept, and their score, if any was taken."""

    steps: int
    best_step: int
    score: float | None


def fine_tune(
    model: Any, plan: TrainingPlan, progress: Progress, team: Team | None = None
) -> Outcome:
    """Train ``model`` in place: AdamW (Loshchilov & Hutter, 2019), warm-up, linear decay.

    Ends with the weights of the best of ten evaluations, the latest among equals. A batch that
    does not fit into memory is computed in halves, which changes no result but the rounding.
    """
    team = team or Alone()
    steps = plan.steps
    worker = _Worker(model, plan, team)
    best = _BestWeights(model, plan.evaluate if team.rank == 0 else None)
    batches = endless_batches(plan.windows, plan.batch_tokens, np.random.default_rng(plan.seed))
    model.train()
    for step in range(1, steps + 1):
        worker.step(next(batches))
        progress(step, steps, "steps")
        if step % max(1, steps // _EVALUATIONS) == 0 or step == steps:
            best.look(step)
    best.restore()
    model.eval()
    return Outcome(steps, best.step or steps, best.score)


class _Worker:
    """Takes optimiser steps."""

    def __init__(self, model: Any, plan: TrainingPlan, team: Team) -> None:
        self._model = model
        self._plan = plan
        self._team = team
        self._device = plan.device
        self._limit = BatchLimit(plan.batch_tokens)
        self._scaler = self._device.gradient_scaler()
        self._optimizer = torch.optim.AdamW(
            _parameter_groups(model), lr=plan.learning_rate, fused=True
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, _warm_up_then_decay(plan.steps)
        )

    def step(self, batch: Sequence[LabelledPieces]) -> None:
        """One step on the batch, of which this process computes its part."""
        labelled = sum(label != IGNORED for window in batch for label in window.labels)
        own = batch[self._team.rank :: self._team.size]
        lengths = [len(window.pieces) for window in own]

        def add_up(parts: list[list[int]]) -> None:
            self._optimizer.zero_grad(set_to_none=True)
            for part in parts:
                loss = self._summed_loss([own[row] for row in part]) / max(1, labelled)
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

        fitting(add_up, lengths, self._limit)
        self._team.sum_gradients(self._model)
        self._scaler.unscale_(self._optimizer)
        weights = [weight for weight in self._model.parameters() if weight.requires_grad]
        torch.nn.utils.clip_grad_norm_(weights, _CLIP)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()

    def _summed_loss(self, rows: Sequence[LabelledPieces]) -> torch.Tensor:
        """Cross entropy, summed over the labelled pieces."""
        width_step = self._device.width_step
        pieces = [window.pieces for window in rows]
        inputs = model_inputs(self._model, pieces, self._plan.pad_id, width_step)
        labels = padded([window.labels for window in rows], IGNORED, width_step)  # (B, T)
        with self._device.autocast():
            logits = self._model(**inputs).logits  # (B, T, n_tags)
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1),
            torch.tensor(labels, device=logits.device).flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        )


class _BestWeights:
    """Remembers the trained weights that ``evaluate`` liked best, in main memory."""

    def __init__(self, model: Any, evaluate: Callable[[Any], float] | None) -> None:
        self._model = model
        self._evaluate = evaluate
        self._weights: list[torch.Tensor] = []
        self.score: float | None = None
        self.step = 0

    def look(self, step: int) -> None:
        if self._evaluate is None:
            return
        self._model.eval()
        score = self._evaluate(self._model)
        self._model.train()
        if self.score is None or score >= self.score:
            self.score, self.step = score, step
            self._weights = [weight.detach().cpu().clone() for weight in self._trained()]

    def restore(self) -> None:
        with torch.no_grad():
            for weight, kept in zip(self._trained(), self._weights, strict=False):
                weight.copy_(kept)

    def _trained(self) -> Iterator[torch.nn.Parameter]:
        return (weight for weight in self._model.parameters() if weight.requires_grad)


def _parameter_groups(model: Any) -> list[dict[str, Any]]:
    """Weight decay for matrices; none for biases and normalisation, which are vectors."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": _WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def _warm_up_then_decay(steps: int) -> Callable[[int], float]:
    warm_up = max(1, round(_WARM_UP * steps))

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return max(0.0, (steps - step) / max(1, steps - warm_up))

    return factor


def endless_batches(
    windows: Sequence[LabelledPieces], batch_tokens: int, rng: np.random.Generator
) -> Iterator[list[LabelledPieces]]:
    """Batches of similar length, epoch after epoch, dealt and ordered anew in each."""
    while True:
        order = rng.permutation(len(windows))
        lengths = [len(windows[position].pieces) for position in order]
        batches = length_buckets(lengths, batch_tokens)
        for chosen in rng.permutation(len(batches)):
            yield [windows[int(order[position])] for position in batches[chosen]]
