"""The server's side of both LLM wire protocols: what is refused, and what replies look like.

As strict as the vendors are, so that a request which passes here is one they would take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from backend.domain import Usage
from backend.llm.chat import Completion, Stop

ANTHROPIC_VERSIONS = {"2023-06-01", "2026-10-21"}
SAMPLING = ("temperature", "top_p", "top_k")
RETIRED = ("gpt-4-turbo", "gpt-4-0125-preview", "gpt-4-1106", "gpt-3.5", "claude-3", "claude-2")
STRICT_KEYWORDS = {"type", "properties", "required", "additionalProperties", "items", "enum"}

TOKEN_BYTES, TOKEN_LOGPROB = 5, -0.05

OPENAI_FINISH = {
    Stop.COMPLETE: "stop",
    Stop.REFUSED: "stop",
    Stop.TRUNCATED: "length",
    Stop.FILTERED: "content_filter",
}
ANTHROPIC_REASONS = {
    Stop.COMPLETE: "end_turn",
    Stop.REFUSED: "refusal",
    Stop.TRUNCATED: "max_tokens",
    Stop.FILTERED: "refusal",
}

Json = dict[str, Any]


class RequestRefusedError(Exception):
    """A request that the vendor would refuse: status, code and message of the reply."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks: the model, the whole prompt, the limit on the answer, and how much."""

    model: str
    prompt: str
    max_output_tokens: int
    logprobs: bool = False


class WireProtocol(Protocol):
    """One vendor's requests and replies."""

    provider: str

    def read(self, headers: Mapping[str, str], body: Json) -> Question:
        """The question in a request; raises :class:`RequestRefusedError` for a wrong one."""

    def reply(self, question: Question, completion: Completion) -> Json:
        """The body of a 200 response."""

    def error(self, code: str, message: str) -> Json:
        """The body of an error response."""


class OpenAIWire:
    """``POST /v1/chat/completions``."""

    provider = "openai"

    def read(self, headers: Mapping[str, str], body: Json) -> Question:
        """See :meth:`WireProtocol.read`."""
        model = str(body["model"])
        _demand_served(model)
        reasons = model.startswith(("gpt-5", "gpt-6"))
        if reasons and ("max_tokens" in body or any(name in body for name in SAMPLING)):
            raise RequestRefusedError(400, "unsupported_parameter", f"not supported by {model}")
        answer_format = body["response_format"]
        _demand(answer_format["type"] == "json_schema", "response_format.type")
        _demand(answer_format["json_schema"]["strict"] is True, "response_format.strict")
        _demand_strict(answer_format["json_schema"]["schema"])
        limit = body["max_completion_tokens" if reasons else "max_tokens"]
        prompt = "\n".join(message["content"] for message in body["messages"])
        return Question(model, prompt, int(limit), bool(body.get("logprobs")))

    def reply(self, question: Question, completion: Completion) -> Json:
        """See :meth:`WireProtocol.reply`."""
        text, stop, usage = completion.text, completion.stop, completion.usage or Usage()
        refused = stop is Stop.REFUSED
        message = {
            "role": "assistant",
            "content": None if refused else text,
            "refusal": text if refused else None,
        }
        return {
            "id": "chatcmpl-scripted",
            "object": "chat.completion",
            "created": 1_793_000_000,
            "model": question.model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": OPENAI_FINISH[stop],
                    "logprobs": logprobs_of(text) if question.logprobs else None,
                }
            ],
            "usage": {
                "prompt_tokens": usage.input,
                "completion_tokens": usage.output,
                "total_tokens": usage.input + usage.output,
                "prompt_tokens_details": {"cached_tokens": usage.cached_input},
            },
        }

    def error(self, code: str, message: str) -> Json:
        """See :meth:`WireProtocol.error`."""
        return {"error": {"message": message, "type": "error", "param": None, "code": code}}


class AnthropicWire:
    """``POST /v1/messages``."""

    provider = "anthropic"

    def read(self, headers: Mapping[str, str], body: Json) -> Question:
        """See :meth:`WireProtocol.read`."""
        version = headers.get("anthropic-version")
        if version not in ANTHROPIC_VERSIONS:
            raise RequestRefusedError(400, "invalid_request_error", "anthropic-version: required")
        if version == "2026-10-21" and any(name in body for name in SAMPLING):
            raise RequestRefusedError(400, "invalid_request_error", "temperature: not permitted")
        model = str(body["model"])
        _demand_served(model)
        answer_format = body["output_config"]["format"]
        _demand(answer_format["type"] == "json_schema", "output_config.format.type")
        _demand_strict(answer_format["schema"])
        system = "\n".join(block["text"] for block in body["system"])
        messages = "\n".join(message["content"] for message in body["messages"])
        return Question(model, f"{system}\n{messages}", int(body["max_tokens"]))

    def reply(self, question: Question, completion: Completion) -> Json:
        """See :meth:`WireProtocol.reply`."""
        text, stop, usage = completion.text, completion.stop, completion.usage or Usage()
        return {
            "id": "msg_scripted",
            "type": "message",
            "role": "assistant",
            "model": question.model,
            "content": [] if stop is Stop.REFUSED else [{"type": "text", "text": text}],
            "stop_reason": ANTHROPIC_REASONS[stop],
            "stop_sequence": None,
            "usage": {
                "input_tokens": usage.input - usage.cached_input,
                "output_tokens": usage.output,
                "cache_read_input_tokens": usage.cached_input,
                "cache_creation_input_tokens": 0,
            },
        }

    def error(self, code: str, message: str) -> Json:
        """See :meth:`WireProtocol.error`."""
        return {"type": "error", "error": {"type": code, "message": message}}


PROTOCOLS: Mapping[str, WireProtocol] = {
    "/v1/chat/completions": OpenAIWire(),
    "/v1/messages": AnthropicWire(),
}


def logprobs_of(text: str) -> Json:
    """Every token is :data:`TOKEN_BYTES` long and equally likely; some hold half a character."""
    content = text.encode()
    tokens = [content[at : at + TOKEN_BYTES] for at in range(0, len(content), TOKEN_BYTES)]
    return {
        "content": [
            {
                "token": token.decode(errors="replace"),
                "bytes": list(token),
                "logprob": TOKEN_LOGPROB,
                "top_logprobs": [],
            }
            for token in tokens
        ]
    }


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise RequestRefusedError(400, "invalid_request_error", f"{what} is not acceptable")


def _demand_served(model: str) -> None:
    if model.startswith(RETIRED):
        raise RequestRefusedError(404, "model_not_found", f"the model {model} does not exist")


def _demand_strict(schema: Json) -> None:
    """What strict modes take: closed objects, everything required, no bounds."""
    _demand(set(schema) <= STRICT_KEYWORDS, "a schema keyword")
    if schema["type"] == "object":
        _demand(schema["additionalProperties"] is False, "an open object")
        _demand(set(schema["required"]) == set(schema["properties"]), "an optional property")
        for part in schema["properties"].values():
            _demand_strict(part)
    if schema["type"] == "array":
        _demand_strict(schema["items"])
