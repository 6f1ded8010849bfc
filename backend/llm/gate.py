"""The way to a provider that all threads of a process share: rate limits and circuit breaker."""

from __future__ import annotations

from threading import Event, Lock

from backend.domain import Outcome
from backend.llm.breaker import CircuitBreaker
from backend.llm.chat import ChatClient, ChatRequest, Completion, Failure
from backend.llm.rate_limits import RateLimits
from backend.llm.retries import Deadline

BYTES_PER_TOKEN = 3
"""A guess at the size of a call before it is made; afterwards its bill is counted instead."""


class Gate:
    """Passed before every attempt."""

    def __init__(
        self, limits: RateLimits | None = None, breaker: CircuitBreaker | None = None
    ) -> None:
        self._limits = limits or RateLimits()
        self._breaker = breaker or CircuitBreaker()

    def refusal(self, request: ChatRequest, deadline: Deadline, closing: Event) -> Failure | None:
        """Why an attempt is not made, or ``None`` once it may be; waits for that.

        The wait for our own rate limits moves the deadline, that for a provider to recover not.
        """
        if not self._breaker.admit(deadline.remaining, closing):
            return Failure(
                Outcome.UNREACHABLE,
                "not asked, as the provider failed too often just before",
                retryable=False,
            )
        deadline.extend(self._limits.wait(expected_tokens(request), closing))
        return None

    def note(self, request: ChatRequest, reply: Completion | Failure) -> None:
        """What came of an attempt."""
        failed = isinstance(reply, Failure) and reply.outcome is Outcome.UNREACHABLE
        self._breaker.note(worked=not failed)
        if reply.usage is not None:
            billed = reply.usage.input + reply.usage.output
            self._limits.correct(expected_tokens(request), billed)


class Gates:
    """One gate per provider and model, with the same limits, for one process."""

    def __init__(
        self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None
    ) -> None:
        self._per_minute = (requests_per_minute, tokens_per_minute)
        self._gates: dict[tuple[str, str], Gate] = {}
        self._lock = Lock()

    def to(self, client: ChatClient) -> Gate:
        """The gate to the client's model."""
        with self._lock:
            known = (client.provider, client.model)
            return self._gates.setdefault(known, Gate(RateLimits(*self._per_minute)))


def expected_tokens(request: ChatRequest) -> int:
    """About what a provider counts against a limit: the question and the longest answer."""
    written = len(request.system.encode("utf-8")) + len(request.user.encode("utf-8"))
    return written // BYTES_PER_TOKEN + request.max_output_tokens
