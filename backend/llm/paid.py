"""Calls that cost money: reserved before, settled after, retried only while that is worth it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from threading import Condition, Event

import structlog
import tenacity

from backend.cost.prices import Price, cost, most_it_can_cost
from backend.domain import Outcome, PaidCall, Usage
from backend.errors import BudgetExceededError, ProviderError
from backend.llm.chat import NOTHING_BILLED, ChatClient, ChatRequest, Completion, Failure
from backend.protocols import Ledger

UNSEEN_INPUT_TOKENS = 1000
"""Tokens that a provider adds to the input: roles, and what explains the schema to the model."""

log = structlog.get_logger(__name__)

Keep = Callable[[Completion], None]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to ask again. Waits double from the first to the longest, with full jitter.

    A provider's Retry-After is waited for on top, unless that would pass the deadline: then the
    call is given up at once. ``patience`` is how many tasks in a row may come to nothing before
    the provider is taken for unusable and is not asked for the rest of the run.
    """

    max_attempts: int = 4
    deadline_seconds: float = 120.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 20.0
    patience: int = 10


class Run:
    """What the threads of one pass over many tasks share: the purse, and when to stop."""

    def __init__(self, ledger: Ledger, patience: int) -> None:
        self.id = uuid.uuid4().hex
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
    def alone_with(self, key: str) -> Iterator[None]:
        """Hold off other threads with the same question until this one's answer is kept."""
        with self._answered:
            self._answered.wait_for(lambda: key not in self._asked)
            self._asked.add(key)
        try:
            yield
        finally:
            with self._answered:
                self._asked.discard(key)
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

    The ledger is used from as many threads as call :meth:`ask`.
    """

    def __init__(
        self, client: ChatClient, price: Price, ledger: Ledger, policy: RetryPolicy | None = None
    ) -> None:
        self.client = client
        self._price = price
        self._ledger = ledger
        self._policy = policy or RetryPolicy()

    def start(self) -> Run:
        """A new pass over tasks."""
        return Run(self._ledger, self._policy.patience)

    def ask(
        self, request: ChatRequest, call: PaidCall, run: Run, keep: Keep
    ) -> Completion | Failure:
        """The answer, or the failure of the last attempt.

        ``keep`` stores an answer; it is called before the ledger learns what it cost, so that a
        crash in between leaves too much in the ledger and never an answer to pay again. Where no
        call can work as configured (wrong key, no credit, retired model), the run is over.
        """
        policy = self._policy
        backoff = tenacity.wait_random_exponential(
            multiplier=policy.first_wait_seconds, max=policy.longest_wait_seconds
        )
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(_is_worth_another_try),
            wait=lambda state: _asked_to_wait(state) + backoff(state),
            stop=tenacity.stop_after_attempt(policy.max_attempts)
            | tenacity.stop_before_delay(policy.deadline_seconds)
            | tenacity.stop_when_event_set(run.closing),
            sleep=tenacity.sleep_using_event(run.closing),
            retry_error_callback=_last_reply,
        )
        reply: Completion | Failure = retrying(self._attempt, request, call, run, keep)
        run.note(reply)
        return reply

    def _attempt(
        self, request: ChatRequest, call: PaidCall, run: Run, keep: Keep
    ) -> Completion | Failure:
        at_most = most_it_can_cost(
            self._price, most_input_tokens(request), request.max_output_tokens
        )
        entry = run.reserve(call, at_most)
        if isinstance(entry, Failure):
            return entry
        outcome, usage = "interrupted", None
        try:
            reply = self.client.ask(request)
            usage = reply.usage
            if isinstance(reply, Completion):
                outcome = reply.stop.value
                keep(reply)
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


def most_input_tokens(request: ChatRequest) -> int:
    """An upper bound: no tokeniser in use makes more tokens than there are bytes."""
    written = request.system + request.user + str(request.schema)
    return len(written.encode("utf-8")) + UNSEEN_INPUT_TOKENS


def _is_worth_another_try(reply: Completion | Failure) -> bool:
    return isinstance(reply, Failure) and reply.retryable


def _last_reply(state: tenacity.RetryCallState) -> Completion | Failure:
    """What the attempt came to; tenacity calls this after one."""
    if state.outcome is None:
        raise RuntimeError("asked for the reply of an attempt that was not made")
    reply: Completion | Failure = state.outcome.result()
    return reply


def _asked_to_wait(state: tenacity.RetryCallState) -> float:
    reply = _last_reply(state)
    return (reply.retry_after or 0.0) if isinstance(reply, Failure) else 0.0
