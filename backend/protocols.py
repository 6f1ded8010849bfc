"""The promises the loop is written against; implementations live elsewhere.

A protocol here is small on purpose. What each member promises is tested by one contract suite per
protocol under ``tests/contract``, which every implementation passes, fakes included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from backend.domain import (
    Annotation,
    Answer,
    Example,
    Job,
    JobKind,
    JobState,
    LabelScheme,
    Outcome,
    PaidCall,
    ReviewItem,
    ReviewKind,
    ReviewQueue,
    RoundReport,
    Route,
    Sighting,
    SourceKind,
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

        Never raises for an answer or a provider: the :class:`~backend.domain.Outcome` says what
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


@dataclass(frozen=True, slots=True)
class Pool:
    """What a query strategy may look at: unlabelled texts and what is known of them.

    ``taggings``: the serving tagger's, one per text. ``labelled``: texts that have labels already.
    ``committee``: for each further member (or dropout pass), its taggings of the same texts.
    ``suggested``: the LLM's spans of each text, ``None`` where it has not answered. ``seconds``:
    (n_texts,), how long an annotator is expected to take. What is empty or ``None`` is not known.
    """

    texts: Sequence[str]
    taggings: Sequence[Tagging]
    labelled: Sequence[str] = ()
    committee: Sequence[Sequence[Tagging]] = ()
    suggested: Sequence[tuple[Span, ...] | None] = ()
    seconds: FloatArray | None = None


class Strategy(Protocol):
    """A query strategy: which texts of a pool teach a tagger most?"""

    def __call__(self, pool: Pool, rng: np.random.Generator, /) -> FloatArray:
        """Confidence (n_texts,) in [0, 1]; the lowest is asked of a human first.

        Raises :class:`~backend.errors.InputError` where the pool lacks what the strategy needs.
        """


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
        push which was cut off can be repeated. A tool that keeps one suggestion a task may pass
        over what would change nothing. Raises when the tool stored fewer than were sent.
        """

    def accepted(self, task_ids: Collection[str] | None = None) -> Iterator[Annotation]:
        """Every annotation that annotators submitted and that still stands, skips included.

        Of the whole project, or of the tasks with these ids; an id that is gone has none.
        """

    def prioritise(self, version: str) -> None:
        """Make ``version`` the current one: the task with its lowest score is served first."""

    def task_link(self, task: Task) -> str:
        """Where a person opens this task in a browser; the tool is not asked."""

    def review(
        self, kind: ReviewKind, items: Sequence[ReviewItem], progress: Progress = silent
    ) -> ReviewQueue:
        """Make these tasks, in this order, the ones that reviewers are shown for this reason.

        What waited before and is not among them leaves the queue; without items it is emptied.
        Queues of different kinds do not touch each other. Labels, suggestions and the order of
        what is still to be labelled stay as they are. Idempotent, so that a sending which was cut
        off can be repeated; tasks that are gone are passed over.
        """


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

    def get_many(self, keys: Collection[str]) -> dict[str, str]:
        """The stored answers among these, by key."""

    def put(self, key: str, answer: str) -> None:
        """Keep an answer durably; the first one stored under a key stays."""

    def put_many(self, answers: Mapping[str, str]) -> None:
        """Keep several, all of them or none."""


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch of paid calls that is under way.

    ``id`` is our own, ``provider_id`` is ``None`` while nobody knows whether it was submitted;
    ``entries`` are its calls' numbers in the ledger, by the digests of their requests.
    """

    id: str
    provider_id: str | None
    entries: Mapping[str, int]


class BatchRecords(Protocol):
    """The durable memory of batches. Every write is committed when the call returns."""

    def begin(self, batch: OpenBatch) -> None:
        """Write a batch down, before it is submitted."""

    def submitted(self, batch_id: str, provider_id: str) -> None:
        """The provider has taken it."""

    def open(self) -> list[OpenBatch]:
        """Batches that were begun and not finished, oldest first."""

    def finish(self, batch_id: str) -> None:
        """Its answers are kept and its calls settled."""


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


class TaskRecords(Protocol):
    """The durable memory of a project's tasks and annotations, as the labelling tool told them.

    Every write is committed when the call returns. Nothing is read from the tool here.
    """

    def replace_tasks(self, tasks: Iterable[Task]) -> int:
        """Make the store equal to the tool's full list of tasks; returns how many were new."""

    def pool(self) -> list[Task]:
        """Tasks without a standing annotation, lowest confidence first, then in tool order."""

    def set_confidence(self, confidence: Mapping[str, float]) -> None:
        """Order the pool: confidence in [0, 1] by task id."""

    def set_routes(self, routes: Mapping[str, Route]) -> None:
        """Remember who is to label each of these tasks."""

    def routes(self) -> dict[str, Route]:
        """Who is to label each task of the pool that has a route."""

    def replace_annotations(
        self, annotations: Iterable[Annotation], as_of: datetime, task_ids: Iterable[str] | None
    ) -> int:
        """Make the store equal to what the tool held at ``as_of``; returns the rows changed.

        ``annotations`` are all that stand, of the tasks ``task_ids`` or (``None``) of the whole
        project. What was read from the tool later than ``as_of`` is left alone.
        """

    def labelled(self) -> list[tuple[Task, Annotation]]:
        """Each labelled task with its newest annotation that is not a skip, in tool order."""

    def annotated(self) -> list[tuple[Task, list[Annotation]]]:
        """Each task that anybody labelled or skipped, in tool order, with all its annotations.

        Oldest first, so the last that is not a skip is that of :meth:`labelled`.
        """


class SuggestionRecords(Protocol):
    """The durable memory of what was suggested in a project, by whom, and what the tool holds.

    Every write is committed when the call returns.
    """

    def keep_answer(self, answer: Answer) -> None:
        """Remember how an LLM answer ended, and its suggestion if there is one."""

    def keep(self, suggestions: Iterable[Suggestion]) -> None:
        """Remember what a source proposes for tasks, replacing its earlier proposals."""

    def by_source(
        self, kind: SourceKind, task_ids: Collection[str] | None = None
    ) -> dict[str, Suggestion]:
        """The last suggestion of that kind of source for each task (of these) it has one for."""

    def outcomes_by_task(self) -> dict[str, Outcome]:
        """How the LLM's last answer for each task ended that it was asked (or not) about."""

    def shown_nothing(self) -> set[str]:
        """Tasks of which the tool holds no suggestion, or an empty one that nobody made.

        What a label is worth depends on it: people lean towards what they are shown.
        """

    def version_for(self, suggestions: Sequence[Suggestion]) -> str:
        """The version string under which these suggestions have to be pushed.

        The serving version while no task that carries it would change; else a new one, durable at
        once, so that a push that was cut off goes on under the same version if it is the same push.
        """

    def mark_pushed(self, suggestions: Iterable[Suggestion], version: str) -> None:
        """The tool holds these suggestions under ``version``."""

    def serving_version(self) -> str | None:
        """The version the tool serves, ``None`` before the first."""

    def serve(self, version: str) -> None:
        """The tool serves ``version`` now."""


class RoundRecords(Protocol):
    """The durable memory of what each round measured."""

    def all(self) -> list[RoundReport]:
        """Every round, oldest first."""

    def keep(self, report: RoundReport) -> None:
        """Remember a round (again, if it was cut off)."""

    def spent_usd(self) -> Decimal:
        """Money spent or reserved for this project so far."""


class ReviewRecords(Protocol):
    """The durable memory of which tasks were sent to review, and which came back.

    Every write is committed when the call returns.
    """

    def all(self, kind: ReviewKind) -> dict[str, Sighting]:
        """What was last seen of each task that is in the queue or has been reviewed, by id."""

    def replace(self, kind: ReviewKind, sightings: Mapping[str, Sighting]) -> None:
        """Make the memory of that kind equal to these, all of them or none."""


class JobTable(Protocol):
    """The durable list of work; the queue only wakes workers that look here."""

    def enqueue(self, kind: JobKind, project_id: int) -> int:
        """Ask for a job, once: while an equal one waits, its number is returned."""

    def claim(self, kinds: Collection[JobKind], lease_seconds: float) -> Job | None:
        """Take the oldest due job of these kinds, or one whose worker let its lease run out.

        Jobs of one project and of ``kinds`` never run at the same time.
        """

    def renew(self, job: Job, lease_seconds: float) -> bool:
        """Keep the lease; ``False`` when another worker has the job."""

    def report(self, job: Job, done: int, total: int, what: str) -> bool:
        """Write progress down; ``False`` when another worker has the job."""

    def finish(self, job: Job, state: JobState, message: str) -> None:
        """End a job as done or failed, unless another worker has it."""

    def postpone(self, job: Job, seconds: float, message: str) -> None:
        """Let a job wait and be tried again, unless another worker has it."""


class Jobs(Protocol):
    """Durable work that a worker does later."""

    def enqueue(self, kind: JobKind, project_id: int) -> int:
        """Write a job down, once, and wake a worker."""
