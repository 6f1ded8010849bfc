import pytest
from pydantic import SecretStr

from backend.errors import ConfigurationError, ProviderError
from backend.llm.factory import build_annotator
from backend.llm.models import DEFAULT_MODELS
from backend.settings import LlmSettings
from backend.testing.annotators import MemoryAnswerCache, MemoryLedger

KEY = SecretStr("sk-canary")


def built(**settings: object):
    return build_annotator(
        LlmSettings(**settings), project_id=1, ledger=MemoryLedger(), cache=MemoryAnswerCache()
    )


def test_without_a_key_there_is_no_annotator():
    assert built() is None


def test_none_means_none_whatever_keys_there_are():
    assert built(provider="none", openai_api_key=KEY) is None


@pytest.mark.parametrize(
    ("keys", "provider"),
    [
        ({"openai_api_key": KEY, "anthropic_api_key": KEY}, "openai"),
        ({"anthropic_api_key": KEY, "openai_api_key": SecretStr("")}, "anthropic"),
    ],
)
def test_auto_takes_the_first_provider_with_a_key_and_a_current_model(keys, provider):
    assert built(**keys).model == DEFAULT_MODELS[provider]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_named_provider_without_a_key_is_an_error_that_names_the_variable(provider: str):
    with pytest.raises(ConfigurationError, match=f"{provider.upper()}_API_KEY"):
        built(provider=provider)


def test_a_server_of_ones_own_needs_no_key():
    annotator = built(
        provider="openai",
        openai_base_url="http://localhost:11434/v1",
        model="qwen3:8b",
        price_usd_per_million=(0, 0),
    )
    assert annotator.model == "qwen3:8b"


def test_a_server_of_ones_own_needs_the_name_of_a_model():
    with pytest.raises(ConfigurationError, match=r"llm\.model"):
        built(provider="openai", openai_base_url="http://localhost:11434/v1")


def test_a_model_whose_price_is_unknown_is_refused():
    with pytest.raises(ProviderError, match=r"llm\.price_usd_per_million"):
        built(openai_api_key=KEY, model="gpt-unheard-of")


def test_an_unknown_prompt_is_an_error():
    with pytest.raises(ConfigurationError, match="entities-v1"):
        built(openai_api_key=KEY, prompt="entities-v0")
