"""What an epoch of fine-tuning costs: harambee's loop beside ``transformers.Trainer``.

All arms learn from the same pieces and labels, starting from the same weights, in one thread. Time
is processor time, because other work on the machine should not count. ``Trainer`` runs with its
defaults, and once more with every row padded to the longest of all, as in the paper. harambee runs
as it does for a user, in batches of so many pieces that it takes about as many optimiser steps.
The second part trains a shape like XLM-R-mini (250,002 pieces, random weights)
whole, without the pieces that do not occur, with frozen embeddings, and by LoRA.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from harness import Arm, Comparison, in_turn, report, timed
from transformer_parts import SCHEME, Shape, examples, minilm, spread
from transformers import (
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from backend.domain import Example
from backend.protocols import silent
from backend.settings import TaggerSettings
from backend.tagger.batching import length_buckets
from backend.tagger.devices import Device, find_device
from backend.tagger.encoding import LabelledPieces, WordEncoder
from backend.tagger.pretrained import quiet, read_base
from backend.tagger.teams import train_in_form
from backend.tagger.training import TrainingPlan
from backend.tagger.training_set import tagged_texts
from backend.tagger.tuning import labelled_windows
from backend.tagger.variants import Form
from backend.text.bio import tag_names

BATCH_TOKENS = TaggerSettings().batch_tokens
TRAINERS_ROWS = 8  # its default
LEARNING_RATE = 5e-5  # its default
XLM_R_MINI = Shape("XLM-R-mini", hidden=384, layers=12, heads=12)
SMALL_PIECES = 30_522


class Bench:
    """Rows to learn from, a model to start from, and one epoch in several ways."""

    def __init__(
        self,
        windows: Sequence[LabelledPieces],
        encoder: WordEncoder,
        new_model: Callable[[], Any],
        device: Device,
    ) -> None:
        self.windows = windows
        self.losses: dict[str, float] = {}
        self._encoder = encoder
        self._new_model = new_model
        self._device = device
        self._model: Any = None
        self._untrained = 0.0

    @property
    def longest(self) -> int:
        return max(len(window.pieces) for window in self.windows)

    def steps(self, batch_tokens: int) -> int:
        return len(length_buckets([len(w.pieces) for w in self.windows], batch_tokens))

    def arm(self, name: str, epoch: Callable[[Any], object]) -> Arm:
        """One epoch on a fresh model; that it learnt anything is checked afterwards."""

        def before() -> None:
            torch.manual_seed(0)
            self._model = self._new_model()
            self._untrained = self._mean_loss()

        def after() -> None:
            self.losses[name] = self._mean_loss()
            if not self.losses[name] < self._untrained:
                raise SystemExit(f"{name} learnt nothing: nothing to compare.")

        return Arm(name, timed(lambda: epoch(self._model), before, after, clock=time.process_time))

    def ours(self, variant: str, batch_tokens: int) -> Callable[[Any], object]:
        plan = TrainingPlan(
            windows=self.windows,
            pad_id=self._encoder.pad_id,
            learning_rate=LEARNING_RATE,
            epochs=1,
            min_steps=1,
            batch_tokens=batch_tokens,
            device=self._device,
            seed=0,
        )
        form = Form.of(variant, self.windows, self._encoder)
        return lambda model: train_in_form(model, plan, form, silent)

    def trainers(self, padding: bool | str) -> Callable[[Any], object]:
        rows = [
            {"input_ids": w.pieces, "attention_mask": [1] * len(w.pieces), "labels": w.labels}
            for w in self.windows
        ]
        collator = DataCollatorForTokenClassification(
            self._encoder.tokenizer, padding=padding, max_length=self.longest
        )

        def epoch(model: Any) -> None:
            with tempfile.TemporaryDirectory() as folder:
                arguments = TrainingArguments(
                    output_dir=folder,
                    num_train_epochs=1,
                    use_cpu=True,
                    save_strategy="no",
                    disable_tqdm=True,
                    seed=0,
                )
                trainer = Trainer(model, arguments, collator, train_dataset=rows)
                trainer.remove_callback(PrinterCallback)
                trainer.train()

        return epoch

    @torch.no_grad()
    def _mean_loss(self) -> float:
        """On some of what is learnt."""
        self._model.eval()
        losses = [
            self._model(
                input_ids=torch.tensor([w.pieces]), labels=torch.tensor([w.labels])
            ).loss.item()
            for w in self.windows[:20]
        ]
        self._model.train()
        return sum(losses) / len(losses)


def small_bench(found: Sequence[Example], device: Device) -> Bench:
    """MiniLM, pretrained."""

    def read() -> tuple[Any, WordEncoder]:
        return read_base(str(minilm()), SCHEME.labels, TaggerSettings().max_pieces, device)

    encoder = read()[1]
    windows = labelled_windows(tagged_texts(found, SCHEME), encoder, SCHEME)
    return Bench(windows, encoder, lambda: read()[0], device)


def large_bench(found: Sequence[Example], device: Device) -> Bench:
    """Random weights in a shape with a large vocabulary, of which as much is used."""
    _, encoder = read_base(str(minilm()), SCHEME.labels, TaggerSettings().max_pieces, device)
    windows = [
        replace(w, pieces=spread(w.pieces, XLM_R_MINI.vocabulary, SMALL_PIECES))
        for w in labelled_windows(tagged_texts(found, SCHEME), encoder, SCHEME)
    ]
    n_tags = len(tag_names(SCHEME.labels))
    return Bench(windows, encoder, lambda: XLM_R_MINI.model(n_tags), device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", default="zul", help="a folder of masakhaner2")
    parser.add_argument("--sentences", type=int, default=240)
    parser.add_argument("--large-sentences", type=int, default=60, help="of the second part")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    quiet()
    torch.set_num_threads(arguments.threads)
    device = find_device(TaggerSettings(device="cpu"))
    corpus, found = examples(arguments.language, arguments.sentences)
    bench = small_bench(found, device)
    pieces = sum(len(window.pieces) for window in bench.windows)
    ours, trainer, fixed = in_turn(
        [
            bench.arm("harambee", bench.ours("trimmed", BATCH_TOKENS)),
            bench.arm("Trainer, defaults", bench.trainers(True)),
            bench.arm("Trainer, fixed padding", bench.trainers("max_length")),
        ],
        arguments.repeats,
    )
    large = large_bench(found[: arguments.large_sentences], device)
    variants = in_turn(
        [
            large.arm(f"{XLM_R_MINI.name} shape, {variant}", large.ours(variant, BATCH_TOKENS))
            for variant in ("full", "trimmed", "frozen", "lora")
        ],
        arguments.repeats,
    )
    for measured in variants:
        less = variants[0].median / measured.median
        print(f"{measured.name:28} {measured.median:7.2f} s, {less:.2f} times less than full")
    print(f"than with fixed padding: {fixed.median / ours.median:.2f} times less")
    report(
        Comparison("transformer-training", trainer, ours),
        ratio_to_fixed_padding=round(fixed.median / ours.median, 4),
        corpus=corpus,
        sentences=len(found),
        pieces=pieces,
        longest=bench.longest,
        device=device.describe(),
        steps={
            "harambee": bench.steps(BATCH_TOKENS),
            "Trainer": -(-len(bench.windows) // TRAINERS_ROWS),
        },
        loss_afterwards={name: round(loss, 4) for name, loss in bench.losses.items()},
        fixed_padding=fixed.values,
        large_shape={measured.name: measured.values for measured in variants},
    )


if __name__ == "__main__":
    main()
