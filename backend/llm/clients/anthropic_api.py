"""Anthropic, or any server that speaks its ``/v1/messages``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx2

from backend.llm.chat import ChatRequest, Completion, Failure
from backend.llm.clients.connection import (
    EXPIRED,
    RETRIES_OF_QUESTIONS,
    TRANSFER_SECONDS,
    client_options,
    failure,
    keep_texts_out_of_logs,
    refused,
    usable,
)
from backend.llm.failures import Endpoint, ErrorReply
from backend.llm.models import anthropic_effort, anthropic_thinking
from backend.llm.wire import read_anthropic

ADDRESS = "https://api.anthropic.com"
BATCHES = "/v1/messages/batches"
SECONDS_BETWEEN_LOOKS = 30.0


class _Anthropic:
    """A model and a connection to it, however it is asked."""

    provider = "anthropic"

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None,
        timeout_seconds: float,
        retries: int,
    ) -> None:
        import anthropic  # noqa: PLC0415 - see the package's docstring

        keep_texts_out_of_logs()
        self.model = model
        self._endpoint = Endpoint(self.provider, model, base_url or ADDRESS)
        self._sdk = anthropic
        self._client = anthropic.Anthropic(
            **client_options(anthropic, api_key, self._endpoint, timeout_seconds, retries)
        )


class AnthropicClient(_Anthropic):
    """See :class:`backend.llm.chat.ChatClient`.

    No temperature is sent: the current version of the protocol refuses it.
    """

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        super().__init__(model, api_key, base_url, timeout_seconds, retries=0)

    def ask(self, request: ChatRequest) -> Completion | Failure:
        """See :meth:`backend.llm.chat.ChatClient.ask`."""
        try:
            reply = self._client.post(
                "/v1/messages", body=body_of(self.model, request), cast_to=httpx2.Response
            )
            return read_anthropic(reply.content)
        except (self._sdk.APIError, httpx2.HTTPError) as error:
            return failure(self._sdk, error, self._endpoint)


class AnthropicBatches(_Anthropic):
    """:class:`backend.llm.batches.BatchClient` of Anthropic.

    Its batches carry no metadata: one is known by the ids of the requests in it, which are only
    shown when it has ended.
    """

    def __init__(self, model: str, api_key: str | None, base_url: str | None = None) -> None:
        super().__init__(model, api_key, base_url, TRANSFER_SECONDS, RETRIES_OF_QUESTIONS)

    def submit(self, own_id: str, requests: Mapping[str, ChatRequest]) -> str:
        """See :meth:`backend.llm.batches.BatchClient.submit`."""
        body = [
            {"custom_id": name, "params": body_of(self.model, request)}
            for name, request in requests.items()
        ]
        once = self._client.with_options(max_retries=0)
        with usable(self._sdk, self._endpoint):
            reply = once.post(BATCHES, body={"requests": body}, cast_to=httpx2.Response)
        identifier: str = reply.json()["id"]
        return identifier

    def find(self, own_id: str) -> str | None:
        """See :meth:`backend.llm.batches.BatchClient.find`; waits for batches under way."""
        with usable(self._sdk, self._endpoint):
            for batch in self._client.messages.batches.list(limit=100):
                while not self.is_done(batch.id):
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                name, _ = next(self.results(batch.id), ("", EXPIRED))
                if name.startswith(f"{own_id}-"):
                    return batch.id
        return None

    def is_done(self, provider_id: str) -> bool:
        """See :meth:`backend.llm.batches.BatchClient.is_done`."""
        with usable(self._sdk, self._endpoint):
            batch = self._client.messages.batches.retrieve(provider_id)
        return batch.processing_status == "ended"

    def results(self, provider_id: str) -> Iterator[tuple[str, Completion | Failure]]:
        """See :meth:`backend.llm.batches.BatchClient.results`."""
        with usable(self._sdk, self._endpoint):
            reply = self._client.get(f"{BATCHES}/{provider_id}/results", cast_to=httpx2.Response)
        for line in reply.content.splitlines():
            item = json.loads(line)
            yield item["custom_id"], self._reply(item["result"])

    def _reply(self, result: dict[str, Any]) -> Completion | Failure:
        if result["type"] == "succeeded":
            return read_anthropic(json.dumps(result["message"]).encode("ascii"))
        if result["type"] == "errored":
            body = json.dumps(result["error"]).encode("ascii")
            return refused(ErrorReply(HTTPStatus.BAD_REQUEST, {}, body), self._endpoint)
        return EXPIRED


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
