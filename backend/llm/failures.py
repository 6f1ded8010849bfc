"""What an error status of a provider means for a call, and for all calls.

Both providers answer with the same envelope and, where it matters, the same codes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from backend.domain import Outcome
from backend.errors import ProviderError
from backend.llm.chat import NOTHING_BILLED, Failure
from backend.llm.models import DEFAULT_MODELS

DETAIL_LENGTH = 300
RETRYABLE = frozenset({408, 409, 425, 429})
LOST_ON_THE_WAY = frozenset({408, 502, 504})
"""A gateway gave up waiting: the provider may have answered, and billed, all the same."""

FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
CREDIT_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_error"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom a client talks to, as error messages need to say it."""

    provider: str
    model: str
    address: str


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """A response with an error status; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def failure_of(reply: ErrorReply, endpoint: Endpoint, now: datetime | None = None) -> Failure:
    """What an error reply means for this call.

    Raises :class:`~backend.errors.ProviderError` when it means the same for every call.
    """
    codes, message = _error_of(reply.body)
    _raise_if_no_call_can_work(reply.status, codes, message, endpoint)
    detail = f"HTTP {reply.status}: {message}"[:DETAIL_LENGTH]
    if codes & FILTER_CODES:
        return Failure(Outcome.FILTERED, detail, retryable=False, usage=NOTHING_BILLED)
    if reply.status in RETRYABLE or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure(
            Outcome.UNREACHABLE,
            detail,
            retryable=True,
            usage=None if reply.status in LOST_ON_THE_WAY else NOTHING_BILLED,
            retry_after=_retry_after(reply.headers, now or datetime.now(UTC)),
        )
    return Failure(Outcome.INVALID, detail, retryable=False, usage=NOTHING_BILLED)


def _raise_if_no_call_can_work(
    status: int, codes: frozenset[str], message: str, endpoint: Endpoint
) -> None:
    """The server's own words about keys are left out: they may quote one."""
    where = f"{endpoint.provider} at {endpoint.address}"
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise ProviderError(
            f"{where} refused the API key (HTTP {status}): it is wrong, revoked, or not allowed "
            f"to use {endpoint.model!r}. Check llm.{endpoint.provider}_api_key."
        )
    if status == HTTPStatus.PAYMENT_REQUIRED or codes & CREDIT_CODES or "credit balance" in message:
        raise ProviderError(
            f"{where} has no credit left for this key (HTTP {status}). Add credit at the "
            "provider, or choose another one in llm.provider."
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE} or "model_not_found" in codes:
        raise ProviderError(
            f"{where} does not serve the model {endpoint.model!r} (HTTP {status}): it was retired "
            "or is misspelt, or the address is wrong. Set llm.model to a current one, such as "
            f"{DEFAULT_MODELS[endpoint.provider]!r}, or llm.{endpoint.provider}_base_url to a "
            "server that still has it."
        )
    if status < HTTPStatus.BAD_REQUEST:
        raise ProviderError(
            f"{where} redirects elsewhere (HTTP {status}), and keys are sent to the configured "
            f"address only. Set llm.{endpoint.provider}_base_url to the final address."
        )


def _error_of(body: bytes) -> tuple[frozenset[str], str]:
    """Codes and message of an error body; a body in no known form is its own message."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    error = data.get("error", data) if isinstance(data, dict) else None
    if isinstance(error, str):
        return frozenset(), error
    if not isinstance(error, dict):
        return frozenset(), text
    codes = frozenset(str(error[key]) for key in ("code", "type") if error.get(key))
    return codes, str(error.get("message") or text)


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the provider wants to be left alone; RFC 9110 allows a number or a date."""
    value = headers.get("retry-after", "").strip()
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        return max((parsedate_to_datetime(value) - now).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
