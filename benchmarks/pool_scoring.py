"""Scoring a pool of texts: harambee's tagger beside ``transformers.pipeline``, one text at a time.

Both arms use one model, fine-tuned here for a moment, and one thread; one at a time is how the
reference backend of Label Studio uses the pipeline. The confidence of a text is the mean over its
words of the probability of the likeliest tag of the word's first piece. Beside the time it is
measured how much the order of the pool depends on the arm, and on the precision alone. Time is
processor time, because other work on the machine should not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from harness import Arm, compare, report, timed
from transformer_parts import SCHEME, examples, minilm, spearman
from transformers import pipeline

from backend.protocols import Tagging
from backend.settings import TaggerSettings
from backend.tagger.devices import Device, find_device
from backend.tagger.pretrained import quiet
from backend.tagger.transformer import TransformerFamily
from backend.tagger.transformer_tagger import TransformerTagger
from backend.text.tokens import tokenise


def with_precision(tagger: TransformerTagger, device: Device) -> TransformerTagger:
    return TransformerTagger(tagger.model, tagger.encoder, tagger.labels, device)


def of_taggings(taggings: Sequence[Tagging]) -> list[float]:
    return [float(tagging.probabilities.max(axis=1).mean()) for tagging in taggings]


def of_pieces(text: str, pieces: Sequence[dict[str, Any]]) -> float:
    """From the pipeline's pieces: those that begin one of our words."""
    scores = {piece["start"]: piece["score"] for piece in reversed(pieces)}
    found = [scores[start] for start, _ in tokenise(text) if start in scores]
    return float(np.mean(found)) if found else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", default="zul", help="a folder of masakhaner2")
    parser.add_argument("--training", type=int, default=150, help="sentences to train on")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--pool", type=int, default=400, help="sentences to score")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    quiet()
    corpus, found = examples(arguments.language, arguments.training + arguments.pool)
    training, texts = (
        found[: arguments.training],
        [example.text for example in found[arguments.training :]],
    )
    settings = TaggerSettings(
        base_model=str(minilm()),
        device="cpu",
        learning_rate=5e-4,
        epochs=1,
        min_steps=arguments.steps,
        threads=arguments.threads,
    )
    family = TransformerFamily(settings)
    tagger = family.train(training, SCHEME, np.random.default_rng(0))
    device = find_device(settings)
    exact = with_precision(tagger, Device("cpu", device.name, torch.float32))
    one_by_one = pipeline(
        "token-classification",
        model=tagger.model,
        tokenizer=tagger.encoder.tokenizer,
        ignore_labels=[],
        device="cpu",
    )

    confidences: dict[str, list[float]] = {}

    def score_singly() -> None:
        confidences["pipeline"] = [of_pieces(text, one_by_one(text)) for text in texts]

    def score_together() -> None:
        confidences["harambee"] = of_taggings(tagger.tag(texts))

    comparison = compare(
        "pool-scoring",
        Arm("pipeline, one at a time", timed(score_singly, clock=time.process_time)),
        Arm("harambee", timed(score_together, clock=time.process_time)),
        repeats=arguments.repeats,
    )
    in_float32 = of_taggings(exact.tag(texts))
    ours = confidences["harambee"]
    correlation = spearman(ours, in_float32)
    with_pipeline = spearman(ours, confidences["pipeline"])
    print(f"rank correlation with float32 {correlation:.5f}, with pipeline {with_pipeline:.5f}")
    report(
        comparison,
        corpus=corpus,
        sentences=len(texts),
        device=device.describe(),
        sentences_per_second=round(len(texts) / comparison.candidate.median, 1),
        baseline_sentences_per_second=round(len(texts) / comparison.baseline.median, 1),
        rank_correlation=round(correlation, 5),
        rank_correlation_with_pipeline=round(with_pipeline, 5),
        rank_correlation_of_pipeline_with_float32=round(
            spearman(confidences["pipeline"], in_float32), 5
        ),
    )


if __name__ == "__main__":
    main()
