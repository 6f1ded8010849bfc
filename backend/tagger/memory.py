"""Batches that do not fit are halved and tried again. Imports torch: import only where needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
import torch

from backend.errors import ConfigurationError
from backend.tagger.batching import length_buckets

log = structlog.get_logger(__name__)

_OTHER_WORDS = ("out of memory", "can't allocate memory")  # of MPS and of the CPU's allocator

T = TypeVar("T")


class BatchLimit:
    """How many pieces, padding included, are computed at a time; falls when memory runs out."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def halve(self, parts: Sequence[Sequence[int]], lengths: Sequence[int]) -> None:
        """Make the limit smaller than the largest of the parts was.

        Raises :class:`~backend.errors.ConfigurationError` where each part was a single row.
        """
        if all(len(part) == 1 for part in parts):
            raise ConfigurationError(
                f"The device has too little memory for a single text of {max(lengths)} word "
                f"pieces with this base model. Set tagger.max_pieces lower, tagger.variant to "
                f"lora or frozen, tagger.device to cpu, or take a smaller base model."
            )
        largest = max(len(part) * max(lengths[row] for row in part) for part in parts)
        self.tokens = min(self.tokens, largest) // 2
        log.warning("out of memory: smaller batches from now on", batch_tokens=self.tokens)


def fitting(
    attempt: Callable[[list[list[int]]], T], lengths: Sequence[int], limit: BatchLimit
) -> T:
    """What ``attempt`` makes of a batch in parts that fit into memory.

    lengths: (n_rows,) of the batch's rows. ``attempt`` is given all rows, as positions in as few
    parts as the limit allows, and starts over whenever it runs out of memory.
    """
    while True:
        parts = length_buckets(lengths, limit.tokens)
        try:
            return attempt(parts)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        limit.halve(parts, lengths)  # outside of the handler, whose traceback holds tensors
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device, or the machine, had no memory left; not all of them have a class for it."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in _OTHER_WORDS
    )
