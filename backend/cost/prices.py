"""What a call to an LLM costs, in US dollars.

Prices come from the ``genai-prices`` package, whose version fixes the date of the data, or from
the configuration. A model without a known price is refused, never priced 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING

from backend.domain import PriceTag, Usage
from backend.errors import ProviderError

if TYPE_CHECKING:
    from genai_prices.types import TieredPrices

PER_MILLION = Decimal(1_000_000)
PRICE_PACKAGE = "genai-prices"


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens, for calls whose input is more than ``above`` tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal
    cache_write: Decimal
    above: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """The rates of one model, by ascending ``above``.

    ``source`` says where they come from, ``as_of`` on which day they hold.
    """

    model: str
    rates: tuple[Rates, ...]
    source: str
    as_of: date | None = None

    @property
    def tag(self) -> PriceTag:
        """The price as the ledger keeps it."""
        return PriceTag(self.rates[0].input, self.rates[0].output, self.source, self.as_of)

    def at_half(self) -> Price:
        """The price of a call in a batch, which both vendors discount by half."""
        halves = (
            replace(
                rates,
                input=rates.input / 2,
                output=rates.output / 2,
                cached_input=rates.cached_input / 2,
                cache_write=rates.cache_write / 2,
            )
            for rates in self.rates
        )
        return replace(self, rates=tuple(halves), source=f"{self.source}, half price in a batch")

    def rates_for(self, input_tokens: int) -> Rates:
        """The rates of a call of that size; a longer one costs more for every token of it."""
        reached = [rates for rates in self.rates if input_tokens > rates.above]
        return reached[-1] if reached else self.rates[0]


def cost(price: Price, usage: Usage) -> Decimal:
    """The bill for ``usage``, cached input at its lower and cache writes at their higher rate."""
    rates = price.rates_for(usage.input)
    fresh = max(usage.input - usage.cached_input - usage.cache_write, 0)
    return (
        fresh * rates.input
        + usage.cached_input * rates.cached_input
        + usage.cache_write * rates.cache_write
        + usage.output * rates.output
    ) / PER_MILLION


def most_it_can_cost(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    """An upper bound on the bill of a call with at most so many tokens.

    All of the input may be written to the provider's cache, all of the output may be used.
    """
    rates = price.rates_for(input_tokens)
    dearest_input = max(rates.input, rates.cached_input, rates.cache_write)
    return (input_tokens * dearest_input + output_tokens * rates.output) / PER_MILLION


def price_of(
    provider: str | None,
    model: str,
    configured: tuple[float, float] | None = None,
    at: datetime | None = None,
) -> Price:
    """The price of ``model`` at ``at`` (default: now).

    Without a ``provider``, the name says whose model it is. ``configured`` is (input, output) in
    US dollars per million tokens and wins over the data.
    Raises :class:`~backend.errors.ProviderError` for a model that the data does not know.
    """
    when = at or datetime.now(UTC)
    if configured is not None:
        dollars_in, dollars_out = (Decimal(str(rate)) for rate in configured)
        flat = Rates(dollars_in, dollars_out, cached_input=dollars_in, cache_write=dollars_in)
        return Price(model, (flat,), "llm.price_usd_per_million", when.date())
    return Price(
        model,
        _known_rates(provider, model, when),
        f"{PRICE_PACKAGE} {version(PRICE_PACKAGE)}",
        when.date(),
    )


def _known_rates(provider: str | None, model: str, at: datetime) -> tuple[Rates, ...]:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 170 ms of price data

    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        raise _unknown(provider, model) from None
    prices = info.get_prices(at)
    if prices.input_mtok is None or prices.output_mtok is None:
        raise _unknown(provider, model)
    columns = {
        "input": prices.input_mtok,
        "output": prices.output_mtok,
        "cached_input": prices.cache_read_mtok or prices.input_mtok,
        "cache_write": prices.cache_write_mtok or prices.input_mtok,
    }
    thresholds = {0} | {start for rate in columns.values() for start, _ in _tiers(rate)}
    return tuple(
        Rates(**{name: _rate_above(rate, above) for name, rate in columns.items()}, above=above)
        for above in sorted(thresholds)
    )


def _tiers(rate: Decimal | TieredPrices) -> list[tuple[int, Decimal]]:
    """Ascending (tokens of input above which it holds, US dollars per million tokens)."""
    if isinstance(rate, Decimal):
        return [(0, rate)]
    return [(0, rate.base), *((tier.start, tier.price) for tier in rate.tiers)]


def _rate_above(rate: Decimal | TieredPrices, above: int) -> Decimal:
    return [price for start, price in _tiers(rate) if start <= above][-1]


def _unknown(provider: str | None, model: str) -> ProviderError:
    return ProviderError(
        f"The price of {model!r} at {provider or 'any provider'} is not known, so calls to it "
        "could not be kept within the budget. Check the name in llm.model, or set "
        "llm.price_usd_per_million to its price for input and output ([0, 0] for a model of your "
        "own)."
    )
