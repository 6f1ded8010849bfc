"""The scripted provider in a process of its own, so that its work is not on the client's account.

::

    with ScriptedLlmProcess(seconds=1.0) as server:
        OpenAIClient("gpt-6-luna", server.api_key, server.openai_url)
        server.calls()
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from backend.testing.annotators import Brain
from backend.testing.scripted_llm import BilledCall, ScriptedLlm
from backend.text.spans import Mention

STARTS_WITHIN_SECONDS = 60


def capitalised(text: str) -> Sequence[Mention]:
    """A brain that takes the first word with a capital letter for a person."""
    words = (word.strip(".,") for word in text.split() if word[:1].isupper())
    return [Mention(word, "PER", 1, 0.9) for word in list(words)[:1]]


class ScriptedLlmProcess:
    """A :class:`~backend.testing.scripted_llm.ScriptedLlm` next door; ``brain`` is picklable."""

    def __init__(self, brain: Brain = capitalised, *, seconds: float = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, brain, seconds), daemon=True)
        self.api_key = "scripted-key"
        self.openai_url = ""
        self.anthropic_url = ""

    def calls(self) -> list[BilledCall]:
        """What was billed so far."""
        self._connection.send("calls")
        calls: list[BilledCall] = self._connection.recv()
        return calls

    def __enter__(self) -> Self:
        self._process.start()
        if not self._connection.poll(STARTS_WITHIN_SECONDS):
            raise RuntimeError("the scripted provider did not start")
        self.api_key, self.openai_url, self.anthropic_url = self._connection.recv()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.join()


def _serve(connection: Connection, brain: Brain, seconds: float) -> None:
    """Answer until the other end of the connection is closed."""
    with ScriptedLlm(brain, seconds=seconds) as server:
        connection.send((server.api_key, server.openai_url, server.anthropic_url))
        try:
            while connection.recv():
                connection.send(list(server.calls))
        except EOFError:
            return
