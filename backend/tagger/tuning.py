"""From labelled texts to the best transformer tagger. Imports torch: import only where needed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from backend.domain import LabelScheme
from backend.protocols import Progress, Tagger
from backend.quality.span_f1 import span_scores
from backend.settings import TaggerSettings
from backend.tagger.devices import Device, gpu_count
from backend.tagger.encoding import LabelledPieces, WordEncoder
from backend.tagger.pretrained import read_base
from backend.tagger.search import (
    LAST,
    Choice,
    Trial,
    best_trial,
    carve_dev,
    rates_to_try,
    starts_to_try,
)
from backend.tagger.teams import train_in_form
from backend.tagger.training import TrainingPlan
from backend.tagger.training_set import TaggedText
from backend.tagger.transformer_tagger import TransformerTagger
from backend.tagger.variants import Form
from backend.text.bio import from_bio, tag_names


@dataclass(frozen=True, slots=True)
class DevScore:
    """Strict span F1 of a model on ``texts``; can be sent to another process."""

    texts: Sequence[TaggedText]
    encoder: WordEncoder
    labels: tuple[str, ...]
    device: Device

    def __call__(self, model: Any) -> float:
        """Of the model as it is, in [0, 1]."""
        tagger = TransformerTagger(model, self.encoder, self.labels, self.device)
        taggings = tagger.tag([text.text for text in self.texts])
        return span_scores(
            (from_bio(text.tokens, text.tags), tagging.spans)
            for text, tagging in zip(self.texts, taggings, strict=True)
        ).f1


class Tuning:
    """One search for the best tagger that these texts give; see :mod:`backend.tagger.search`."""

    def __init__(
        self,
        settings: TaggerSettings,
        device: Device,
        texts: Sequence[TaggedText],
        scheme: LabelScheme,
        rng: np.random.Generator,
    ) -> None:
        self._settings = settings
        self._device = device
        self._scheme = scheme
        self._training, self._dev = carve_dev(texts)
        self._seed = int(rng.integers(2**31))  # of every trial, so that they differ in one thing
        self._trials: list[Trial] = []

    def run(self, start: Tagger | None, progress: Progress) -> TransformerTagger:
        """The best of the trials, which carries what was tried and chosen as its ``about``."""
        last = self._usable(start)
        before = last.about if last else {}
        rates = rates_to_try(self._settings, len(self._training), len(self._dev), before)
        starts = starts_to_try(self._settings, len(self._dev), last is not None)
        total = len(rates) + len(starts) - 1
        best = self._trial(rates[0], starts[0], last, _stage(progress, 0, total))
        for number in range(1, total):
            rate = rates[number] if number < len(rates) else best_trial(self._trials).learning_rate
            origin = starts[max(0, number - len(rates) + 1)]
            tagger = self._trial(rate, origin, last, _stage(progress, number, total))
            if best_trial(self._trials) is self._trials[-1]:
                best = tagger
        searched_before = int(before.get("rates_searched_with", 0))
        best.about = self._choice(
            len(self._training) if len(rates) > 1 else searched_before
        ).about()
        return best

    def _usable(self, start: Tagger | None) -> TransformerTagger | None:
        """``start``, if it is of the same make: base model and labels."""
        if (
            isinstance(start, TransformerTagger)
            and start.labels == self._scheme.labels
            and start.about.get("base_model") == self._settings.base_model
        ):
            return start
        return None

    def _trial(
        self, rate: float, origin: str, last: TransformerTagger | None, progress: Progress
    ) -> TransformerTagger:
        """Train once, and write down how that went."""
        settings, device = self._settings, self._device
        devices = range(gpu_count(device)) if device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # the head and dropout draw from torch's global one
            torch.manual_seed(self._seed)
            if last is not None and origin == LAST:
                model, encoder = deepcopy(last.model), last.encoder
            else:
                model, encoder = read_base(
                    settings.base_model, self._scheme.labels, settings.max_pieces, device
                )
            windows = labelled_windows(self._training, encoder, self._scheme)
            score = DevScore(self._dev, encoder, self._scheme.labels, device)
            plan = TrainingPlan(
                windows=windows,
                pad_id=encoder.pad_id,
                learning_rate=rate,
                epochs=settings.epochs,
                min_steps=settings.min_steps,
                batch_tokens=settings.batch_tokens,
                device=device,
                seed=self._seed,
                evaluate=score if self._dev else None,
            )
            seen = [*windows, *labelled_windows(self._dev, encoder, self._scheme)]
            form = Form.of(settings.variant, seen, encoder)
            n_processes = min(settings.gpus or gpu_count(device), gpu_count(device))
            model, outcome = train_in_form(model, plan, form, progress, n_processes)
        self._trials.append(Trial(rate, origin, outcome.score, outcome.best_step, outcome.steps))
        return TransformerTagger(model, encoder, self._scheme.labels, device)

    def _choice(self, rates_searched_with: int) -> Choice:
        return Choice(
            base_model=self._settings.base_model,
            variant=self._settings.variant,
            device=self._device.describe(),
            training_texts=len(self._training),
            dev_texts=len(self._dev),
            rates_searched_with=rates_searched_with,
            trials=tuple(self._trials),
        )


def labelled_windows(
    texts: Sequence[TaggedText], encoder: WordEncoder, scheme: LabelScheme
) -> list[LabelledPieces]:
    """The texts as pieces with the positions of their tags, each as often as it counts."""
    ids = {tag: position for position, tag in enumerate(tag_names(scheme.labels))}
    labelled = []
    for text in texts:
        tag_ids = [ids[tag] for tag in text.tags]
        for window in encoder.encode(text.text, text.tokens):
            labelled += [window.labelled(tag_ids)] * text.copies
    return labelled


def _stage(progress: Progress, number: int, of: int) -> Progress:
    """The progress of one trial of several as a part of the whole."""

    def watched(done: int, total: int, what: str = "") -> None:
        name = what if of == 1 else f"{what} (training {number + 1} of {of})"
        progress(number * total + done, of * total, name)

    return watched
