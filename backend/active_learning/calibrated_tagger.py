"""A tagger whose confidences are corrected, of any family, stored beside its model as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.active_learning.calibration import Calibration, Fitted, fit_calibration
from backend.domain import Example, LabelScheme
from backend.errors import ModelStoreError
from backend.protocols import Progress, Tagger, Tagging, silent

CALIBRATION_FILE = "calibration.json"


class CalibratedTagger:
    """Implements :class:`backend.protocols.Tagger` by another one and a calibration."""

    def __init__(self, tagger: Tagger, calibration: Calibration) -> None:
        self.kind = tagger.kind
        self.calibration = calibration
        self.tagger = tagger

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """The other's spans, with corrected confidences."""
        return self.calibration.apply(self.tagger.tag(texts, progress))

    def save(self, folder: Path) -> None:
        """What the other one writes, and ``calibration.json``."""
        self.tagger.save(folder)
        content = json.dumps(self.calibration.to_json(), indent=2)
        (folder / CALIBRATION_FILE).write_text(content, encoding="utf-8")


def bare(tagger: Tagger) -> Tagger:
    """The tagger without its calibration."""
    return tagger.tagger if isinstance(tagger, CalibratedTagger) else tagger


def calibrated(
    tagger: Tagger, held_out: Sequence[Example], scheme: LabelScheme, rng: np.random.Generator
) -> tuple[Tagger, Fitted]:
    """The tagger with what calibration helps on held-out labels, and what spoke for or against it.

    Its spans, and with them its F1 on the same labels, do not change.
    """
    taggings = tagger.tag([example.text for example in held_out])
    fitted = fit_calibration(held_out, taggings, scheme, rng)
    if fitted.calibration == Calibration():
        return tagger, fitted
    return CalibratedTagger(tagger, fitted.calibration), fitted


def with_calibration(tagger: Tagger, folder: Path) -> Tagger:
    """The tagger that was loaded from ``folder``, with the calibration it was saved with, if any.

    Raises :class:`~backend.errors.ModelStoreError` for a calibration that cannot be read.
    """
    path = folder / CALIBRATION_FILE
    if not path.exists():
        return tagger
    try:
        return CalibratedTagger(tagger, Calibration.from_json(json.loads(path.read_bytes())))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelStoreError(
            f"The calibration in {folder} cannot be used ({error!r}): it is damaged. "
            f"Train again, or restore the folder from a backup."
        ) from error
