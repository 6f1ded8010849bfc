"""The promises the loop is written against; implementations live elsewhere.

A protocol here is small on purpose. What each member promises is tested by one contract suite per
protocol under ``tests/contract``, which every implementation passes, fakes included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from backend.domain import (
    Annotation,
    Answer,
    Example,
    LabelScheme,
    PaidCall,
    Span,
    Suggestion,
    Task,
    Usage,
)

FloatArray = npt.NDArray[np.float64]


class Progress(Protocol):
    """Told how far long work has come; may raise to interrupt it at a safe point."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """``done`` of ``total`` units of ``what`` are finished."""


def silent(done: int, total: int, what: str = "") -> None:
    """A :class:`Progress` that nobody watches."""


class Annotator(Protocol):
    """An LLM (or a stand-in) that labels tasks for money."""

    @property
    def model(self) -> str:
        """The model's name, as it goes into a suggestion's source."""

    @property
    def prompt_version(self) -> str:
        """The prompt's version, as it goes into a suggestion's source."""

    def annotate(self, tasks: Sequence[Task], scheme: LabelScheme) -> Iterator[Answer]:
        """Yield exactly one answer per task, in any order, as each becomes known.

        Never raises for a single answer: its :class:`~backend.domain.Outcome` says what
        happened. Tasks that were not asked for want of budget get ``OVER_BUDGET``. Answers paid
        for before are not paid again.
        """


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
    ) -> Tagger:
        """Fit a tagger from scratch. Deterministic for equal input and generator state.

        Raises :class:`~backend.errors.InputError` when the examples hold no span to learn from.
        """

    def load(self, folder: Path) -> Tagger:
        """The tagger that :meth:`Tagger.save` wrote.

        Raises :class:`~backend.errors.ModelStoreError` for a folder that is not one.
        """


class Strategy(Protocol):
    """A query strategy: how sure is a tagger of its answer to each text?"""

    def __call__(self, taggings: Sequence[Tagging]) -> FloatArray:
        """Confidence (n_texts,) in [0, 1]; the lowest is asked of a human first."""


class AnnotationTool(Protocol):
    """One project inside the labelling tool that the team already uses.

    Errors are :class:`~backend.errors.ToolError` and its children.
    """

    def tasks(self) -> Iterator[Task]:
        """Every task of the project, labelled or not, in the tool's own order."""

    def suggest(
        self, suggestions: Sequence[Suggestion], version: str, progress: Progress = silent
    ) -> int:
        """Put suggestions under ``version`` into the tool, in bulk; returns how many it stored.

        Idempotent: a task that already carries a suggestion of ``version`` keeps it, so that a
        push which was cut off can be repeated. Raises when the tool stored fewer than were sent.
        """

    def accepted(self) -> Iterator[Annotation]:
        """Every annotation that annotators submitted and that still stands, skips included."""

    def prioritise(self, version: str) -> None:
        """Make ``version`` the current one: the task with its lowest score is served first."""


class Ledger(Protocol):
    """Account of every paid call: money is reserved before a call and settled after it."""

    def reserve(self, call: PaidCall, at_most: Decimal) -> int:
        """Set ``at_most`` US dollars aside and return the entry's number.

        Raises :class:`~backend.errors.BudgetExceededError` when that could exceed the budget;
        holds under any number of threads and processes.
        """

    def settle(self, entry: int, outcome: str, usage: Usage | None, cost: Decimal | None) -> None:
        """Replace a reservation by what the call came to.

        ``None`` for a call whose bill is unknown (the socket hung): the reservation then stays
        counted in full, so that the ledger never under-counts.
        """


class AnswerCache(Protocol):
    """Raw provider answers by content key, so that none is paid for twice."""

    def get(self, key: str) -> str | None:
        """The stored answer, or ``None``."""

    def put(self, key: str, answer: str) -> None:
        """Keep an answer durably; the first one stored under a key stays."""


class Models(Protocol):
    """Immutable, verified model versions of one project, one of them serving."""

    def publish(self, tagger: Tagger, about: dict[str, object]) -> int:
        """Store a new version, complete or not at all, and return its number (1, 2, ...)."""

    def promote(self, number: int) -> None:
        """Let a published version serve, in one atomic switch."""

    def serving(self) -> tuple[int, Tagger] | None:
        """The promoted version; the newest earlier one that verifies if it is damaged."""


class Records(Protocol):
    """The durable memory of one project. Every write is committed when the call returns."""

    def add_tasks(self, tasks: Iterable[Task]) -> int:
        """Remember tasks (new text replaces old), returning how many were new."""

    def pool(self) -> list[Task]:
        """Tasks without a standing annotation, lowest confidence first, then in tool order."""

    def replace_annotations(self, annotations: Iterable[Annotation]) -> int:
        """Make the store equal to the tool's full export, returning how many rows changed."""

    def examples(self) -> list[Example]:
        """One example per labelled task (the newest annotation that is not a skip), validated.

        Spans that the tool stored although they are impossible are left out and counted.
        """

    def keep_answer(self, answer: Answer) -> None:
        """Remember an LLM answer, failed ones too."""

    def answered(self) -> dict[str, Suggestion]:
        """The LLM's suggestions by task id, for the newest prompt and model."""

    def keep_suggestions(self, suggestions: Iterable[Suggestion]) -> None:
        """Remember what a source proposes for tasks, replacing its earlier proposals."""


class Jobs(Protocol):
    """Durable work that a worker does later."""

    def enqueue(self, kind: str, project_id: int) -> int:
        """Ask for a job, once: while an equal one waits, its number is returned."""
