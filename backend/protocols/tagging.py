"""Taggers: what makes them, what they say, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from backend.domain import Example, LabelScheme, Span
from backend.protocols.progress import Progress, silent

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tagging:
    """What a tagger says of one text.

    ``spans``: sorted, inside the text, no overlaps, each with a score in [0, 1].
    ``probabilities``: (n_tokens, n_tags), rows sum to 1, real tokens only (no padding, no special
    or continuation pieces); (0, n_tags) for an empty text. ``sequence_probability``: of the best
    tag sequence in [0, 1], ``None`` where the model does not define one.
    """

    spans: tuple[Span, ...]
    probabilities: FloatArray
    sequence_probability: float | None = None


class Tagger(Protocol):
    """A trained sequence labeller. Safe to share between threads; never changes once trained."""

    @property
    def kind(self) -> str:
        """Which family it is (``crf``, ``transformer``): :meth:`TaggerFamily.load` needs it."""

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """One tagging per text, in order; empty, huge and unseen texts included."""

    def save(self, folder: Path) -> None:
        """Write everything needed to load it again into an existing empty folder.

        No pickles: reading a model folder never runs code.
        """


@runtime_checkable
class Explained(Protocol):
    """What a tagger may promise besides: to tell what was decided when it was made."""

    @property
    def history(self) -> Mapping[str, object]:
        """For the manifest of its version; whatever JSON can hold."""

    @property
    def remark(self) -> str:
        """One line for the report of the round."""


@runtime_checkable
class SamplingTagger(Protocol):
    """A tagger with dropout, which can answer as many different networks would."""

    def sample(
        self, texts: Sequence[str], passes: int, rng: np.random.Generator
    ) -> list[list[Tagging]]:
        """For each pass with dropout left on, one tagging per text (Gal & Ghahramani, 2016)."""


class TaggerFamily(Protocol):
    """A way of making taggers: it trains and loads them."""

    @property
    def kind(self) -> str:
        """Which family this is, equal to the ``kind`` of its taggers."""

    def train(
        self,
        examples: Sequence[Example],
        scheme: LabelScheme,
        rng: np.random.Generator,
        progress: Progress = silent,
        start: Tagger | None = None,
    ) -> Tagger:
        """Fit a tagger. Deterministic for equal input and generator state.

        ``start`` is a tagger of an earlier round that training may go on from, where it fits and
        where that does better; it is not changed. A family may pass over it.

        Raises :class:`~backend.errors.InputError` when the examples hold no span to learn from.
        """

    def load(self, folder: Path) -> Tagger:
        """The tagger that :meth:`Tagger.save` wrote.

        Raises :class:`~backend.errors.ModelStoreError` for a folder that is not one.
        """


@runtime_checkable
class Reading(Protocol):
    """What a family may promise besides: to learn from texts that nobody has labelled."""

    def with_texts(self, texts: Sequence[str]) -> TaggerFamily:
        """The same family, whose trainings know these texts; itself it is not changed.

        The same texts in any order give the same family. Few texts, or none, are no error.
        """


def reading(family: TaggerFamily, texts: Sequence[str]) -> TaggerFamily:
    """The family with these texts read, where it can make use of them.

    What a tagger is judged by must not be among them.
    """
    return family.with_texts(texts) if isinstance(family, Reading) else family


@runtime_checkable
class Revising(Protocol):
    """What a family may promise besides: to learn where another labeller errs, text in view."""

    def revise(
        self,
        right: Sequence[Example],
        given: Sequence[Example],
        asked: Sequence[Example],
        scheme: LabelScheme,
        progress: Progress = silent,
    ) -> list[FloatArray] | None:
        """How likely each tag is right for each token of ``asked``, as labelled by the labeller.

        ``given``: its labels of the texts of ``right``, which people labelled. Each array is
        (n_tokens, n_tags), rows sum to 1. ``None`` where it turns out that it cannot. Raises
        :class:`~backend.errors.InputError` where ``right`` holds no span to learn from.
        """


class Models(Protocol):
    """Immutable, verified model versions of one project, one of them serving."""

    def publish(self, tagger: Tagger, about: dict[str, object]) -> int:
        """Store a new version, complete or not at all, and return its number (1, 2, ...)."""

    def promote(self, number: int) -> None:
        """Let a published version serve, in one atomic switch."""

    def serving(self) -> tuple[int, Tagger] | None:
        """The promoted version; the newest earlier one that verifies if it is damaged."""

    def load(self, number: int) -> Tagger:
        """A published version, promoted or not.

        Raises :class:`~backend.errors.ModelStoreError` for one that is missing or damaged.
        """
