"""A fine-tuned token classifier at work. Imports torch: import this module only where needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForTokenClassification, AutoTokenizer

from backend.errors import ConfigurationError, ModelStoreError
from backend.protocols import FloatArray, Progress, Tagging, silent
from backend.tagger.decoding import LegalDecoder
from backend.tagger.encoding import EncodedWindow, WordEncoder, length_buckets, padded
from backend.text.bio import from_bio, tag_names
from backend.text.tokens import tokenise

KIND = "transformer"
FORMAT = 1
DESCRIPTION_FILE = "tagger.json"

_TEXTS_AT_ONCE = 512
_DAMAGE = (OSError, ValueError, KeyError, TypeError, SafetensorError, ConfigurationError)


class TransformerTagger:
    """A model of ``transformers`` with one output per tag, and the encoder it was trained with.

    ``batch_tokens`` bounds a batch, padding included.
    """

    kind = KIND

    def __init__(
        self, model: Any, encoder: WordEncoder, labels: Sequence[str], batch_tokens: int
    ) -> None:
        self._model = model
        self._encoder = encoder
        self._labels = tuple(labels)
        self._tags = tag_names(labels)
        self._decoder = LegalDecoder(self._tags)
        self._batch_tokens = batch_tokens

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """One tagging per text, in order; long texts are read in overlapping windows."""
        taggings: list[Tagging] = []
        remaining = iter(texts)
        while some := list(islice(remaining, _TEXTS_AT_ONCE)):
            taggings += self._tag_some(some)
            progress(len(taggings), len(texts), "texts")
        return taggings

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), configuration, tokeniser and our description."""
        about = {
            "format": FORMAT,
            "labels": self._labels,
            "max_pieces": self._encoder.max_pieces,
        }
        try:
            self._model.save_pretrained(folder)
            self._encoder.tokenizer.save_pretrained(folder)
        except Exception as error:  # safetensors and tokenizers raise their own kinds
            raise ModelStoreError(f"Cannot write the transformer to {folder}: {error}") from error
        content = json.dumps(about, ensure_ascii=False, indent=2)
        (folder / DESCRIPTION_FILE).write_text(content, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, batch_tokens: int) -> TransformerTagger:
        """The tagger that :meth:`save` wrote. Reads weights from safetensors, and no network.

        Raises :class:`~backend.errors.ModelStoreError` for a folder that is not one.
        """
        try:
            about = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            if about["format"] != FORMAT:
                raise ModelStoreError(
                    f"The transformer in {folder} has format {about['format']}, this version of "
                    f"harambee reads format {FORMAT}. Train again, or install the version that "
                    f"wrote it."
                )
            model, tokenizer = read_pretrained(
                str(folder), local_files_only=True, use_safetensors=True
            )
            encoder = WordEncoder(tokenizer, int(about["max_pieces"]))
            return cls(model, encoder, tuple(map(str, about["labels"])), batch_tokens)
        except _DAMAGE as error:
            raise ModelStoreError(
                f"There is no usable transformer in {folder} ({error!r}): it is incomplete or "
                f"damaged. Train again, or restore the folder from a backup."
            ) from error

    def _tag_some(self, texts: Sequence[str]) -> list[Tagging]:
        offsets = [tokenise(text) for text in texts]
        probabilities = [np.zeros((len(tokens), len(self._tags))) for tokens in offsets]
        parts = [
            (owner, encoded)
            for owner, (text, tokens) in enumerate(zip(texts, offsets, strict=True))
            for encoded in self._encoder.encode(text, tokens)
        ]
        for (owner, encoded), rows in self._predict(parts):
            window = encoded.window
            probabilities[owner][window.keep_start : window.keep_stop] = rows[window.kept]
        taggings = []
        for tokens, table in zip(offsets, probabilities, strict=True):
            best = self._decoder.decode(table)
            scores = [table[token, tag] for token, tag in enumerate(best)]
            spans = from_bio(tokens, [self._tags[tag] for tag in best], scores)
            taggings.append(Tagging(tuple(spans), table))
        return taggings

    @torch.inference_mode()
    def _predict(
        self, parts: Sequence[tuple[int, EncodedWindow]]
    ) -> Iterator[tuple[tuple[int, EncodedWindow], FloatArray]]:
        """Each part with the probabilities (n_words, n_tags) of its words."""
        lengths = [len(encoded.pieces) for _, encoded in parts]
        for batch in length_buckets(lengths, self._batch_tokens):
            rows = [parts[position][1].pieces for position in batch]
            logits = self._model(**model_inputs(self._model, rows, self._encoder.pad_id)).logits
            table = logits.double().softmax(dim=-1).cpu().numpy()  # (B, T, n_tags)
            for row, position in enumerate(batch):
                yield parts[position], table[row, parts[position][1].firsts]


def read_pretrained(
    name: str, *, local_files_only: bool = False, **options: Any
) -> tuple[Any, Any]:
    """Model (in evaluation mode, on the GPU if there is one) and tokeniser.

    name: of a hub, or a local folder. Older base models on the hub come as pickles; transformers
    reads of those nothing but tensors. Raises ``OSError`` or ``ValueError`` where there is none.
    """
    tokenizer = AutoTokenizer.from_pretrained(
        name, add_prefix_space=True, local_files_only=local_files_only
    )
    model = AutoModelForTokenClassification.from_pretrained(
        name,
        dtype=torch.float32,
        local_files_only=local_files_only,
        **options,
    )
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def model_inputs(model: Any, rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Any]:
    """``input_ids`` and ``attention_mask``, both (B, T), on the model's device."""
    mask = padded([[1] * len(row) for row in rows], filler=0)
    return {
        "input_ids": torch.tensor(padded(rows, filler=pad_id), device=model.device),
        "attention_mask": torch.tensor(mask, device=model.device),
    }
