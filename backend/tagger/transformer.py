"""Pretrained transformers as taggers: token classification with ``transformers``.

torch and transformers are an extra and are imported when a tagger is trained or loaded, never
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.domain import Example, LabelScheme
from backend.errors import ConfigurationError, MissingExtraError
from backend.protocols import Progress, silent
from backend.quality.span_f1 import span_scores
from backend.settings import TaggerSettings
from backend.tagger.encoding import LabelledPieces, WordEncoder
from backend.tagger.training_set import TaggedText, tagged_texts
from backend.text.bio import OUTSIDE, from_bio, tag_names

if TYPE_CHECKING:
    from backend.tagger.transformer_tagger import TransformerTagger

KIND = "transformer"

_DEV_SHARE = 0.15
_MIN_DEV_TEXTS = 2
_RESERVED_POSITIONS = 2  # RoBERTa's positions begin behind the padding index


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
    ) -> TransformerTagger:
        """Fine-tune the base model; the best of ten checkpoints on a dev split is kept.

        The split is drawn from ``examples`` with ``rng``; where they are too few for one, the
        last weights count. Raises :class:`~backend.errors.ConfigurationError` for a base model
        that cannot be had.
        """
        self._prepare_torch()
        import torch  # noqa: PLC0415 - an extra

        from backend.tagger.training import TrainingPlan, fine_tune  # noqa: PLC0415
        from backend.tagger.transformer_tagger import TransformerTagger  # noqa: PLC0415

        texts, dev = _split(tagged_texts(examples, scheme), rng)
        with torch.random.fork_rng():  # the head and dropout draw from torch's global generator
            torch.manual_seed(int(rng.integers(2**31)))
            model, encoder = self._base(scheme)
            tagger = TransformerTagger(model, encoder, scheme.labels, self._settings.batch_tokens)
            plan = TrainingPlan(
                windows=_labelled(texts, encoder, scheme),
                pad_id=encoder.pad_id,
                settings=self._settings,
                evaluate=(lambda: _span_f1(tagger, dev)) if dev else None,
            )
            fine_tune(model, plan, rng, progress)
        return tagger

    def load(self, folder: Path) -> TransformerTagger:
        """The tagger in ``folder``, which :meth:`TransformerTagger.save` wrote; needs no network.

        Weights are read from safetensors only.
        """
        self._prepare_torch()
        from backend.tagger.transformer_tagger import TransformerTagger  # noqa: PLC0415

        return TransformerTagger.load(folder, self._settings.batch_tokens)

    def _prepare_torch(self) -> None:
        """Set torch's threads, or say how to install it."""
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtraError("A transformer tagger", "tagger")
        import torch  # noqa: PLC0415 - an extra
        from transformers.utils import logging  # noqa: PLC0415 - an extra

        torch.set_num_threads(self._settings.threads)
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it warns of new heads
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    def _base(self, scheme: LabelScheme) -> tuple[Any, WordEncoder]:
        """The base model with a new head for the scheme's tags, and its encoder."""
        from backend.tagger.transformer_tagger import read_pretrained  # noqa: PLC0415

        name = self._settings.base_model
        tags = tag_names(scheme.labels)
        try:
            model, tokenizer = read_pretrained(
                name,
                id2label=dict(enumerate(tags)),
                label2id={tag: position for position, tag in enumerate(tags)},
                ignore_mismatched_sizes=True,
            )
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"Cannot load the base model {name!r}: {error}. Check its name, and that the "
                f"model hub can be reached; or set tagger.base_model to a local folder, or "
                f"tagger.kind to crf, which needs no base model."
            ) from error
        positions = getattr(model.config, "max_position_embeddings", None)
        longest = positions - _RESERVED_POSITIONS if positions else self._settings.max_pieces
        return model, WordEncoder(tokenizer, min(self._settings.max_pieces, longest))


def _split(
    texts: list[TaggedText], rng: np.random.Generator
) -> tuple[list[TaggedText], list[TaggedText]]:
    """Training and dev texts; no dev texts where either part would be left without a span."""
    shuffled = [texts[position] for position in rng.permutation(len(texts))]
    n_dev = round(_DEV_SHARE * len(shuffled))
    dev, train = shuffled[:n_dev], shuffled[n_dev:]
    if n_dev < _MIN_DEV_TEXTS or not _has_span(dev) or not _has_span(train):
        return shuffled, []
    return train, dev


def _has_span(texts: Sequence[TaggedText]) -> bool:
    return any(tag != OUTSIDE for text in texts for tag in text.tags)


def _labelled(
    texts: Sequence[TaggedText], encoder: WordEncoder, scheme: LabelScheme
) -> list[LabelledPieces]:
    ids = {tag: position for position, tag in enumerate(tag_names(scheme.labels))}
    labelled = []
    for text in texts:
        tag_ids = [ids[tag] for tag in text.tags]
        for window in encoder.encode(text.text, text.tokens):
            labelled += [window.labelled(tag_ids)] * text.copies
    return labelled


def _span_f1(tagger: TransformerTagger, dev: Sequence[TaggedText]) -> float:
    taggings = tagger.tag([text.text for text in dev])
    return span_scores(
        (from_bio(text.tokens, text.tags), tagging.spans)
        for text, tagging in zip(dev, taggings, strict=True)
    ).f1
