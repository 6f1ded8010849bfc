"""An LLM that labels for money, and what keeps its bill and its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from backend.domain import Answer, LabelScheme, PaidCall, Task, Usage


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
