"""What is asked of a chat model and what comes back, whichever provider serves it.

A call ends in one of three ways: a :class:`Completion` (the provider answered, and billed it), a
:class:`Failure` (this call did not work), or a :class:`~backend.errors.ProviderError` (no call
can work as configured: wrong key, no credit, retired model).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from backend.domain import Outcome, Usage

NOTHING_BILLED = Usage()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question. ``system`` is the same for many, so that providers can cache it.

    ``schema`` is a JSON schema for the answer in the subset that both providers' strict modes
    take: every property required, no additional ones, no numeric bounds. ``logprobs`` asks how
    likely each token of the answer was, of providers that can say it. ``repetition`` tells equal
    questions apart whose answers are to be compared; it is not sent.
    """

    system: str
    user: str
    schema: Mapping[str, Any]
    max_output_tokens: int
    logprobs: bool = False
    repetition: int = 0

    def identity(self) -> dict[str, Any]:
        """Everything that tells this question from others, as JSON takes it.

        Without what has its default: a question that could be asked before there was such a choice
        is still the same question, and its answer is paid for.
        """
        return {
            part.name: value
            for part in fields(self)
            if (value := getattr(self, part.name)) != part.default
        }


class Stop(enum.StrEnum):
    """Why a model stopped writing."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which model answered, and by which version of a prompt it was asked."""

    provider: str
    model: str
    prompt_version: str


@dataclass(frozen=True, slots=True)
class Certainty:
    """How likely the model found a mention and its label as it wrote them down.

    ``probability`` in [0, 1]: the product over the tokens of both. ``text`` is the number, from 1,
    of the text that it belongs to, ``None`` where the answer numbers none.
    """

    text: int | None
    mention: str
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer that the provider billed. ``usage`` is ``None`` where it did not say for what.

    ``certainties`` are those of the mentions, in the answer's order, where they were asked for.
    ``origin`` is for the records: it takes no part in equality.
    """

    text: str
    stop: Stop
    usage: Usage | None
    certainties: tuple[Certainty, ...] = ()
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without a usable answer.

    ``retryable`` says whether the same call may work later, ``retry_after`` after how many
    seconds the provider wants it. ``usage`` is what was billed: ``NOTHING_BILLED`` for a call
    that the provider turned down, ``None`` where it may have been billed and nobody knows.
    """

    outcome: Outcome
    detail: str
    retryable: bool
    usage: Usage | None = None
    retry_after: float | None = None


class ChatClient(Protocol):
    """A connection to one model. Safe to share between threads; makes one attempt per call."""

    @property
    def provider(self) -> str:
        """Whose wire protocol it speaks, which is also where prices are looked up."""

    @property
    def model(self) -> str:
        """The model's name at the provider."""

    def ask(self, request: ChatRequest) -> Completion | Failure:
        """One attempt.

        Raises :class:`~backend.errors.ProviderError` when no call can work as configured.
        """
