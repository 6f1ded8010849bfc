"""Leaves a provider that is down alone for a while, and tries it with a single call (Nygard, 2007).

Without it, every thread finds out for itself, again and again, and the moment a provider comes
back it is met by all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock


class CircuitBreaker:
    """Opens after ``failures`` failed attempts in a row; then one attempt per pause is let through.

    The pause doubles from the first to the longest with every trial that fails. One success closes
    the circuit. Shared by the threads that call one provider.
    """

    def __init__(
        self,
        failures: int = 8,
        first_pause_seconds: float = 2.0,
        longest_pause_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._first_pause = first_pause_seconds
        self._longest_pause = longest_pause_seconds
        self._clock = clock
        self._lock = Lock()
        self._in_a_row = 0
        self._pause = first_pause_seconds
        self._next_trial = 0.0

    @property
    def is_open(self) -> bool:
        """Whether attempts are held back."""
        with self._lock:
            return self._in_a_row >= self._failures

    def admit(self, at_most: float, closing: Event) -> bool:
        """Whether an attempt may be made, after waiting for it ``at_most`` seconds.

        ``closing`` ends the wait.
        """
        give_up = self._clock() + at_most
        while (seconds := self._seconds_to_wait()) > 0:
            if self._clock() + seconds > give_up or closing.wait(seconds):
                return False
        return True

    def _seconds_to_wait(self) -> float:
        """0 for an attempt that may be made now, which is then the trial of an open circuit."""
        with self._lock:
            if self._in_a_row < self._failures:
                return 0.0
            now = self._clock()
            if now < self._next_trial:
                return self._next_trial - now
            self._next_trial = now + self._pause
            return 0.0

    def note(self, *, worked: bool) -> None:
        """What an attempt showed of the provider's health."""
        with self._lock:
            if worked:
                self._in_a_row, self._pause = 0, self._first_pause
                return
            was_open = self._in_a_row >= self._failures
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._pause = min(2 * self._pause, self._longest_pause) if was_open else self._pause
                self._next_trial = self._clock() + self._pause
