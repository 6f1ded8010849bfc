"""Cheaper ways to fine-tune, each ending in the same kind of model. Imports torch.

=========== ====================================================================================
full        every weight is trained.
trimmed     every weight that the texts touch is trained: while training, the table of word pieces
            holds only the rows of pieces that occur. A row that is never looked up has no
            gradient, so this differs from ``full`` by the weight decay of unused rows alone, and a
            vocabulary of 250,000 costs no more than one of 5,000. Afterwards the rows go back into
            the whole table, so pieces never seen keep what they were pretrained to.
frozen      word pieces, positions and whatever else embeds stay as pretrained.
lora        low-rank updates of the matrices (Hu et al., 2022) and the head; least memory. They are
            merged into the matrices at the end.
=========== ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from backend.errors import MissingExtraError
from backend.tagger.encoding import LabelledPieces, WordEncoder

_LORA_RANK = 16
_LORA_ALPHA = 32
_LORA_DROPOUT = 0.05


@dataclass(frozen=True, slots=True)
class Form:
    """How to train: the variant, and for a trimmed table which pieces occur.

    ``unknown`` stands in for any other piece while the table is trimmed.
    """

    variant: str
    pieces: frozenset[int]
    unknown: int

    @classmethod
    def of(cls, variant: str, windows: Iterable[LabelledPieces], encoder: WordEncoder) -> Form:
        """With the pieces of these windows."""
        pieces = {piece for window in windows for piece in window.pieces}
        return cls(variant, frozenset({*pieces, encoder.pad_id}), encoder.unknown_id)


@contextmanager
def training_form(model: Any, form: Form) -> Iterator[None]:
    """Inside, ``model`` (of transformers) trains in that form; then it is an ordinary one again."""
    undo = _take_form(model, form)
    try:
        yield
    finally:
        undo()


class TrimmedEmbedding(torch.nn.Module):
    """Looks like the whole table of embeddings, and holds only some of its rows."""

    rows: torch.Tensor

    def __init__(self, whole: torch.nn.Embedding, kept: Set[int], unknown: int) -> None:
        super().__init__()
        device = whole.weight.device
        self.kept = torch.tensor(sorted({*kept, unknown}), device=device)  # (n_kept,)
        self.weight = torch.nn.Parameter(whole.weight.detach()[self.kept].clone())
        rows = torch.full((whole.num_embeddings,), -1, device=device)  # piece -> row
        rows[self.kept] = torch.arange(len(self.kept), device=device)
        self.register_buffer("rows", torch.where(rows < 0, rows[unknown], rows), persistent=False)
        pad = whole.padding_idx
        self._pad = int(self.rows[pad]) if pad is not None and pad in kept else None

    def forward(self, pieces: torch.Tensor) -> torch.Tensor:
        """(..., width) of the pieces, each the row it has in the whole table."""
        found = self.rows[pieces]
        return torch.nn.functional.embedding(found, self.weight, padding_idx=self._pad)


def _take_form(model: Any, form: Form) -> Callable[[], None]:
    """Prepare the model; what is returned takes the preparation back."""
    if form.variant == "frozen":
        return _frozen(model)
    if form.variant == "trimmed":
        return _trimmed(model, form)
    if form.variant == "lora":
        return _lora(model)
    return lambda: None


def _frozen(model: Any) -> Callable[[], None]:
    embeddings = getattr(model.base_model, "embeddings", model.get_input_embeddings())
    frozen = [weight for weight in embeddings.parameters() if weight.requires_grad]

    def allow(training: bool) -> None:
        for weight in frozen:
            weight.requires_grad_(training)

    allow(False)
    return lambda: allow(True)


def _trimmed(model: Any, form: Form) -> Callable[[], None]:
    whole = model.get_input_embeddings()
    if type(whole) is not torch.nn.Embedding:  # a table with ways of its own is left whole
        return lambda: None
    trimmed = TrimmedEmbedding(whole, form.pieces, form.unknown)
    model.set_input_embeddings(trimmed)

    def restore() -> None:
        with torch.no_grad():
            whole.weight[trimmed.kept] = trimmed.weight
        model.set_input_embeddings(whole)

    return restore


def _lora(model: Any) -> Callable[[], None]:
    if find_spec("peft") is None:
        raise MissingExtraError("The lora variant of a transformer tagger", "tagger")
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - slow to import

    inside = {id(module) for module in model.base_model.modules()}
    matrices = [
        name
        for name, module in model.named_modules()
        if id(module) in inside and isinstance(module, torch.nn.Linear)
    ]
    encoder = {id(weight) for weight in model.base_model.parameters()}
    head = [weight for weight in model.parameters() if id(weight) not in encoder]
    config = LoraConfig(
        r=_LORA_RANK,
        lora_alpha=_LORA_ALPHA,
        lora_dropout=_LORA_DROPOUT,
        target_modules=matrices,
    )
    adapted = get_peft_model(model, config)
    for weight in head:
        weight.requires_grad_(True)

    def merge() -> None:
        adapted.merge_and_unload()
        model.requires_grad_(True)

    return merge
