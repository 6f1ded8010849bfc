"""Anthropic, or any server that speaks its ``/v1/messages``."""

from __future__ import annotations

from typing import Any

import httpx2

from backend.llm.chat import ChatRequest, Completion, Failure
from backend.llm.clients.connection import (
    NO_KEY,
    failure,
    http_options,
    keep_texts_out_of_logs,
)
from backend.llm.failures import Endpoint
from backend.llm.models import anthropic_effort, anthropic_thinking
from backend.llm.wire import read_anthropic

ADDRESS = "https://api.anthropic.com"


class AnthropicClient:
    """See :class:`backend.llm.chat.ChatClient`.

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
        import anthropic  # noqa: PLC0415 - see the package's docstring

        keep_texts_out_of_logs()
        self.model = model
        self._endpoint = Endpoint(self.provider, model, base_url or ADDRESS)
        self._sdk = anthropic
        self._client = anthropic.Anthropic(
            api_key=api_key or NO_KEY,
            base_url=self._endpoint.address,
            max_retries=0,
            http_client=anthropic.DefaultHttpxClient(**http_options(timeout_seconds)),
        )

    def ask(self, request: ChatRequest) -> Completion | Failure:
        """See :meth:`backend.llm.chat.ChatClient.ask`."""
        try:
            reply = self._client.post(
                "/v1/messages", body=body_of(self.model, request), cast_to=httpx2.Response
            )
            return read_anthropic(reply.content)
        except (self._sdk.APIError, httpx2.HTTPError) as error:
            return failure(self._sdk, error, self._endpoint)


def body_of(model: str, request: ChatRequest) -> dict[str, Any]:
    """The request as JSON."""
    answer_format = {"type": "json_schema", "schema": dict(request.schema)}
    system = {"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}
    return {
        "model": model,
        "system": [system],
        "messages": [{"role": "user", "content": request.user}],
        "max_tokens": request.max_output_tokens,
        "output_config": {"format": answer_format, **anthropic_effort(model)},
        **anthropic_thinking(model),
    }
