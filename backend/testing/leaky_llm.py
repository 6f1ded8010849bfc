"""A scripted provider whose model knows some texts by heart, for probes that look for that."""

from __future__ import annotations

import json
from collections.abc import Collection

from backend.llm.delimiters import ENCLOSED_TEXT
from backend.testing.scripted_llm import ScriptedLlm
from backend.testing.scripted_wire import Question, RequestRefusedError

SMALL_TALK = "and so it went on for a while, as it often does"


class LeakyLlm(ScriptedLlm):
    """It goes on with the texts that it knows word for word, and with small talk otherwise.

    Of every text it says that it is from ``guess``, as a model does that guesses by the language.
    """

    def __init__(self, known: Collection[str], guess: str = "unknown") -> None:
        super().__init__(lambda _: [])
        self._known = tuple(known)
        self._guess = guess

    def answer(self, question: Question) -> tuple[tuple[str, ...], str]:
        """See :meth:`backend.testing.scripted_llm.ScriptedLlm.answer`."""
        found = ENCLOSED_TEXT.search(question.prompt)
        if found is None:
            raise RequestRefusedError(400, "invalid_request_error", "no text in the prompt")
        text = found[2]
        if "goes on" not in question.prompt:
            return (text,), json.dumps({"answer": self._guess})
        rest = (known[len(text) :].strip() for known in self._known if known.startswith(f"{text} "))
        return (text,), json.dumps({"answer": next(rest, SMALL_TALK)}, ensure_ascii=False)
