"""No more requests and tokens a minute than an account is allowed, across all threads.

A token bucket each (Turner, 1986): it fills steadily up to what a minute allows, and whoever takes
more than it holds waits until it has filled again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock

Clock = Callable[[], float]


class TokenBucket:
    """Fills with ``per_minute`` units a minute, holds a second's worth, at least one unit.

    A small bucket spreads the calls: providers count in windows shorter than a minute.
    """

    def __init__(self, per_minute: float, clock: Clock = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = max(self._per_second, 1.0)
        self._level = self._most
        self._filled_at = clock()
        self._clock = clock
        self._lock = Lock()

    def take(self, units: float) -> float:
        """Take units, in debt if need be; seconds until the debt is paid, 0 if there is none."""
        with self._lock:
            self._fill()
            self._level -= units
            return max(-self._level / self._per_second, 0.0)

    def give_back(self, units: float) -> None:
        """Return units that were not used; a negative number takes what was used on top."""
        with self._lock:
            self._fill()
            self._level = min(self._level + units, self._most)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._level + (now - self._filled_at) * self._per_second, self._most)
        self._filled_at = now


class RateLimits:
    """Limits of one account on one model; ``None`` is no limit."""

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._requests = TokenBucket(requests_per_minute, clock) if requests_per_minute else None
        self._tokens = TokenBucket(tokens_per_minute, clock) if tokens_per_minute else None

    def wait(self, tokens: int, closing: Event) -> float:
        """Wait for the turn of a call of about so many tokens, or for ``closing``.

        Returns the seconds that were waited.
        """
        seconds = self._requests.take(1) if self._requests else 0.0
        if self._tokens:
            seconds = max(seconds, self._tokens.take(tokens))
        if seconds > 0:
            closing.wait(seconds)
        return seconds

    def correct(self, expected: int, billed: int) -> None:
        """Count the tokens that a call came to in place of those expected."""
        if self._tokens:
            self._tokens.give_back(expected - billed)
