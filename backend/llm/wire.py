"""Replies of the two wire protocols as typed values; past this module there is no raw JSON key.

Servers that only claim to be compatible send anything under status 200, so nothing is taken for
granted: what is not a reply is a :class:`~backend.llm.chat.Failure`, with its bill if it has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from backend.domain import Outcome, Usage
from backend.llm.chat import Completion, Failure, Stop
from backend.llm.logprobs import Piece, certainties

Tokens = Annotated[int, Field(ge=0)]
Wire = TypeVar("Wire", bound=BaseModel)

OPENAI_STOPS = {"length": Stop.TRUNCATED, "content_filter": Stop.FILTERED}
ANTHROPIC_STOPS = {
    "max_tokens": Stop.TRUNCATED,
    "model_context_window_exceeded": Stop.TRUNCATED,
    "refusal": Stop.REFUSED,
}


class OpenAIMessage(BaseModel):
    """What the model wrote, or why it would not."""

    content: str | None = None
    refusal: str | None = None


class OpenAIChoice(BaseModel):
    """One answer; only one is ever asked for."""

    message: OpenAIMessage
    finish_reason: str | None = None
    logprobs: Any = None


class OpenAIToken(BaseModel):
    """A piece of an answer; its bytes need not be whole characters."""

    token: str
    logprob: float
    bytes: list[Annotated[int, Field(ge=0, le=255)]] | None = None

    def piece(self) -> Piece:
        """The token as :func:`backend.llm.logprobs.certainties` takes it."""
        content = self.token.encode("utf-8", "replace") if self.bytes is None else bytes(self.bytes)
        return content, self.logprob


class OpenAILogprobs(BaseModel):
    """How likely each token of an answer was."""

    content: list[OpenAIToken]


class OpenAIReply(BaseModel):
    """A chat completion."""

    choices: Annotated[list[OpenAIChoice], Field(min_length=1)]


class OpenAIInputDetails(BaseModel):
    """Parts of the input that are billed at other rates."""

    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None


class OpenAIUsage(BaseModel):
    """What a chat completion is billed for; details are part of the totals."""

    prompt_tokens: Tokens
    completion_tokens: Tokens
    prompt_tokens_details: OpenAIInputDetails | None = None


class AnthropicBlock(BaseModel):
    """A block of text, or of something else."""

    type: str
    text: str = ""


class AnthropicReply(BaseModel):
    """A message."""

    content: list[AnthropicBlock]
    stop_reason: str | None = None


class AnthropicUsage(BaseModel):
    """What a message is billed for; cached tokens come on top of ``input_tokens``."""

    input_tokens: Tokens
    output_tokens: Tokens
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None


def read_openai(body: bytes) -> Completion | Failure:
    """The completion in the body of a 200 response of ``/chat/completions``."""
    return _read(body, OpenAIReply, _openai_answer, _openai_usage)


def read_anthropic(body: bytes) -> Completion | Failure:
    """The completion in the body of a 200 response of ``/messages``."""
    return _read(body, AnthropicReply, _anthropic_answer, _anthropic_usage)


def _read(
    body: bytes,
    form: type[Wire],
    answer_of: Callable[[Wire], Completion],
    usage_of: Callable[[Any], Usage | None],
) -> Completion | Failure:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return _malformed("the reply is not JSON", None)
    usage = usage_of(data.get("usage")) if isinstance(data, dict) else None
    try:
        answer = answer_of(form.model_validate(data))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return _malformed(f"the reply has no usable {where or 'form'}: {first['msg']}", usage)
    if not answer.text and answer.stop is Stop.COMPLETE:
        return _malformed("the reply holds no text", usage)
    return replace(answer, usage=usage)


def _malformed(detail: str, usage: Usage | None) -> Failure:
    """A server that answers 200 with nonsense now may do better the next time."""
    return Failure(Outcome.INVALID, detail, retryable=True, usage=usage)


def _openai_answer(reply: OpenAIReply) -> Completion:
    choice = reply.choices[0]
    if choice.message.refusal:
        return Completion(choice.message.refusal, Stop.REFUSED, None)
    stop = OPENAI_STOPS.get(choice.finish_reason or "", Stop.COMPLETE)
    text = choice.message.content or ""
    likely = _validated(OpenAILogprobs, choice.logprobs) if choice.logprobs else None
    pieces = [token.piece() for token in likely.content] if likely else []
    return Completion(text, stop, None, certainties(text, pieces))


def _anthropic_answer(reply: AnthropicReply) -> Completion:
    text = "".join(block.text for block in reply.content if block.type == "text")
    return Completion(text, ANTHROPIC_STOPS.get(reply.stop_reason or "", Stop.COMPLETE), None)


def _openai_usage(data: Any) -> Usage | None:
    usage = _validated(OpenAIUsage, data)
    if usage is None:
        return None
    details = usage.prompt_tokens_details or OpenAIInputDetails()
    return Usage(
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
        cached_input=details.cached_tokens or 0,
        cache_write=details.cache_write_tokens or 0,
    )


def _anthropic_usage(data: Any) -> Usage | None:
    usage = _validated(AnthropicUsage, data)
    if usage is None:
        return None
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    return Usage(
        input=usage.input_tokens + read + written,
        output=usage.output_tokens,
        cached_input=read,
        cache_write=written,
    )


def _validated(form: type[Wire], data: Any) -> Wire | None:
    try:
        return form.model_validate(data)
    except ValidationError:
        return None
