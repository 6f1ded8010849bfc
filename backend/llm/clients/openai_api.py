"""OpenAI, or any server that speaks its ``/chat/completions``."""

from __future__ import annotations

import json
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
from backend.llm.models import openai_limits
from backend.llm.wire import read_openai

ADDRESS = "https://api.openai.com/v1"
OWN_ID = "harambee_batch"
DONE = frozenset({"completed", "failed", "expired", "cancelled"})


class _OpenAI:
    """A model and a connection to it, however it is asked."""

    provider = "openai"

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None,
        timeout_seconds: float,
        retries: int,
    ) -> None:
        import openai  # noqa: PLC0415 - see the package's docstring

        keep_texts_out_of_logs()
        self.model = model
        self._endpoint = Endpoint(self.provider, model, base_url or ADDRESS)
        self._sdk = openai
        self._client = openai.OpenAI(
            **client_options(openai, api_key, self._endpoint, timeout_seconds, retries)
        )


class OpenAIClient(_OpenAI):
    """See :class:`backend.llm.chat.ChatClient`."""

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        super().__init__(model, api_key, base_url, timeout_seconds, retries=0)
        # Whole, because the SDK would put it together anew for every call.
        self._completions = f"{self._endpoint.address.rstrip('/')}/chat/completions"

    def ask(self, request: ChatRequest) -> Completion | Failure:
        """See :meth:`backend.llm.chat.ChatClient.ask`."""
        try:
            reply = self._client.post(
                self._completions, body=body_of(self.model, request), cast_to=httpx2.Response
            )
            return read_openai(reply.content)
        except (self._sdk.APIError, httpx2.HTTPError) as error:
            return failure(self._sdk, error, self._endpoint)


class OpenAIBatches(_OpenAI):
    """:class:`backend.llm.batches.BatchClient` of OpenAI: a file in, a file out.

    Our own id travels in the batch's metadata.
    """

    def __init__(self, model: str, api_key: str | None, base_url: str | None = None) -> None:
        super().__init__(model, api_key, base_url, TRANSFER_SECONDS, RETRIES_OF_QUESTIONS)

    def submit(self, own_id: str, requests: Mapping[str, ChatRequest]) -> str:
        """See :meth:`backend.llm.batches.BatchClient.submit`."""
        lines = [
            {
                "custom_id": name,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body_of(self.model, request),
            }
            for name, request in requests.items()
        ]
        content = "\n".join(json.dumps(line) for line in lines).encode("ascii")
        once = self._client.with_options(max_retries=0)
        with usable(self._sdk, self._endpoint):
            file = self._client.files.create(file=(f"{own_id}.jsonl", content), purpose="batch")
            batch = once.batches.create(
                completion_window="24h",
                endpoint="/v1/chat/completions",
                input_file_id=file.id,
                metadata={OWN_ID: own_id},
            )
        return batch.id

    def find(self, own_id: str) -> str | None:
        """See :meth:`backend.llm.batches.BatchClient.find`."""
        with usable(self._sdk, self._endpoint):
            batches = self._client.batches.list(limit=100)
            return next(
                (batch.id for batch in batches if (batch.metadata or {}).get(OWN_ID) == own_id),
                None,
            )

    def is_done(self, provider_id: str) -> bool:
        """See :meth:`backend.llm.batches.BatchClient.is_done`."""
        with usable(self._sdk, self._endpoint):
            return self._client.batches.retrieve(provider_id).status in DONE

    def results(self, provider_id: str) -> Iterator[tuple[str, Completion | Failure]]:
        """See :meth:`backend.llm.batches.BatchClient.results`."""
        with usable(self._sdk, self._endpoint):
            batch = self._client.batches.retrieve(provider_id)
            files = filter(None, (batch.output_file_id, batch.error_file_id))
            contents = [self._client.files.content(file).content for file in files]
        for content in contents:
            for line in content.splitlines():
                result = json.loads(line)
                yield result["custom_id"], self._reply(result.get("response"))

    def _reply(self, response: dict[str, Any] | None) -> Completion | Failure:
        if response is None:
            return EXPIRED
        body = json.dumps(response["body"]).encode("ascii")
        if response["status_code"] == HTTPStatus.OK:
            return read_openai(body)
        return refused(ErrorReply(response["status_code"], {}, body), self._endpoint)


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
        **({"logprobs": True} if request.logprobs else {}),
        **openai_limits(model, request.max_output_tokens),
    }
