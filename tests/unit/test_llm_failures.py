import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Outcome
from backend.errors import ProviderError
from backend.llm.chat import NOTHING_BILLED, Failure
from backend.llm.failures import Endpoint, ErrorReply, failure_of

ENDPOINT = Endpoint("openai", "gpt-4-turbo", "https://llm.example/v1")
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def failure(status: int, code: str = "", message: str = "", **headers: str) -> Failure:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return failure_of(ErrorReply(status, named, body), ENDPOINT, NOON)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_worth_another_try(status: int):
    reply = failure(status)
    assert (reply.outcome, reply.retryable) == (Outcome.UNREACHABLE, True)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_the_provider_cannot_take_is_not_repeated(status: int):
    reply = failure(status, message="too long")
    assert (reply.outcome, reply.retryable) == (Outcome.INVALID, False)
    assert "too long" in reply.detail


def test_a_filtered_prompt_is_filtered():
    assert failure(400, "content_filter").outcome is Outcome.FILTERED


@pytest.mark.parametrize(
    ("status", "billed"), [(429, NOTHING_BILLED), (500, NOTHING_BILLED), (504, None)]
)
def test_only_an_answer_lost_behind_a_gateway_may_have_been_billed(status, billed):
    assert failure(status).usage == billed


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None):
    assert failure(429, retry_after=value).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (401, "invalid_api_key", "llm.openai_api_key"),
        (403, "", "llm.openai_api_key"),
        (402, "billing_error", "credit"),
        (429, "insufficient_quota", "credit"),
        (404, "model_not_found", "gpt-6-luna"),
        (400, "model_not_found", "gpt-6-luna"),
        (307, "", "llm.openai_base_url"),
    ],
)
def test_what_would_fail_every_call_is_an_error_that_says_what_to_do(status, code, message):
    with pytest.raises(ProviderError, match=message):
        failure(status, code)


def test_a_refused_key_is_not_quoted():
    with pytest.raises(ProviderError) as refusal:
        failure(401, message="Incorrect API key provided: sk-secret")
    assert "sk-secret" not in str(refusal.value)


@given(st.sampled_from([400, 429, 500]), st.binary(), st.text())
def test_no_error_body_raises_anything_else(status, body, header):
    reply = ErrorReply(status, {"retry-after": header}, body)
    assert isinstance(failure_of(reply, ENDPOINT, NOON), Failure)
