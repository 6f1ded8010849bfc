"""An annotator, a ledger and an answer cache that live in memory and remember what happened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from backend.domain import (
    Answer,
    LabelScheme,
    Outcome,
    PaidCall,
    Source,
    SourceKind,
    Suggestion,
    Task,
    Usage,
)
from backend.errors import BudgetExceededError
from backend.text.spans import Mention, align

Brain = Callable[[str], Sequence[Mention]]
"""What a stand-in for a model says is in a text; equal for equal texts."""


@dataclass
class LedgerEntry:
    """A paid call: ``outcome`` is ``None`` until it is settled, ``cost`` while nobody knows it."""

    call: PaidCall
    reserved: Decimal
    outcome: str | None = None
    usage: Usage | None = None
    cost: Decimal | None = None

    @property
    def counted(self) -> Decimal:
        """What the entry takes from the budget."""
        return self.reserved if self.cost is None else self.cost


class MemoryLedger:
    """:class:`backend.protocols.Ledger` in a list, for one process."""

    def __init__(self, budget_usd: Decimal | int = 100) -> None:
        self.budget = Decimal(budget_usd)
        self.entries: list[LedgerEntry] = []
        self._lock = threading.Lock()

    @property
    def spent(self) -> Decimal:
        """US dollars settled or set aside."""
        return sum((entry.counted for entry in self.entries), Decimal(0))

    @property
    def outcomes(self) -> list[str | None]:
        """How the calls ended, in the order in which they were made."""
        return [entry.outcome for entry in self.entries]

    def reserve(self, call: PaidCall, at_most: Decimal) -> int:
        """See :meth:`backend.protocols.Ledger.reserve`."""
        with self._lock:
            if self.spent + at_most > self.budget:
                raise BudgetExceededError(
                    f"The next call could cost ${at_most:.4f}; ${self.budget - self.spent:.4f} "
                    "of the budget is left. Raise llm.budget_usd to go on."
                )
            self.entries.append(LedgerEntry(call, at_most))
            return len(self.entries) - 1

    def settle(self, entry: int, outcome: str, usage: Usage | None, cost: Decimal | None) -> None:
        """See :meth:`backend.protocols.Ledger.settle`."""
        with self._lock:
            row = self.entries[entry]
            row.outcome, row.usage, row.cost = outcome, usage, cost


class MemoryAnswerCache:
    """:class:`backend.protocols.AnswerCache` in a dictionary."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """See :meth:`backend.protocols.AnswerCache.get`."""
        return self.answers.get(key)

    def get_many(self, keys: Collection[str]) -> dict[str, str]:
        """See :meth:`backend.protocols.AnswerCache.get_many`."""
        return {key: self.answers[key] for key in keys if key in self.answers}

    def put(self, key: str, answer: str) -> None:
        """See :meth:`backend.protocols.AnswerCache.put`."""
        self.answers.setdefault(key, answer)

    def put_many(self, answers: Mapping[str, str]) -> None:
        """See :meth:`backend.protocols.AnswerCache.put_many`."""
        for key, answer in answers.items():
            self.put(key, answer)


class FakeAnnotator:
    """:class:`backend.protocols.Annotator` that asks a function instead of a model.

    ``affordable`` is how many texts the budget covers; ``failures`` names tasks that fail and
    how. ``asked`` holds every task it would have paid for, in order.
    """

    model = "fake"
    prompt_version = "fake-v1"

    def __init__(
        self,
        brain: Brain,
        affordable: int | None = None,
        failures: Mapping[str, Outcome] | None = None,
    ) -> None:
        self.asked: list[Task] = []
        self._brain = brain
        self._affordable = affordable
        self._failures = {} if failures is None else failures
        self._known: dict[str, Sequence[Mention]] = {}

    def annotate(self, tasks: Sequence[Task], scheme: LabelScheme) -> Iterator[Answer]:
        """See :meth:`backend.protocols.Annotator.annotate`."""
        for task in tasks:
            yield self._answer(task, scheme)

    def _answer(self, task: Task, scheme: LabelScheme) -> Answer:
        if task.text.strip() and task.text not in self._known:
            if self._affordable is not None and len(self.asked) >= self._affordable:
                return Answer(task.id, Outcome.OVER_BUDGET, detail="nothing is left")
            self.asked.append(task)
            if task.id in self._failures:
                return Answer(task.id, self._failures[task.id], detail="as scripted")
            self._known[task.text] = self._brain(task.text)
        aligned = align(task.text, self._known.get(task.text, ()), scheme)
        confidence = min((span.score or 0.0 for span in aligned.spans), default=1.0)
        source = Source(SourceKind.LLM, self.model, self.prompt_version)
        suggestion = Suggestion(task.id, aligned.spans, confidence, source)
        return Answer(task.id, Outcome.ANNOTATED, suggestion, aligned.repaired, aligned.rejected)
