import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Outcome, Usage
from backend.llm.chat import Completion, Failure, Stop
from backend.llm.wire import read_anthropic, read_openai

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "type", "text"]), inner
        )
    ),
    max_leaves=15,
)


def openai(message: object, finish: object = "stop", **extra: object) -> bytes:
    choice = {"message": message, "finish_reason": finish}
    return json.dumps({"choices": [choice], **extra}).encode()


def anthropic(content: object, stop: object = "end_turn", **extra: object) -> bytes:
    return json.dumps({"content": content, "stop_reason": stop, **extra}).encode()


def test_openai_counts_cached_tokens_as_part_of_the_input():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 20},
    }
    assert read_openai(openai({"content": "{}"}, usage=usage)) == Completion(
        "{}", Stop.COMPLETE, Usage(100, 7, cached_input=60, cache_write=20)
    )


def test_anthropic_counts_cached_tokens_beside_the_input():
    usage = {
        "input_tokens": 20,
        "output_tokens": 7,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 20,
    }
    body = anthropic([{"type": "thinking"}, {"type": "text", "text": "{}"}], usage=usage)
    assert read_anthropic(body) == Completion(
        "{}", Stop.COMPLETE, Usage(100, 7, cached_input=60, cache_write=20)
    )


@pytest.mark.parametrize(
    ("body", "stop"),
    [
        (openai({"content": "{", "refusal": None}, "length"), Stop.TRUNCATED),
        (openai({"content": ""}, "content_filter"), Stop.FILTERED),
        (openai({"content": None, "refusal": "no"}), Stop.REFUSED),
        (openai({"content": "{}"}, None), Stop.COMPLETE),
    ],
)
def test_openai_says_why_it_stopped(body: bytes, stop: Stop):
    assert read_openai(body).stop is stop


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("max_tokens", Stop.TRUNCATED),
        ("model_context_window_exceeded", Stop.TRUNCATED),
        ("refusal", Stop.REFUSED),
    ],
)
def test_anthropic_says_why_it_stopped(reason: str, stop: Stop):
    assert read_anthropic(anthropic([], reason)).stop is stop


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"choices": null}',
        b'{"choices": []}',
        openai(None),
        openai({"content": None}),
        openai({"content": ""}),
        openai({"content": ["a"]}),
        openai({}, "tool_calls"),
    ],
)
def test_a_200_that_is_no_answer_is_a_failure_worth_another_try(body: bytes):
    reply = read_openai(body)
    assert isinstance(reply, Failure)
    assert (reply.outcome, reply.retryable) == (Outcome.INVALID, True)


@pytest.mark.parametrize("content", [None, [], [{"type": "tool_use"}], [{"text": "{}"}], "{}"])
def test_a_message_without_text_is_a_failure(content: object):
    assert isinstance(read_anthropic(anthropic(content)), Failure)


def test_a_malformed_answer_keeps_its_bill():
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    assert read_openai(openai(None, usage=usage)).usage == Usage(9, 1)


@pytest.mark.parametrize("usage", [None, {}, "free", {"prompt_tokens": -5, "completion_tokens": 0}])
def test_a_bill_that_cannot_be_read_is_unknown_not_nothing(usage: object):
    assert read_openai(openai({"content": "{}"}, usage=usage)).usage is None


@given(JSON)
def test_no_body_raises(value):
    body = json.dumps(value).encode()
    assert isinstance(read_openai(body), Completion | Failure)
    assert isinstance(read_anthropic(body), Completion | Failure)
