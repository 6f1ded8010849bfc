"""How long work tells how far it has come."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far long work has come; may raise to interrupt it at a safe point."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """``done`` of ``total`` units of ``what`` are finished."""


def silent(done: int, total: int, what: str = "") -> None:
    """A :class:`Progress` that nobody watches."""
