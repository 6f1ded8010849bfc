"""Transformers read from a hub or a folder. Imports torch: import this module only where needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForTokenClassification, AutoTokenizer
from transformers.utils import logging

from backend.errors import ConfigurationError, ModelStoreError
from backend.tagger.devices import Device
from backend.tagger.encoding import WordEncoder
from backend.tagger.transformer_tagger import DESCRIPTION_FILE, FORMAT, TransformerTagger
from backend.text.bio import tag_names

_RESERVED_POSITIONS = 2  # RoBERTa's positions begin behind the padding index
_DAMAGE = (OSError, ValueError, KeyError, TypeError, SafetensorError, ConfigurationError)


def quiet() -> None:
    """Keep transformers from warning of new heads, and from bars of its own."""
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def read_base(
    name: str, labels: Sequence[str], max_pieces: int, device: Device
) -> tuple[Any, WordEncoder]:
    """The base model ``name`` with a new head for the labels' tags, and its encoder.

    name: of the model hub, or of a local folder. Older base models on the hub come as pickles;
    transformers reads of those nothing but tensors. Raises
    :class:`~backend.errors.ConfigurationError` where there is no such model, or no way to it.
    """
    tags = tag_names(labels)
    try:
        model, tokenizer = _read(
            name,
            device,
            id2label=dict(enumerate(tags)),
            label2id={tag: position for position, tag in enumerate(tags)},
            ignore_mismatched_sizes=True,
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Cannot load the base model {name!r}: {error}. {_likely_cause(name)} Or set "
            f"tagger.kind to crf, which needs no base model."
        ) from error
    positions = getattr(model.config, "max_position_embeddings", None)
    longest = positions - _RESERVED_POSITIONS if positions else max_pieces
    return model, WordEncoder(tokenizer, min(max_pieces, longest))


def read_tagger(folder: Path, device: Device) -> TransformerTagger:
    """The tagger that :meth:`TransformerTagger.save` wrote.

    Reads weights from safetensors, and no network. Raises
    :class:`~backend.errors.ModelStoreError` for a folder that is not one.
    """
    try:
        about = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ModelStoreError(
                f"The transformer in {folder} has format {about['format']}, this version of "
                f"harambee reads format {FORMAT}. Train again, or install the version that "
                f"wrote it."
            )
        model, tokenizer = _read(str(folder), device, local_files_only=True, use_safetensors=True)
        encoder = WordEncoder(tokenizer, int(about["max_pieces"]))
        labels = tuple(map(str, about["labels"]))
        tagger = TransformerTagger(model, encoder, labels, device)
        tagger.about = dict(about.get("training", {}))
    except _DAMAGE as error:
        raise ModelStoreError(
            f"There is no usable transformer in {folder} ({error!r}): it is incomplete or "
            f"damaged. Train again, or restore the folder from a backup."
        ) from error
    return tagger


def _read(
    name: str, device: Device, *, local_files_only: bool = False, **options: Any
) -> tuple[Any, Any]:
    """Model in evaluation mode on the device, weights in float32; and tokeniser."""
    tokenizer = AutoTokenizer.from_pretrained(
        name, add_prefix_space=True, local_files_only=local_files_only
    )
    model = AutoModelForTokenClassification.from_pretrained(
        name, dtype=torch.float32, local_files_only=local_files_only, **options
    )
    return model.to(device.type).eval(), tokenizer


def _likely_cause(name: str) -> str:
    """What to look at first: a folder that is not there, or a hub that is not."""
    path = Path(name)
    if path.is_dir():
        return f"The folder {path} has to hold a config.json, weights and a tokenizer.json."
    if path.is_absolute() or name.startswith(("./", "../", "~")):
        return "There is no such folder: correct tagger.base_model."
    return (
        "Check the name in tagger.base_model, and that the model hub can be reached from this "
        "machine; where it cannot, download the model elsewhere and give its folder."
    )
