from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cost.prices import Price, Rates, cost, most_it_can_cost, price_of
from backend.domain import Usage
from backend.errors import ProviderError

AUTUMN_2026 = datetime(2026, 11, 1, tzinfo=UTC)
CHEAP = Price(
    "small",
    (
        Rates(Decimal(1), Decimal(5), cached_input=Decimal("0.1"), cache_write=Decimal("1.25")),
        Rates(Decimal(2), Decimal(8), Decimal("0.2"), Decimal("2.5"), above=1000),
    ),
    "a test",
)
TOKENS = st.integers(0, 5000)


@pytest.mark.parametrize(
    ("provider", "model", "dollars_in", "dollars_out"),
    [
        ("openai", "gpt-4-turbo-2024-04-09", "10", "30"),
        ("openai", "gpt-4o-mini", "0.15", "0.6"),
        ("anthropic", "claude-3-opus-20240229", "15", "75"),
        ("anthropic", "claude-haiku-4-5", "1", "5"),
    ],
)
def test_known_models_have_their_price_retired_ones_too(provider, model, dollars_in, dollars_out):
    rates = price_of(provider, model, at=AUTUMN_2026).rates[0]
    assert (rates.input, rates.output) == (Decimal(dollars_in), Decimal(dollars_out))


def test_an_unknown_model_is_refused_and_the_error_names_the_setting():
    with pytest.raises(ProviderError, match=r"llm\.price_usd_per_million"):
        price_of("openai", "my-own-model")


def test_a_configured_price_wins_and_may_be_nothing():
    assert cost(price_of("openai", "my-own-model", (0, 0)), Usage(1000, 1000)) == 0
    assert cost(price_of("openai", "gpt-4o", (1.5, 2)), Usage(1_000_000, 0)) == Decimal("1.5")


def test_a_price_says_where_it_comes_from():
    assert price_of("openai", "gpt-4o").source.startswith("genai-prices ")


def test_cached_input_is_cheaper_and_writing_to_the_cache_dearer():
    usage = Usage(input=900, output=10, cached_input=600, cache_write=200)
    expected = Decimal(100) + 600 * Decimal("0.1") + 200 * Decimal("1.25") + 10 * 5
    assert cost(CHEAP, usage) == expected / 1_000_000


def test_a_long_input_is_billed_at_the_higher_rates_from_its_first_token():
    assert cost(CHEAP, Usage(input=1001)) == Decimal(2002) / 1_000_000
    assert cost(CHEAP, Usage(input=1000)) == Decimal(1000) / 1_000_000


def test_the_tiers_of_the_data_are_kept():
    price = price_of("anthropic", "claude-haiku-5-5", at=AUTUMN_2026)
    assert price.rates_for(100_001).input > price.rates_for(100_000).input


@given(TOKENS, TOKENS, st.data())
def test_no_bill_exceeds_the_bound(input_tokens, output_tokens, data):
    cached = data.draw(st.integers(0, input_tokens))
    written = data.draw(st.integers(0, input_tokens - cached))
    usage = Usage(input_tokens, output_tokens, cached, written)
    assert cost(CHEAP, usage) <= most_it_can_cost(CHEAP, input_tokens, output_tokens)
