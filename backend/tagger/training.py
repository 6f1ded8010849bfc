"""Fine-tuning a token classifier. Imports torch: import this module only where needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from backend.protocols import Progress
from backend.settings import TaggerSettings
from backend.tagger.encoding import IGNORED, LabelledPieces, length_buckets, padded
from backend.tagger.transformer_tagger import model_inputs

_WARM_UP = 0.1
_CLIP = 1.0
_WEIGHT_DECAY = 0.01
_EVALUATIONS = 10


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to learn from and how.

    ``evaluate`` gives a score in [0, 1] of the model as it is, for choosing among checkpoints;
    without it the last weights count.
    """

    windows: Sequence[LabelledPieces]
    pad_id: int
    settings: TaggerSettings
    evaluate: Callable[[], float] | None = None

    @property
    def steps(self) -> int:
        """Optimiser steps: all epochs, or the minimum, as few labels make few steps an epoch."""
        lengths = [len(window.pieces) for window in self.windows]
        per_epoch = len(length_buckets(lengths, self.settings.batch_tokens))
        return max(self.settings.min_steps, self.settings.epochs * per_epoch)


def fine_tune(model: Any, plan: TrainingPlan, rng: np.random.Generator, progress: Progress) -> None:
    """Train ``model`` in place: AdamW (Loshchilov & Hutter, 2019), warm-up, linear decay.

    Ends with the weights of the best of ten evaluations, the latest among equals. On a CUDA
    device it computes in bf16.
    """
    steps = plan.steps
    optimizer = torch.optim.AdamW(_parameter_groups(model), lr=plan.settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_up_then_decay(steps))
    best = _BestWeights(model, plan.evaluate)
    batches = _endless_batches(plan.windows, plan.settings.batch_tokens, rng)
    model.train()
    for step in range(1, steps + 1):
        _step(model, next(batches), plan.pad_id, optimizer)
        schedule.step()
        progress(step, steps, "steps")
        if step % max(1, steps // _EVALUATIONS) == 0 or step == steps:
            best.look()
    best.restore()
    model.eval()


class _BestWeights:
    """Remembers the weights that ``evaluate`` liked best, in main memory."""

    def __init__(self, model: Any, evaluate: Callable[[], float] | None) -> None:
        self._model = model
        self._evaluate = evaluate
        self._score = 0.0
        self._weights: dict[str, Any] = {}

    def look(self) -> None:
        if self._evaluate is None:
            return
        self._model.eval()
        score = self._evaluate()
        self._model.train()
        if score >= self._score:
            self._score = score
            state = self._model.state_dict()
            self._weights = {name: value.cpu().clone() for name, value in state.items()}

    def restore(self) -> None:
        if self._weights:
            self._model.load_state_dict(self._weights)


def _step(
    model: Any, batch: Sequence[LabelledPieces], pad_id: int, optimizer: torch.optim.Optimizer
) -> None:
    inputs = model_inputs(model, [window.pieces for window in batch], pad_id)
    rows = padded([window.labels for window in batch], filler=IGNORED)
    labels = torch.tensor(rows, device=model.device)  # (B, T)
    device = model.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        loss = model(**inputs, labels=labels).loss
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
    optimizer.step()


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


def _endless_batches(
    windows: Sequence[LabelledPieces], batch_tokens: int, rng: np.random.Generator
) -> Iterator[list[LabelledPieces]]:
    """Batches of similar length, epoch after epoch, dealt and ordered anew in each."""
    while True:
        order = rng.permutation(len(windows))
        lengths = [len(windows[position].pieces) for position in order]
        batches = length_buckets(lengths, batch_tokens)
        for chosen in rng.permutation(len(batches)):
            yield [windows[int(order[position])] for position in batches[chosen]]
