"""What the connections to both vendors have in common."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import httpx2

from backend.domain import Outcome
from backend.errors import ProviderError
from backend.llm.chat import NOTHING_BILLED, Failure
from backend.llm.failures import DETAIL_LENGTH, Endpoint, ErrorReply, failure_of

NO_KEY = "none"
"""Sent to servers of one's own, which ask for no key; the SDKs insist on some."""

CONNECT_SECONDS = 10.0
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
TRANSFER_SECONDS = 600.0
RETRIES_OF_QUESTIONS = 5
"""For what costs nothing: asking how a batch is doing. A batch itself is submitted once."""

EXPIRED = Failure(
    Outcome.UNREACHABLE,
    "the provider did not get to it before the batch ended",
    retryable=False,
    usage=NOTHING_BILLED,
)
STARTED_AT = "harambee_started_at"


def client_options(
    sdk: ModuleType, api_key: str | None, endpoint: Endpoint, timeout_seconds: float, retries: int
) -> dict[str, Any]:
    """Arguments for an SDK's client: no redirects, and an end to every answer."""
    return {
        "api_key": api_key or NO_KEY,
        "base_url": endpoint.address,
        "max_retries": retries,
        "http_client": sdk.DefaultHttpxClient(
            follow_redirects=False,
            timeout=httpx2.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            event_hooks={"request": [_note_start], "response": [_bounded(timeout_seconds)]},
        ),
    }


def failure(sdk: ModuleType, error: Exception, endpoint: Endpoint) -> Failure:
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


@contextmanager
def usable(sdk: ModuleType, endpoint: Endpoint) -> Iterator[None]:
    """Raise what an SDK raises about batches as :class:`~backend.errors.ProviderError`."""
    try:
        yield
    except (sdk.APIError, httpx2.HTTPError) as error:
        reason = failure(sdk, error, endpoint).detail
        raise ProviderError(
            f"The batch could not be seen to its end ({reason}). Nothing is lost: the same "
            "command goes on with it."
        ) from error


def refused(reply: ErrorReply, endpoint: Endpoint) -> Failure:
    """What an error reply inside a batch means; it is about one request, and never billed."""
    try:
        return replace(failure_of(reply, endpoint), usage=NOTHING_BILLED)
    except ProviderError as error:
        return Failure(Outcome.UNREACHABLE, str(error), retryable=False, usage=NOTHING_BILLED)


def keep_texts_out_of_logs() -> None:
    """At DEBUG the SDKs log prompts, and the transport below them logs headers with keys.

    At INFO it logs one line per call, which the ledger does better.
    """
    for name in ("openai", "anthropic", "httpx2", "httpcore2"):
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)


class _BoundedStream(httpx2.SyncByteStream):
    """A body that has to be there in time: the timeouts of httpx2 are for each read alone."""

    def __init__(self, stream: httpx2.SyncByteStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("the answer did not end in time")
            yield part

    def close(self) -> None:
        self._stream.close()


def _note_start(request: httpx2.Request) -> None:
    request.extensions[STARTED_AT] = time.monotonic()


def _bounded(seconds: float) -> Callable[[httpx2.Response], None]:
    def bound(response: httpx2.Response) -> None:
        stream = response.stream
        if isinstance(stream, httpx2.SyncByteStream):
            deadline = response.request.extensions[STARTED_AT] + seconds
            response.stream = _BoundedStream(stream, deadline)

    return bound
