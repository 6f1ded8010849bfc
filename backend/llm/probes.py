"""Questions that ask a model what it knows of a text: where it is from, and how it goes on.

They are paid calls like any other: in the ledger, under the budget, kept in the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from backend.domain import PaidCall
from backend.llm.cache import answer_key, from_stored, to_stored
from backend.llm.chat import ChatRequest, Completion, Failure, Stop
from backend.llm.delimiters import code_of, sendable
from backend.llm.paid import PaidClient, Run
from backend.llm.parsing import json_values
from backend.llm.prompt import PROMPTS
from backend.protocols import AnswerCache, Progress, silent

SOURCE, CONTINUATION = "probe-source-v1", "probe-continuation-v1"
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
MAX_OUTPUT_TOKENS = 400


def source_question(text: str) -> ChatRequest:
    """From which data set is this text?"""
    return _question(SOURCE, text, {})


def continuation_question(beginning: str, dataset: str | None = None) -> ChatRequest:
    """How does this go on? Guided by the data set's name, or unguided."""
    return _question(CONTINUATION, beginning, {"dataset": dataset})


def version_of(name: str) -> str:
    """The name of a probe with its content's hash."""
    content = (PROMPTS / f"{name}.jinja").read_bytes()
    return f"{name}+{hashlib.sha256(content).hexdigest()[:8]}"


@cache
def _template(name: str) -> Template:
    environment = Environment(  # noqa: S701 - prompts are plain text, not HTML
        loader=FileSystemLoader(PROMPTS), undefined=StrictUndefined
    )
    return environment.get_template(f"{name}.jinja")


def _question(name: str, text: str, values: dict[str, Any]) -> ChatRequest:
    plain = sendable(text)
    template = _template(name)
    context = values | {"text": plain, "code": code_of(plain)}
    system, user = (
        "".join(template.blocks[block](template.new_context(context))).strip("\n")
        for block in ("fixed", "text")
    )
    return ChatRequest(system, user, SCHEMA, MAX_OUTPUT_TOKENS)


def answer_in(text: str) -> str | None:
    """What a reply answers, ``None`` where it has no such form."""
    for value in json_values(text):
        if isinstance(value, dict) and isinstance(value.get("answer"), str):
            return str(value["answer"])
    return None


class Prober:
    """Asks a model many such questions, side by side."""

    def __init__(self, paid: PaidClient, cache: AnswerCache, concurrency: int = 8) -> None:
        self._paid = paid
        self._cache = cache
        self._concurrency = concurrency

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self._paid.client.model

    def ask(
        self, name: str, questions: Sequence[ChatRequest], progress: Progress = silent
    ) -> list[str | Failure]:
        """An answer to each question of the probe ``name``, in order, or why there is none.

        Answers that are known are not paid again; the others are in the cache at once, so that a
        run which was cut off goes on where it stopped.
        """
        run = self._paid.start()
        answers: list[str | Failure] = []
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="probe") as pool:
            try:
                for answer in pool.map(lambda one: self._answer(name, one, run), questions):
                    answers.append(answer)
                    progress(len(answers), len(questions), "asking the LLM")
            finally:
                run.close()
        return answers

    def _answer(self, name: str, question: ChatRequest, run: Run) -> str | Failure:
        client, version = self._paid.client, version_of(name)
        key = answer_key(client, version, question)
        stored = self._cache.get(key)
        reply: Completion | Failure | None = from_stored(stored) if stored else None
        if reply is None:
            call = PaidCall(None, client.provider, client.model, version, (key[:16],), run.id)
            reply = self._paid.ask(
                question, call, run, lambda completion: self._cache.put(key, to_stored(completion))
            )
        return _read(reply)


def _read(reply: Completion | Failure) -> str | Failure:
    if isinstance(reply, Failure):
        return reply
    answer = answer_in(reply.text)
    if answer is None:
        # A refusal to name a source or to go on is an answer: it gives nothing away.
        return reply.text if reply.stop is Stop.COMPLETE else ""
    return answer
