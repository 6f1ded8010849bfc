"""Answers exported to a file and taken from one, so that a run can be repeated without a key.

A recording holds one JSON object a line: the ``key`` of an answer (see :mod:`backend.llm.cache`),
the ``answer`` as it is stored, and in it the model and prompt it came from. It holds no texts but
those that a model wrote, and no secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from backend.domain import Outcome, PaidCall
from backend.errors import ConfigurationError, InputError
from backend.llm.cache import from_stored
from backend.llm.chat import ChatRequest, Completion, Failure
from backend.llm.factory import chosen_provider
from backend.llm.paid import Keep, PaidClient, Run
from backend.settings import LlmSettings

KEY = re.compile(r"[0-9a-f]{64}")
NOT_KNOWN = Failure(
    Outcome.UNREACHABLE,
    "no answer is known to this question, and none was asked for: the text, the labels, the model "
    "or the prompt are not those of the recording",
    retryable=False,
)


class KnownAnswers(PaidClient):
    """A client that asks nobody: what is not in the cache has no answer."""

    def ask(
        self, request: ChatRequest, call: PaidCall, run: Run, keep: Keep
    ) -> Completion | Failure:
        """See :meth:`backend.llm.paid.PaidClient.ask`."""
        return NOT_KNOWN


def without_key(llm: LlmSettings) -> LlmSettings:
    """Settings that need no key and no price, for :class:`KnownAnswers`.

    Raises :class:`~backend.errors.ConfigurationError` where they do not say whose answers to take.
    """
    provider = chosen_provider(llm)
    if provider is None:
        raise ConfigurationError(
            "Whose answers are to be replayed? Set llm.provider to openai or anthropic "
            "(HARAMBEE_LLM__PROVIDER) and, unless it was the default one, llm.model."
        )
    needed = {f"{provider}_api_key": "unused", "price_usd_per_million": (0.0, 0.0)}
    return LlmSettings.model_validate(llm.model_dump(exclude_defaults=True) | needed)


def write_recording(path: Path, answers: Iterable[tuple[str, str]]) -> int:
    """Write stored answers with their keys to a new file; returns how many."""
    written = 0
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for key, answer in answers:
                file.write(json.dumps({"key": key, "answer": json.loads(answer)}) + "\n")
                written += 1
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}.") from error
    return written


def read_recording(path: Path) -> Iterator[tuple[str, str]]:
    """Keys and stored answers of a recording.

    Raises :class:`~backend.errors.InputError` naming the first line that is none.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield _answer(line, f"{path}, line {number}")
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}.") from error


def _answer(line: str, place: str) -> tuple[str, str]:
    try:
        record: Any = json.loads(line)
        key, stored = record["key"], json.dumps(record["answer"])
    except (ValueError, TypeError, KeyError, RecursionError):
        key, stored = "", ""
    if not isinstance(key, str) or not KEY.fullmatch(key) or from_stored(stored) is None:
        raise InputError(f"{place}: this is no recorded answer; harambee llm record writes them.")
    return key, stored
