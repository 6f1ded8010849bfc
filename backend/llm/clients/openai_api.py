"""OpenAI, or any server that speaks its ``/chat/completions``."""

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
from backend.llm.models import openai_limits
from backend.llm.wire import read_openai

ADDRESS = "https://api.openai.com/v1"


class OpenAIClient:
    """See :class:`backend.llm.chat.ChatClient`."""

    provider = "openai"

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        import openai  # noqa: PLC0415 - see the package's docstring

        keep_texts_out_of_logs()
        self.model = model
        self._endpoint = Endpoint(self.provider, model, base_url or ADDRESS)
        self._sdk = openai
        self._client = openai.OpenAI(
            api_key=api_key or NO_KEY,
            base_url=self._endpoint.address,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(**http_options(timeout_seconds)),
        )

    def ask(self, request: ChatRequest) -> Completion | Failure:
        """See :meth:`backend.llm.chat.ChatClient.ask`."""
        try:
            reply = self._client.post(
                "/chat/completions", body=body_of(self.model, request), cast_to=httpx2.Response
            )
            return read_openai(reply.content)
        except (self._sdk.APIError, httpx2.HTTPError) as error:
            return failure(self._sdk, error, self._endpoint)


def body_of(model: str, request: ChatRequest) -> dict[str, Any]:
    """The request as JSON."""
    answer_format = {"name": "entities", "schema": dict(request.schema), "strict": True}
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": request.system},
            {"role": "user", "content": request.user},
        ],
        "response_format": {"type": "json_schema", "json_schema": answer_format},
        **openai_limits(model, request.max_output_tokens),
    }
