"""How well a GPU is used: fine-tuning and tagging in a shape like XLM-R-base with random weights.

Everything is harambee's own code path: its batches, its steps, its tagger. Beside it a plain large
matrix product is measured in the same run, as the rate that the card reaches in bfloat16; the share
of it is the model's floating point operations (``Shape.flops_per_piece``; three forward passes'
worth for a training step) by the time they took. Padding does not count as work done. For cards
whose maker states a rate, the share of that is given too; nothing reaches it. Memory is what torch
had allocated at most, weights and the optimiser's state included.

Without a CUDA device this says so and ends well. ``--toy`` runs a tiny shape on the CPU, which
tests that everything but the card works; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import gc
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from harness import Arm, compare, report
from transformer_parts import SCHEME, Shape, examples, minilm

from backend.settings import TaggerSettings
from backend.tagger.batching import length_buckets
from backend.tagger.devices import Device, find_device
from backend.tagger.encoding import IGNORED, LabelledPieces, WordEncoder
from backend.tagger.pretrained import quiet, read_base
from backend.tagger.teams import train_in_form
from backend.tagger.training import TrainingPlan
from backend.tagger.transformer_tagger import TransformerTagger
from backend.tagger.variants import Form
from backend.text.bio import tag_names
from backend.text.tokens import tokenise

STATED = {
    "H200 NVL": 836e12,
    "H200": 989e12,
    "H100 80GB HBM3": 989e12,
    "H100 PCIe": 756e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
}
"""Floating point operations a second in dense bfloat16, from NVIDIA's data sheets, by words of the
card's name; of several that fit, the first."""

N_TAGS = len(tag_names(SCHEME.labels))
TRAINING_PASSES = 3  # forward, and twice that backward


@dataclass(frozen=True)
class Size:
    """How much to measure."""

    shape: Shape
    rows: int
    batches: tuple[int, ...]  # pieces in a training batch
    warm_up: int  # steps that are not measured
    steps: int
    texts: int
    matrix: int
    repeats: int


CARD = Size(
    Shape("XLM-R-base", hidden=768, layers=12, heads=12),
    rows=4000,
    batches=(512, 2048, 8192, 32768),
    warm_up=10,
    steps=50,
    texts=8192,
    matrix=8192,
    repeats=3,
)
TOY = Size(
    Shape("toy", hidden=32, layers=2, heads=2, vocabulary=30_522),
    rows=60,
    batches=(256, 512),
    warm_up=1,
    steps=3,
    texts=16,
    matrix=128,
    repeats=1,
)


def random_rows(size: Size, rng: np.random.Generator) -> list[LabelledPieces]:
    """As long as sentences are: log-normal, median 45 pieces; every second piece is labelled."""
    lengths = np.clip(rng.lognormal(np.log(45), 0.5, size.rows), 8, 256).astype(int)
    rows = []
    for length in lengths:
        labels = rng.integers(0, N_TAGS, length)
        labels[1::2] = IGNORED
        pieces = rng.integers(5, size.shape.vocabulary, length)
        rows.append(LabelledPieces(pieces.tolist(), labels.tolist()))
    return rows


class Clock:
    """Seconds between two steps of a training, all queued work included."""

    def __init__(self, device: Device, first: int, last: int) -> None:
        self._device = device
        self._steps = {first: 0.0, last: 0.0}

    def __call__(self, done: int, total: int, what: str = "") -> None:
        if done in self._steps:
            synchronise(self._device)
            self._steps[done] = time.perf_counter()

    @property
    def seconds_per_step(self) -> float:
        (first, start), (last, end) = self._steps.items()
        return (end - start) / (last - first)


def synchronise(device: Device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def forget_memory(device: Device) -> None:
    """Let go of earlier models, so that the peak that is read next is the next one's own."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def stated_rate(name: str) -> float | None:
    """The rate that the maker of a card states, ``None`` for one that is not in the table."""
    fitting = (rate for part, rate in STATED.items() if re.search(rf"\b{part}\b", name))
    return next(fitting, None)


def matrix_rate(size: Size, device: Device) -> float:
    """Floating point operations a second of a plain product of two square matrices."""
    left, right = (
        torch.randn(size.matrix, size.matrix, device=device.type, dtype=device.dtype)
        for _ in range(2)
    )
    best = float("inf")
    for _ in range(10 * size.repeats):
        synchronise(device)
        start = time.perf_counter()
        torch.mm(left, right)
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size.matrix**3 / best


def training(
    size: Size, device: Device, rows: Sequence[LabelledPieces], batch_tokens: int
) -> dict[str, float]:
    """Step time in seconds, pieces a second and memory of fine-tuning every weight."""
    torch.manual_seed(0)
    lengths = [len(row.pieces) for row in rows]
    an_epoch = len(length_buckets(lengths, batch_tokens))
    # Whole epochs where there is time for one, so that the mean batch is what was measured.
    steps = math.ceil(size.steps / an_epoch) * an_epoch if an_epoch <= size.steps else size.steps
    forget_memory(device)
    model = size.shape.model(N_TAGS).to(device.type)
    first = (
        math.ceil(size.warm_up / an_epoch) * an_epoch if an_epoch <= size.steps else size.warm_up
    )
    clock = Clock(device, first, first + steps)
    plan = TrainingPlan(
        windows=rows,
        pad_id=1,
        learning_rate=1e-5,
        epochs=0,
        min_steps=first + steps,
        batch_tokens=batch_tokens,
        device=device,
        seed=0,
    )
    form = Form("full", frozenset(), unknown=3)
    train_in_form(model, plan, form, clock)
    pieces = sum(lengths) / an_epoch  # of a step, on the mean
    flops = sum(TRAINING_PASSES * size.shape.flops_per_piece(n) * n for n in lengths)
    seconds = clock.seconds_per_step
    return {
        "batch_tokens": batch_tokens,
        "step_seconds": seconds,
        "pieces_per_second": pieces / seconds,
        "flops_per_second": flops / an_epoch / seconds,
        "gigabytes": torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0,
    }


def tagging(size: Size, device: Device) -> dict[str, float]:
    """Texts and pieces a second of tagging a pool, tokenising and decoding included."""
    torch.manual_seed(0)
    _, encoder = read_base(str(minilm()), SCHEME.labels, 256, device)
    model: Any = size.shape.model(N_TAGS).to(device.type).eval()
    tagger = TransformerTagger(model, encoder, SCHEME.labels, device)
    _, found = examples("zul", size.texts)
    texts = [example.text for example in found]
    tagger.tag(texts[: size.texts // 4])
    synchronise(device)
    start = time.perf_counter()
    tagger.tag(texts)
    seconds = time.perf_counter() - start
    widths = window_lengths(texts, encoder)
    flops = sum(size.shape.flops_per_piece(width) * width for width in widths)
    return {
        "texts_per_second": len(texts) / seconds,
        "pieces_per_second": sum(widths) / seconds,
        "flops_per_second": flops / seconds,
    }


def window_lengths(texts: Sequence[str], encoder: WordEncoder) -> list[int]:
    return [len(window.pieces) for text in texts for window in encoder.encode(text, tokenise(text))]


def shares(measured: dict[str, float], rate: float, stated: float | None) -> dict[str, float]:
    """Of the rate that was measured, and of the stated one where there is one."""
    found = {"share": measured["flops_per_second"] / rate}
    if stated:
        found["share_of_stated"] = measured["flops_per_second"] / stated
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toy", action="store_true", help="a tiny shape on the CPU")
    arguments = parser.parse_args()
    if not arguments.toy and not torch.cuda.is_available():
        print("gpu: skipped, torch finds no CUDA device here (--toy runs it on the CPU)")
        return
    quiet()
    size = TOY if arguments.toy else CARD
    device = find_device(TaggerSettings(device="cpu" if arguments.toy else "cuda"))
    exact = Device(device.type, device.name)
    rows = random_rows(size, np.random.default_rng(0))
    rate = matrix_rate(size, device)
    print(f"{device.describe()}, torch {torch.__version__}")
    stated = stated_rate(device.name) if device.dtype is torch.bfloat16 else None
    share = f", {rate / stated:.0%} of the stated rate" if stated else ""
    product = f"{size.matrix} x {size.matrix}, {str(device.dtype).removeprefix('torch.')}"
    print(f"plain product of {product}: {rate / 1e12:.4g} TFLOP/s{share}")

    measured = [training(size, device, rows, batch) for batch in size.batches]
    for each in measured:
        print(
            f"training {size.shape.name}, {each['batch_tokens']:>6} pieces a batch: "
            f"{1000 * each['step_seconds']:8.2f} ms a step, "
            f"{each['pieces_per_second']:10.0f} pieces/s, "
            f"{each['flops_per_second'] / rate:6.1%} of the rate, {each['gigabytes']:.1f} GB"
        )
    tagged = tagging(size, device)
    print(
        f"tagging: {tagged['texts_per_second']:.0f} texts/s, "
        f"{tagged['pieces_per_second']:.0f} pieces/s, {tagged['flops_per_second'] / rate:.1%}"
    )
    largest = size.batches[-1]
    comparison = compare(
        "gpu",
        Arm("float32 step", lambda: training(size, exact, rows, largest)["step_seconds"]),
        Arm("lowered step", lambda: training(size, device, rows, largest)["step_seconds"]),
        repeats=size.repeats,
    )
    report(
        comparison,
        device=device.describe(),
        torch=torch.__version__,
        shape=size.shape.name,
        toy=arguments.toy,
        matrix_flops_per_second=rate,
        stated_flops_per_second=stated,
        training=[each | shares(each, rate, stated) for each in measured],
        tagging=tagged | shares(tagged, rate, stated),
    )


if __name__ == "__main__":
    main()
