"""A fine-tuned token classifier at work. Imports torch: import this module only where needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.errors import ModelStoreError
from backend.protocols import FloatArray, Progress, Tagging, silent
from backend.tagger.batching import equal_width_batches, padded, width_of
from backend.tagger.devices import Device
from backend.tagger.encoding import EncodedWindow, WordEncoder
from backend.tagger.memory import BatchLimit, fitting
from backend.text.bio import from_bio, tag_names
from backend.text.decoding import LegalDecoder
from backend.text.tokens import tokenise

KIND = "transformer"
FORMAT = 1
DESCRIPTION_FILE = "tagger.json"

_TEXTS_AT_ONCE = 512


class TransformerTagger:
    """A model of ``transformers`` with one output per tag, and the encoder it was trained with.

    ``about`` says how it was trained, as JSON:
    see :meth:`backend.tagger.search.Choice.about`.
    """

    kind = KIND

    def __init__(
        self,
        model: Any,
        encoder: WordEncoder,
        labels: Sequence[str],
        device: Device,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.labels = tuple(labels)
        self.about: Mapping[str, Any] = {}
        self._tags = tag_names(labels)
        self._decoder = LegalDecoder(self._tags)
        self._limit = BatchLimit(device.tagging_tokens)
        self._device = device

    @property
    def history(self) -> Mapping[str, object]:
        """What was tried and chosen, for the manifest of its version."""
        return {"transformer": dict(self.about)}

    @property
    def remark(self) -> str:
        """The choice in a line, for the report of the round."""
        if not self.about:
            return "nothing is known of its training"
        chosen, trials = self.about["chosen"], len(self.about["trials"])
        score = chosen["dev_f1"]
        measured = "not measured on dev" if score is None else f"dev F1 {score:.3f}"
        return (
            f"learning rate {chosen['learning_rate']:g} from {chosen['start']}, {measured}, "
            f"best of {trials}"
        )

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """One tagging per text, in order; long texts are read in overlapping windows."""
        return self._tag(self.model, texts, progress)

    def sample(
        self,
        texts: Sequence[str],
        passes: int,
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> list[list[Tagging]]:
        """What ``passes`` random thinned-out models say: dropout stays on (Gal & Ghahramani, 2016).

        One list per pass, with one tagging per text; a committee for BALD (Houlsby et al., 2011).
        The tagger itself is not changed, so others may use it meanwhile.
        """
        doubtful = _sharing_weights(self.model).train()
        members = []
        devices = [torch.cuda.current_device()] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # dropout draws from torch's global generator
            torch.manual_seed(int(rng.integers(2**31)))
            for done in range(passes):
                members.append(self._tag(doubtful, texts, silent))
                progress(done + 1, passes, "passes with dropout")
        return members

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), configuration, tokeniser and our description."""
        about = {
            "format": FORMAT,
            "labels": self.labels,
            "max_pieces": self.encoder.max_pieces,
            "training": dict(self.about),
        }
        try:
            self.model.save_pretrained(folder)
            self.encoder.tokenizer.save_pretrained(folder)
        except Exception as error:  # safetensors and tokenizers raise their own kinds
            raise ModelStoreError(f"Cannot write the transformer to {folder}: {error}") from error
        content = json.dumps(about, ensure_ascii=False, indent=2)
        (folder / DESCRIPTION_FILE).write_text(content, encoding="utf-8")

    def _tag(self, model: Any, texts: Sequence[str], progress: Progress) -> list[Tagging]:
        taggings: list[Tagging] = []
        remaining = iter(texts)
        with torch.inference_mode(), self._device.autocast():  # casts each weight once
            while some := list(islice(remaining, _TEXTS_AT_ONCE)):
                taggings += self._tag_some(model, some)
                progress(len(taggings), len(texts), "texts")
        return taggings

    def _tag_some(self, model: Any, texts: Sequence[str]) -> list[Tagging]:
        offsets = [tokenise(text) for text in texts]
        probabilities = [np.zeros((len(tokens), len(self._tags))) for tokens in offsets]
        parts = [
            (owner, encoded)
            for owner, (text, tokens) in enumerate(zip(texts, offsets, strict=True))
            for encoded in self.encoder.encode(text, tokens)
        ]
        for (owner, encoded), rows in self._predict(model, parts):
            window = encoded.window
            probabilities[owner][window.keep_start : window.keep_stop] = rows[window.kept]
        taggings = []
        for tokens, table in zip(offsets, probabilities, strict=True):
            best = self._decoder.decode(table)
            scores = table[np.arange(len(best)), best].tolist()
            spans = from_bio(tokens, [self._tags[tag] for tag in best], scores)
            taggings.append(Tagging(tuple(spans), table))
        return taggings

    def _predict(
        self, model: Any, parts: Sequence[tuple[int, EncodedWindow]]
    ) -> Iterator[tuple[tuple[int, EncodedWindow], FloatArray]]:
        """Each part with the probabilities (n_words, n_tags) of its words."""
        lengths = [len(encoded.pieces) for _, encoded in parts]
        for batch in equal_width_batches(lengths, self._limit.tokens):
            rows = [parts[position][1].pieces for position in batch]
            table = self._batch(model, rows)  # (B, T, n_tags)
            for row, position in enumerate(batch):
                yield parts[position], table[row, parts[position][1].firsts]

    def _batch(self, model: Any, rows: Sequence[list[int]]) -> FloatArray:
        """Probabilities (B, T, n_tags) of rows of one width."""
        width = width_of(max(map(len, rows)))

        def compute(parts: list[list[int]]) -> FloatArray:
            tables = []
            for part in parts:
                pieces = [rows[row] for row in part]
                inputs = model_inputs(model, pieces, self.encoder.pad_id, width)
                logits = model(**inputs).logits
                tables.append(logits.cpu().double().softmax(dim=-1).numpy())  # MPS has no double
            return np.concatenate(tables)

        return fitting(compute, [width] * len(rows), self._limit)


def model_inputs(
    model: Any, rows: Sequence[Sequence[int]], pad_id: int, width_step: int = 1
) -> dict[str, Any]:
    """``input_ids`` and ``attention_mask``, both (B, T), on the model's device."""
    mask = padded([[1] * len(row) for row in rows], 0, width_step)
    return {
        "input_ids": torch.tensor(padded(rows, pad_id, width_step), device=model.device),
        "attention_mask": torch.tensor(mask, device=model.device),
    }


def _sharing_weights(model: Any) -> Any:
    """A model that can be switched to training by itself, without a copy of the weights."""
    tensors = [*model.parameters(), *model.buffers()]
    return deepcopy(model, {id(tensor): tensor for tensor in tensors})
