"""Chat models behind the SDKs of OpenAI and Anthropic; the only module that imports these.

The SDKs' own retries are off: each attempt is paid, so each is our own decision and has its own
row in the ledger. Redirects are not followed, so that keys and texts go to the configured address
only. SDKs are imported when a client is made; that takes a second.
"""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import httpx2

from backend.domain import Outcome
from backend.llm.chat import NOTHING_BILLED, ChatRequest, Completion, Failure
from backend.llm.failures import DETAIL_LENGTH, Endpoint, ErrorReply, failure_of
from backend.llm.models import anthropic_effort, anthropic_thinking, openai_limits
from backend.llm.wire import read_anthropic, read_openai

OPENAI_ADDRESS = "https://api.openai.com/v1"
ANTHROPIC_ADDRESS = "https://api.anthropic.com"
NO_KEY = "none"
"""Sent to servers of one's own, which ask for no key; the SDKs insist on some."""

CONNECT_SECONDS = 10.0
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class OpenAIClient:
    """OpenAI, or any server that speaks its ``/chat/completions``."""

    provider = "openai"

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        import openai  # noqa: PLC0415 - see the module's docstring

        _keep_texts_out_of_logs()
        self.model = model
        self._endpoint = Endpoint(self.provider, model, base_url or OPENAI_ADDRESS)
        self._sdk = openai
        timeout = httpx2.Timeout(timeout_seconds, connect=CONNECT_SECONDS)
        self._client = openai.OpenAI(
            api_key=api_key or NO_KEY,
            base_url=self._endpoint.address,
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultHttpxClient(follow_redirects=False, timeout=timeout),
        )

    def ask(self, request: ChatRequest) -> Completion | Failure:
        """See :meth:`backend.llm.chat.ChatClient.ask`."""
        answer_format = {"name": "entities", "schema": dict(request.schema), "strict": True}
        parameters: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": request.system},
                {"role": "user", "content": request.user},
            ],
            "response_format": {"type": "json_schema", "json_schema": answer_format},
            **openai_limits(self.model, request.max_output_tokens),
        }
        try:
            raw = self._client.chat.completions.with_raw_response.create(**parameters)
            return read_openai(raw.content)
        except (self._sdk.APIError, httpx2.HTTPError) as error:
            return _failure(self._sdk, error, self._endpoint)


class AnthropicClient:
    """Anthropic, or any server that speaks its ``/v1/messages``.

    No temperature is sent: the current version of the protocol refuses it.
    """

    provider = "anthropic"

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        import anthropic  # noqa: PLC0415 - see the module's docstring

        _keep_texts_out_of_logs()
        self.model = model
        self._endpoint = Endpoint(self.provider, model, base_url or ANTHROPIC_ADDRESS)
        self._sdk = anthropic
        timeout = httpx2.Timeout(timeout_seconds, connect=CONNECT_SECONDS)
        self._client = anthropic.Anthropic(
            api_key=api_key or NO_KEY,
            base_url=self._endpoint.address,
            max_retries=0,
            timeout=timeout,
            http_client=anthropic.DefaultHttpxClient(follow_redirects=False, timeout=timeout),
        )

    def ask(self, request: ChatRequest) -> Completion | Failure:
        """See :meth:`backend.llm.chat.ChatClient.ask`."""
        answer_format = {"type": "json_schema", "schema": dict(request.schema)}
        system = {"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}
        parameters: dict[str, Any] = {
            "model": self.model,
            "system": [system],
            "messages": [{"role": "user", "content": request.user}],
            "max_tokens": request.max_output_tokens,
            "output_config": {"format": answer_format, **anthropic_effort(self.model)},
            **anthropic_thinking(self.model),
        }
        try:
            raw = self._client.messages.with_raw_response.create(**parameters)
            return read_anthropic(raw.read())
        except (self._sdk.APIError, httpx2.HTTPError) as error:
            return _failure(self._sdk, error, self._endpoint)


def _failure(sdk: ModuleType, error: Exception, endpoint: Endpoint) -> Failure:
    """What an SDK's exception means; both SDKs name theirs alike."""
    if isinstance(error, sdk.APIStatusError):
        response: httpx2.Response = error.response
        headers = {name.lower(): value for name, value in response.headers.items()}
        return failure_of(ErrorReply(response.status_code, headers, response.read()), endpoint)
    cause = error.__cause__ or error
    return Failure(
        Outcome.UNREACHABLE,
        f"no answer from {endpoint.address}: {type(cause).__name__} {cause}"[:DETAIL_LENGTH],
        retryable=True,
        usage=NOTHING_BILLED if isinstance(cause, NEVER_SENT) else None,
    )


def _keep_texts_out_of_logs() -> None:
    """At DEBUG the SDKs log prompts, and the transport below them logs headers with keys.

    At INFO it logs one line per call, which the ledger does better.
    """
    for name in ("openai", "anthropic", "httpx2", "httpcore2"):
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
