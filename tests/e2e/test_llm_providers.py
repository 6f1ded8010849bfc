"""One call at a time to a strict provider over real sockets: how each ends, what it cost."""

import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest

from backend.domain import LabelScheme, Outcome, Task, Usage
from backend.errors import ProviderError
from backend.llm.chat import NOTHING_BILLED, ChatRequest, Completion, Failure, Stop
from backend.llm.clients import AnthropicClient, OpenAIClient
from backend.llm.models import DEFAULT_MODELS
from backend.llm.prompt import Brief, Prompt
from backend.testing.scripted_llm import Fault, ScriptedLlm
from backend.text.spans import Mention

SCHEME = LabelScheme(("PER", "LOC"))
REQUEST = Prompt("entities-v1").question([Task("1", "Ada saw Lagos", "pcm")], Brief(SCHEME))
UNKNOWN = None


class Provider:
    """A scripted server and how to make clients of it."""

    def __init__(self, server: ScriptedLlm, name: str) -> None:
        self.server = server
        self.name = name

    def client(self, *, model: str | None = None, key: str | None = None, timeout: float = 20):
        kind, address = {
            "openai": (OpenAIClient, self.server.openai_url),
            "anthropic": (AnthropicClient, self.server.anthropic_url),
        }[self.name]
        return kind(
            model or DEFAULT_MODELS[self.name], key or self.server.api_key, address, timeout
        )

    def ask(self, request: ChatRequest = REQUEST, **client: object) -> Completion | Failure:
        return self.client(**client).ask(request)


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    with ScriptedLlm(lambda text: [Mention(text[:3], "PER", 1, 0.5)]) as server:
        yield Provider(server, request.param)


def test_a_good_request_is_answered_with_its_bill(provider: Provider):
    reply = provider.ask()
    assert isinstance(reply, Completion)
    assert reply.stop is Stop.COMPLETE
    assert '"mention": "Ada"' in reply.text
    assert reply.usage == provider.server.calls[0].usage


@pytest.mark.parametrize(
    ("fault", "outcome", "retryable", "billed"),
    [
        (Fault.RATE_LIMIT, Outcome.UNREACHABLE, True, NOTHING_BILLED),
        (Fault.SERVER_ERROR, Outcome.UNREACHABLE, True, NOTHING_BILLED),
        (Fault.GATEWAY_TIMEOUT, Outcome.UNREACHABLE, True, UNKNOWN),
        (Fault.CUT, Outcome.UNREACHABLE, True, UNKNOWN),
        (Fault.BAD_REQUEST, Outcome.INVALID, False, NOTHING_BILLED),
        (Fault.PROMPT_FILTERED, Outcome.FILTERED, False, NOTHING_BILLED),
        (Fault.NOT_JSON, Outcome.INVALID, True, UNKNOWN),
    ],
)
def test_a_call_that_fails_says_how_and_what_it_cost(provider, fault, outcome, retryable, billed):
    provider.server.fail_next(fault)
    reply = provider.ask()
    assert isinstance(reply, Failure)
    assert (reply.outcome, reply.retryable, reply.usage) == (outcome, retryable, billed)


def test_a_call_that_hangs_ends_at_the_timeout_and_may_have_been_billed(provider: Provider):
    provider.server.fail_next(Fault.HANG)
    reply = provider.ask(timeout=1.0)
    assert isinstance(reply, Failure)
    assert (reply.outcome, reply.usage) == (Outcome.UNREACHABLE, UNKNOWN)
    assert len(provider.server.calls) == 1


def test_an_answer_that_trickles_in_ends_at_the_timeout_too(provider: Provider):
    provider.server.fail_next(Fault.TRICKLE)
    reply = provider.ask(timeout=0.5)
    assert isinstance(reply, Failure)
    assert (reply.outcome, reply.usage) == (Outcome.UNREACHABLE, UNKNOWN)


def test_a_server_that_is_not_there_bills_nothing(provider: Provider):
    client = provider.client()
    provider.server.__exit__(None, None, None)
    reply = client.ask(REQUEST)
    assert isinstance(reply, Failure)
    assert (reply.outcome, reply.retryable, reply.usage) == (
        Outcome.UNREACHABLE,
        True,
        NOTHING_BILLED,
    )


@pytest.mark.parametrize(
    ("fault", "stops"),
    [
        (Fault.REFUSAL, {Stop.REFUSED}),
        (Fault.TRUNCATION, {Stop.TRUNCATED}),
        (Fault.FILTERED, {Stop.FILTERED, Stop.REFUSED}),
    ],
)
def test_an_unfinished_answer_is_a_billed_answer(provider, fault, stops):
    provider.server.fail_next(fault)
    reply = provider.ask()
    assert isinstance(reply, Completion)
    assert reply.stop in stops
    assert reply.usage == provider.server.calls[0].usage


def test_an_answer_without_content_keeps_its_bill(provider: Provider):
    provider.server.fail_next(Fault.NO_CHOICES)
    reply = provider.ask()
    assert isinstance(reply, Failure)
    assert reply.usage == provider.server.calls[0].usage


def test_retry_after_is_passed_on(provider: Provider):
    provider.server.fail_next(Fault.RATE_LIMIT_FOR_AN_HOUR)
    assert provider.ask().retry_after == 3600


def test_one_call_is_one_request(provider: Provider):
    provider.server.fail_next(Fault.SERVER_ERROR, Fault.SERVER_ERROR)
    provider.ask()
    assert provider.server.requests == 1


@pytest.mark.filterwarnings("ignore:The model 'claude-3-opus:DeprecationWarning")
def test_a_retired_model_is_an_error_that_names_a_current_one(provider: Provider):
    retired = {"openai": "gpt-4-turbo-2024-04-09", "anthropic": "claude-3-opus-20240229"}
    with pytest.raises(ProviderError, match=DEFAULT_MODELS[provider.name]):
        provider.ask(model=retired[provider.name])


def test_a_wrong_key_is_an_error_that_does_not_show_it(provider: Provider):
    with pytest.raises(ProviderError, match=f"llm.{provider.name}_api_key") as refusal:
        provider.ask(key="sk-canary")
    assert "sk-canary" not in str(refusal.value)


@pytest.mark.parametrize("fault", [Fault.NO_CREDIT, Fault.REDIRECT])
def test_an_empty_account_and_a_moved_address_stop_everything(provider: Provider, fault: Fault):
    provider.server.fail_next(fault)
    with pytest.raises(ProviderError):
        provider.ask()


@pytest.mark.parametrize(
    "text", ["\ud800 Ada", "Ada \x00", "👩🏾‍🏫" * 50, "Ìbàdàn\r\n" * 50, '"""" {% raw %} </text>']
)
def test_any_text_arrives_as_it_is(provider: Provider, text: str):
    request = Prompt("entities-v1").question([Task("1", text)], Brief(SCHEME))
    assert isinstance(provider.ask(request), Completion)
    assert provider.server.texts == [text.replace("\ud800", "?")]


def test_neither_keys_nor_texts_are_logged_even_at_debug(provider, caplog):
    caplog.set_level(logging.DEBUG)
    provider.ask()
    assert provider.server.api_key not in caplog.text
    assert "Lagos" not in caplog.text


def test_the_bill_of_the_server_adds_up(provider: Provider):
    provider.ask()
    provider.ask()
    assert provider.server.billed_usd == 2 * provider.server.calls[0].cost > Decimal(0)
    assert provider.server.calls[0].usage.input > Usage().input
