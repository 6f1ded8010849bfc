"""Pretrained transformers as taggers: token classification with ``transformers``.

torch and transformers are an extra and are imported when a tagger is trained or loaded, never
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog

from backend.domain import Example, LabelScheme
from backend.errors import MissingExtraError
from backend.protocols import Progress, Tagger, silent
from backend.settings import TaggerSettings
from backend.tagger.training_set import tagged_texts

if TYPE_CHECKING:
    from backend.tagger.devices import Device
    from backend.tagger.transformer_tagger import TransformerTagger

KIND = "transformer"

log = structlog.get_logger(__name__)


class TransformerFamily:
    """Fine-tunes ``settings.base_model``, a name on a model hub or a local folder."""

    kind = KIND

    def __init__(self, settings: TaggerSettings) -> None:
        self._settings = settings

    def train(
        self,
        examples: Sequence[Example],
        scheme: LabelScheme,
        rng: np.random.Generator,
        progress: Progress = silent,
        start: Tagger | None = None,
    ) -> TransformerTagger:
        """Fine-tune the base model, or go on with ``start`` where that fits and does better.

        Learning rate, start and number of steps are those that did best on a dev part of
        ``examples`` (:mod:`backend.tagger.search`); which they were is logged and saved with the
        tagger. ``start`` itself is not changed. Raises
        :class:`~backend.errors.ConfigurationError` for a base model that cannot be had.
        """
        device = self._device()
        from backend.tagger.tuning import Tuning  # noqa: PLC0415 - needs torch

        tuning = Tuning(self._settings, device, tagged_texts(examples, scheme), scheme, rng)
        tagger = tuning.run(start, progress)
        chosen = tagger.about["chosen"]
        log.info("transformer trained", **{**chosen, "trials": len(tagger.about["trials"])})
        return tagger

    def load(self, folder: Path) -> TransformerTagger:
        """The tagger in ``folder``, which :meth:`TransformerTagger.save` wrote; needs no network.

        Weights are read from safetensors only.
        """
        device = self._device()
        from backend.tagger.pretrained import read_tagger  # noqa: PLC0415 - needs torch

        return read_tagger(folder, device)

    def _device(self) -> Device:
        """Make torch ready and say what to compute on, or say how to install it."""
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtraError("A transformer tagger", "tagger")
        import torch  # noqa: PLC0415 - an extra

        from backend.tagger.devices import find_device  # noqa: PLC0415 - needs torch
        from backend.tagger.pretrained import quiet  # noqa: PLC0415

        torch.set_num_threads(self._settings.threads)
        quiet()
        return find_device(self._settings)
