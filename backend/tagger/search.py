"""Which learning rate, and whether to start from the last model: what to try, and what was best.

Every training that is tried is a whole one, so the winner is the tagger: nothing is trained twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from backend.quality.holdout import is_held_out
from backend.settings import TaggerSettings
from backend.tagger.training_set import TaggedText
from backend.text.bio import split_tag

RATES = (1.5e-4, 5e-4, 5e-5)
"""Learning rates to try; among equals the first wins. Small vocabularies want high ones."""

UNSEARCHED_RATE = 3e-4

SCRATCH, LAST = "scratch", "last"

_LORA_FACTOR = 5.0  # few weights have to move further
_DEV_SHARE = 0.15
_MIN_DEV_SPANS = 5
_SEARCH_AGAIN_AT = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One training: how it was set up, and its span F1 on dev, if there was one."""

    learning_rate: float
    start: str
    dev_f1: float | None
    best_step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What was tried, in order, and on how many texts.

    ``rates_searched_with``: texts when rates were last searched for, 0 if never.
    """

    base_model: str
    variant: str
    device: str
    training_texts: int
    dev_texts: int
    rates_searched_with: int
    trials: tuple[Trial, ...]

    def about(self) -> dict[str, Any]:
        """As JSON, for the model's folder and the next training."""
        return asdict(self) | {"chosen": asdict(best_trial(self.trials))}


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The one with the highest dev score, the first among equals."""
    return max(trials, key=lambda trial: trial.dev_f1 or 0.0)


def carve_dev(texts: Sequence[TaggedText]) -> tuple[list[TaggedText], list[TaggedText]]:
    """Training and dev texts, told apart by a digest of the text.

    So a text is on the same side in every round, and a model to start from has never learnt from
    what it is measured on. Where dev would hold fewer than five spans, or nothing would be left to
    learn, all are for training. The digest is not that of the held-out part.
    """
    dev = [text for text in texts if is_held_out(f"dev {text.text}", _DEV_SHARE)]
    training = [text for text in texts if not is_held_out(f"dev {text.text}", _DEV_SHARE)]
    if _spans(dev) < _MIN_DEV_SPANS or not _spans(training):
        return list(texts), []
    return training, dev


def rates_to_try(
    settings: TaggerSettings, n_training: int, n_dev: int, last: Mapping[str, Any]
) -> list[float]:
    """The rate that the settings fix, or those of the search.

    last: :meth:`Choice.about` of the model that training could start from, or nothing. Its rate is
    taken over until there are twice as many texts as when it was found.
    """
    factor = _LORA_FACTOR if settings.variant == "lora" else 1.0
    if settings.learning_rate is not None:
        return [settings.learning_rate]
    if not n_dev:
        return [UNSEARCHED_RATE * factor]
    is_known = last and last["variant"] == settings.variant
    if is_known and n_training < _SEARCH_AGAIN_AT * last["rates_searched_with"]:
        return [float(last["chosen"]["learning_rate"])]
    return [rate * factor for rate in RATES]


def starts_to_try(settings: TaggerSettings, n_dev: int, has_last: bool) -> list[str]:
    """Where to start from; the first is tried with every rate, the second with the best one."""
    if not has_last or settings.start == SCRATCH:
        return [SCRATCH]
    if settings.start == LAST:
        return [LAST]
    return [SCRATCH, LAST] if n_dev else [SCRATCH]


def _spans(texts: Sequence[TaggedText]) -> int:
    return sum(split_tag(tag)[0] == "B" for text in texts for tag in text.tags)
