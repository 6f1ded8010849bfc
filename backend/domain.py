"""The nouns of the loop: frozen values that every other module passes around.

Standard library only. Offsets are code points of the untouched task text, end-exclusive, exactly
as Python's ``str`` slices; nothing here or downstream normalises a text in place.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

NO_META: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled stretch of a text: ``text[start:end]`` is a mention of ``label``.

    ``score`` is the confidence in [0, 1] that the span is right, ``None`` where nobody said;
    it takes no part in equality, so gold and predicted spans compare by place and label.
    """

    start: int
    end: int
    label: str
    score: float | None = field(default=None, compare=False)

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share at least one code point."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """The labels of a project, in the order the team wrote them, with optional descriptions."""

    labels: tuple[str, ...]
    descriptions: Mapping[str, str] = field(default_factory=lambda: NO_META)

    def __contains__(self, label: object) -> bool:
        return label in self.labels


@dataclass(frozen=True, slots=True)
class Task:
    """One text to be labelled. ``id`` is the labelling tool's own id, as a string."""

    id: str
    text: str
    language: str | None = None
    meta: Mapping[str, str] = field(default_factory=lambda: NO_META)


class SourceKind(enum.StrEnum):
    """What made a suggestion."""

    LLM = "llm"
    TAGGER = "tagger"
    NONE = "none"


class Route(enum.StrEnum):
    """Who labels a task: the LLM alone, a human, or a human who does not see what the LLM says.

    ``LATER``: it needs a human, but the budget for human labels ends before it.
    """

    LLM = "llm"
    HUMAN = "human"
    AUDIT = "audit"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Source:
    """Provenance of a suggestion: the model, and for an LLM the version of its prompt."""

    kind: SourceKind
    model: str
    prompt_version: str | None = None


NO_SOURCE = Source(SourceKind.NONE, "none")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Spans proposed for one task by one source.

    ``confidence`` in [0, 1] is how sure the source is of the whole answer, low meaning most
    informative; it orders the queue. Spans are sorted, inside the text and do not overlap.
    ``route`` is who is to label the task, ``None`` where that was not decided.
    """

    task_id: str
    spans: tuple[Span, ...]
    confidence: float
    source: Source
    route: Route | None = None


class Outcome(enum.StrEnum):
    """How one paid (or attempted) LLM answer for one task ended."""

    ANNOTATED = "annotated"
    INVALID = "invalid"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FILTERED = "filtered"
    UNREACHABLE = "unreachable"
    OVER_BUDGET = "over_budget"


NOT_ASKED = frozenset({Outcome.UNREACHABLE, Outcome.OVER_BUDGET})
"""Outcomes that a person can do something about: provider, key, budget."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A mention that an LLM gave and that could not become a span, with the reason."""

    mention: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an annotator made of one task.

    ``suggestion`` is present if and only if ``outcome`` is ``ANNOTATED``: a failed call is never
    an empty label set. ``repaired`` counts spans that needed repair (case, normal form, quotes);
    ``rejected`` keeps what was given and could not be used. ``detail`` says why an answer failed.
    """

    task_id: str
    outcome: Outcome
    suggestion: Suggestion | None = None
    repaired: int = 0
    rejected: tuple[Rejection, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one annotator submitted for one task, as the tool keeps it.

    ``skipped`` annotations ("was_cancelled", "discarded") carry no labels to learn from but take
    the task out of the pool. ``lead_time`` is in seconds.
    """

    id: str
    task_id: str
    spans: tuple[Span, ...]
    annotator: str
    updated_at: datetime
    skipped: bool = False
    lead_time: float | None = None


class ReviewKind(enum.StrEnum):
    """Why accepted labels are to be looked at again."""

    LABEL_ERRORS = "label_errors"
    ADJUDICATION = "adjudication"


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A labelled task that somebody should look at again, and why, in one line for a reviewer."""

    task_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """A queue of reviews as the labelling tool holds it now.

    ``link``: where a reviewer begins; ``tasks``: how many wait; ``left``: how many that waited
    before wait no more.
    """

    link: str
    tasks: int
    left: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was known of a task's labels when it was sent to review, or came back from it.

    ``labelled_at``: when they last changed, by the tool's clock. A task is ``reviewed`` once that
    has moved since it was sent, or somebody said so. ``place``: in the queue, from 1; 0 when it
    has left.
    """

    labelled_at: datetime
    place: int = 0
    reviewed: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A text with trusted spans: what a tagger learns from and is measured on."""

    task_id: str
    text: str
    spans: tuple[Span, ...]
    weight: float = 1.0

    @property
    def copies(self) -> int:
        """How often a tagger learns it: the weight in whole numbers, so up to 0.5 not at all."""
        return round(self.weight)


@dataclass(frozen=True, slots=True)
class SpanScores:
    """Strict span counts: a predicted span is right only with the exact bounds and label."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Share of predicted spans that are right, 0.0 where none was predicted."""
        predicted = self.true_positives + self.false_positives
        return self.true_positives / predicted if predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of gold spans that were found, 0.0 where there are none."""
        gold = self.true_positives + self.false_negatives
        return self.true_positives / gold if gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall in [0, 1]; 0.0 where nothing is right."""
        support = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / support if support else 0.0


@dataclass(frozen=True, slots=True)
class PriceTag:
    """What a call is billed by: US dollars per million tokens, and where that is known from.

    ``as_of`` is the day on which the source checked the price, where it says so.
    """

    input: Decimal
    output: Decimal
    source: str
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class PaidCall:
    """What is about to be asked of an LLM provider, as the ledger needs to know it."""

    project_id: int | None
    provider: str
    model: str
    prompt_version: str
    task_ids: tuple[str, ...]
    run: str = ""
    price: PriceTag | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a provider says it billed; ``cached_input`` is part of ``input``."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class RoundReport:
    """What one round of the loop did and measured.

    ``labels``: tasks accepted so far; ``training`` and ``held_out``: how they were divided;
    ``llm_labels``: how many of the LLM's labels of other tasks the new tagger learnt from as well,
    ``mixture``: in which way and why; ``routing``: how many queued tasks go to whom and why;
    ``left_out``: impossible spans that the tool holds (see ``text.spans.valid_spans``);
    ``llm_problem``: why the LLM could not be asked on; ``agreement``: kappa between the new tagger
    and the one that served before, on texts with and without labels; ``calibration``: what became
    of the new tagger's confidences; ``advice``: whether to label on; ``training_seconds``: how long
    training took, ``None`` where that was not noted. The
    scores are strict span scores on the held-out tasks: of the new tagger, of the tagger that
    served before, of the LLM (on the ``llm_tasks`` of them that it answered) and of what is shown
    from now on, by the rule that ``preferred`` is the source where both have an answer. ``None``
    means that there was nothing to measure.
    """

    number: int
    labels: int = 0
    training: int = 0
    held_out: int = 0
    left_out: int = 0
    llm_labels: int = 0
    mixture: str = ""
    routing: str = ""
    tagger: SpanScores | None = None
    previous: SpanScores | None = None
    llm: SpanScores | None = None
    llm_tasks: int = 0
    llm_problem: str = ""
    shown: SpanScores | None = None
    preferred: SourceKind = SourceKind.LLM
    model: int | None = None
    promoted: bool = False
    reason: str = ""
    version: str = ""
    pushed: int = 0
    reordered: int = 0
    spent_usd: str = "0"
    agreement: float | None = None
    calibration: str = ""
    advice: str = ""
    training_seconds: float | None = None


class JobKind(enum.StrEnum):
    """What a worker can be asked to do for a project."""

    BEGIN = "begin"
    LEARN = "learn"
    INBOX = "inbox"
    RECONCILE = "reconcile"
    AUDIT = "audit"


class JobState(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of a worker's work. ``fence`` tells this claim of it from earlier, lost ones."""

    id: int
    project_id: int
    kind: JobKind
    fence: int = 0
    state: JobState = JobState.QUEUED
    done: int = 0
    total: int = 0
    what: str = ""
    message: str = ""
