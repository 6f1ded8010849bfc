"""Calls that cost money: reserved before, settled after, retried only while that is worth it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from threading import Condition, Event

import structlog

from backend.cost.prices import Price, cost, most_it_can_cost
from backend.domain import Outcome, PaidCall, Usage
from backend.errors import BudgetExceededError, ProviderError
from backend.llm.chat import (
    NOTHING_BILLED,
    ChatClient,
    ChatRequest,
    Completion,
    Failure,
    Origin,
)
from backend.llm.gate import Gate
from backend.llm.retries import Deadline, RetryPolicy, retrying
from backend.protocols import Ledger

UNSEEN_INPUT_TOKENS = 1000
"""Tokens that a provider adds to the input: roles, and what explains the schema to the model."""

__all__ = ["PaidClient", "RetryPolicy", "Run"]

log = structlog.get_logger(__name__)

Keep = Callable[[Completion], None]


class Run:
    """What the threads of one pass over many tasks share: the purse, and when to stop."""

    def __init__(self, ledger: Ledger, patience: int, name: str | None = None) -> None:
        self.id = name or uuid.uuid4().hex
        self.closing = Event()
        self.over: Failure | None = None
        self._ledger = ledger
        self._patience = patience
        self._in_vain = 0
        self._paying = 0
        self._purse = Condition()
        self._asked: set[str] = set()
        self._answered = Condition()

    def close(self) -> None:
        """Begin no more calls and no more waits; calls under way go on to their end."""
        self.closing.set()
        with self._purse:
            self.over = self.over or Failure(Outcome.UNREACHABLE, "not asked", retryable=False)
            self._purse.notify_all()

    @contextmanager
    def alone_with(self, keys: Collection[str]) -> Iterator[None]:
        """Hold off other threads with any of the same questions until the answers are kept."""
        with self._answered:
            self._answered.wait_for(lambda: self._asked.isdisjoint(keys))
            self._asked.update(keys)
        try:
            yield
        finally:
            with self._answered:
                self._asked.difference_update(keys)
                self._answered.notify_all()

    def reserve(self, call: PaidCall, at_most: Decimal) -> int | Failure:
        """An entry in the ledger, or why the run is over.

        Reservations are for the worst case. While other calls are under way their change may
        still come back, so a refusal of the ledger is final only when there are none.
        """
        with self._purse:
            while self.over is None:
                try:
                    entry = self._ledger.reserve(call, at_most)
                except BudgetExceededError as refusal:
                    if self._paying == 0:
                        self.over = Failure(Outcome.OVER_BUDGET, str(refusal), retryable=False)
                    else:
                        self._purse.wait()
                else:
                    self._paying += 1
                    return entry
            return self.over

    def settle(self, entry: int, outcome: str, usage: Usage | None, bill: Decimal | None) -> None:
        """Close an entry; what it did not use is there for others."""
        try:
            self._ledger.settle(entry, outcome, usage, bill)
        finally:
            with self._purse:
                self._paying -= 1
                self._purse.notify_all()

    def stop(self, detail: str) -> Failure:
        """End the run, as the provider cannot be used; the first reason given stays."""
        with self._purse:
            if self.over is None:
                log.warning("the LLM is not asked any more", run=self.id, reason=detail)
                self.over = Failure(Outcome.UNREACHABLE, detail, retryable=False)
                self._purse.notify_all()
            return self.over

    def note(self, reply: Completion | Failure) -> None:
        """Count the tasks in a row that came to nothing; too many end the run."""
        with self._purse:
            if isinstance(reply, Completion) or reply.outcome is Outcome.FILTERED:
                self._in_vain = 0
                return
            self._in_vain += 1
            if self._in_vain == self._patience:
                self.stop(f"not asked, as {self._in_vain} tasks in a row failed: {reply.detail}")


class PaidClient:
    """A chat client whose every attempt is an entry in the ledger.

    The ledger and the gate are used from as many threads as call :meth:`ask`.
    """

    def __init__(
        self,
        client: ChatClient,
        price: Price,
        ledger: Ledger,
        policy: RetryPolicy | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.client = client
        self._price = price
        self._ledger = ledger
        self._policy = policy or RetryPolicy()
        self._gate = gate or Gate()

    def start(self, name: str | None = None) -> Run:
        """A new pass over tasks; passes of one name share the budget of a run."""
        return Run(self._ledger, self._policy.patience, name)

    def ask(
        self, request: ChatRequest, call: PaidCall, run: Run, keep: Keep
    ) -> Completion | Failure:
        """The answer, or the failure of the last attempt.

        No attempt begins after the policy's deadline. ``keep`` stores an answer; it is called
        before the ledger learns what it cost, so that a crash in between leaves too much in the
        ledger and never an answer to pay again. Where no call can work as configured (wrong key,
        no credit, retired model), the run is over.
        """
        deadline = Deadline(self._policy.deadline_seconds)
        attempts = retrying(self._policy, deadline, run.closing)

        def attempt() -> Completion | Failure:
            return self._gate.refusal(request, deadline, run.closing) or self._attempt(
                request, replace(call, price=self._price.tag), run, keep
            )

        reply: Completion | Failure = attempts(attempt)
        run.note(reply)
        return reply

    def _attempt(
        self, request: ChatRequest, call: PaidCall, run: Run, keep: Keep
    ) -> Completion | Failure:
        entry = run.reserve(call, self.most_it_can_cost(request))
        if isinstance(entry, Failure):
            return entry
        outcome, usage = "interrupted", None
        try:
            reply = self.client.ask(request)
            usage = reply.usage
            self._gate.note(request, reply)
            if isinstance(reply, Completion):
                outcome = reply.stop.value
                keep(replace(reply, origin=origin_of(call)))
            else:
                outcome = reply.outcome.value
        except ProviderError as error:
            outcome, usage = "unusable", NOTHING_BILLED
            return run.stop(str(error))
        else:
            return reply
        finally:
            bill = None if usage is None else cost(self._price, usage)
            run.settle(entry, outcome, usage, bill)

    def most_it_can_cost(self, request: ChatRequest) -> Decimal:
        """An upper bound on the bill of one attempt, in US dollars."""
        return most_it_can_cost(self._price, most_input_tokens(request), request.max_output_tokens)


def origin_of(call: PaidCall) -> Origin:
    """Where the answer to a call comes from."""
    return Origin(call.provider, call.model, call.prompt_version)


def most_input_tokens(request: ChatRequest) -> int:
    """An upper bound: no tokeniser in use makes more tokens than there are bytes."""
    written = request.system + request.user + str(request.schema)
    return len(written.encode("utf-8")) + UNSEEN_INPUT_TOKENS
