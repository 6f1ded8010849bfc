"""When to ask again, and how long one question may take in all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

import tenacity
from tenacity.stop import stop_base

from backend.llm.chat import Completion, Failure

Reply = Completion | Failure


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


class Deadline:
    """Until when attempts may begin. Waiting for our own rate limits does not count."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds, never less than 0."""
        return max(self._end - self._clock(), 0.0)

    def extend(self, seconds: float) -> None:
        """Move the end by time that was not the provider's."""
        self._end += seconds


def retrying(policy: RetryPolicy, deadline: Deadline, closing: Event) -> tenacity.Retrying:
    """The loop of one question; it ends in the last attempt's reply and raises nothing."""
    backoff = tenacity.wait_random_exponential(
        multiplier=policy.first_wait_seconds, max=policy.longest_wait_seconds
    )
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(_is_worth_another_try),
        wait=lambda state: _asked_to_wait(state) + backoff(state),
        stop=tenacity.stop_after_attempt(policy.max_attempts)
        | tenacity.stop_when_event_set(closing)
        | _stop_at(deadline),
        sleep=tenacity.sleep_using_event(closing),
        retry_error_callback=_last_reply,
    )


class _stop_at(stop_base):  # noqa: N801 - named as its neighbours in tenacity are
    """Do not begin a wait that the deadline does not allow."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return retry_state.upcoming_sleep >= self._deadline.remaining


def _is_worth_another_try(reply: Reply) -> bool:
    return isinstance(reply, Failure) and reply.retryable


def _last_reply(state: tenacity.RetryCallState) -> Reply:
    """What the attempt came to; tenacity calls this after one."""
    if state.outcome is None:
        raise RuntimeError("asked for the reply of an attempt that was not made")
    reply: Reply = state.outcome.result()
    return reply


def _asked_to_wait(state: tenacity.RetryCallState) -> float:
    reply = _last_reply(state)
    return (reply.retry_after or 0.0) if isinstance(reply, Failure) else 0.0
