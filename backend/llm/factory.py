"""From settings to the LLM annotator they describe, or to none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import SecretStr

from backend.cost.prices import Price, price_of
from backend.domain import Example, LabelScheme
from backend.errors import ConfigurationError
from backend.llm.annotator import AnnotatorOptions, LlmAnnotator
from backend.llm.batches import BatchClient
from backend.llm.chat import ChatClient
from backend.llm.clients import (
    AnthropicBatches,
    AnthropicClient,
    OpenAIBatches,
    OpenAIClient,
)
from backend.llm.demonstrations import (
    Demonstrations,
    NearestDemonstrations,
    StaticDemonstrations,
)
from backend.llm.guidelines import find_guidelines
from backend.llm.models import DEFAULT_MODELS
from backend.llm.paid import PaidClient, RetryPolicy
from backend.llm.paper_prompt import PaperPrompt
from backend.llm.prompt import Prompt
from backend.protocols import AnswerCache, Ledger
from backend.settings import LlmSettings

CLIENTS: Mapping[str, Callable[[str, str | None, str | None, float], ChatClient]] = {
    "openai": OpenAIClient,
    "anthropic": AnthropicClient,
}

BATCHES: Mapping[str, Callable[[str, str | None, str | None], BatchClient]] = {
    "openai": OpenAIBatches,
    "anthropic": AnthropicBatches,
}

SAYS_LOGPROBS = frozenset({"openai"})

DEMONSTRATIONS: Mapping[str, Callable[[Sequence[Example], int], Demonstrations]] = {
    "static": StaticDemonstrations,
    "nearest": NearestDemonstrations,
}

Accepted = Callable[[LabelScheme], Sequence[Example]]
"""Accepted labels that may be shown, oldest first: none that are only measured on."""

MakePaid = Callable[[ChatClient, Price, Ledger, RetryPolicy], PaidClient]


def build_annotator(  # noqa: PLR0913 - the parts an annotator is made of
    llm: LlmSettings,
    *,
    project_id: int | None,
    ledger: Ledger,
    cache: AnswerCache,
    make_paid: MakePaid = PaidClient,
    accepted: Accepted | None = None,
    repetition: int = 0,
) -> LlmAnnotator | None:
    """The annotator of the settings; ``None`` where there is no provider, or no key for ``auto``.

    ``make_paid`` decides how calls are made, for example in a batch. ``accepted`` gives the labels
    that may be shown as examples. Of questions that differ in ``repetition`` alone each is asked.

    A provider that is named needs a key, except at an address of one's own. Raises
    :class:`~backend.errors.ConfigurationError` for a missing key, model or prompt, and
    :class:`~backend.errors.ProviderError` for a model whose price is not known.
    """
    paid = build_paid_client(llm, ledger, make_paid)
    if paid is None:
        return None
    if llm.confidence == "logprobs" and paid.client.provider not in SAYS_LOGPROBS:
        raise ConfigurationError(
            f"{paid.client.provider} does not say how likely its tokens are. Set llm.confidence "
            f"to stated, repetition or agreement."
        )
    prompt = chosen_prompt(llm)
    options = AnnotatorOptions(
        project_id,
        find_guidelines(llm.guidelines),
        llm.max_output_tokens,
        llm.concurrency,
        llm.sentences_per_call,
        chosen_demonstrations(llm, prompt, accepted),
        logprobs=llm.confidence == "logprobs",
        repetition=repetition,
    )
    return LlmAnnotator(paid, prompt, cache, options)


def build_paid_client(
    llm: LlmSettings, ledger: Ledger, make_paid: MakePaid = PaidClient
) -> PaidClient | None:
    """The client of the settings, whose calls are in the ledger; ``None`` without a provider.

    Raises what :func:`build_annotator` does for a missing key, model or price.
    """
    provider = chosen_provider(llm)
    if provider is None:
        return None
    client = _client(provider, llm)
    price = price_of(provider, client.model, llm.price_usd_per_million)
    return make_paid(client, price, ledger, RetryPolicy(llm.max_attempts, llm.deadline_seconds))


def build_batch_client(llm: LlmSettings) -> BatchClient | None:
    """The batches of the provider of the settings; ``None`` where there is no provider."""
    provider = chosen_provider(llm)
    if provider is None:
        return None
    model = _client(provider, llm).model
    return BATCHES[provider](model, _key(provider, llm), getattr(llm, f"{provider}_base_url"))


def chosen_prompt(llm: LlmSettings) -> Prompt:
    """The prompt of the settings, in the paper's own words where its templates are given."""
    if llm.paper_templates is not None:
        return PaperPrompt(llm.prompt, llm.paper_templates)
    return Prompt(llm.prompt)


def chosen_demonstrations(
    llm: LlmSettings, prompt: Prompt, accepted: Accepted | None
) -> Callable[[LabelScheme], Demonstrations] | None:
    """How examples are chosen from the accepted labels; ``None`` where none are shown."""
    if llm.demonstrations == "none":
        return None
    if not prompt.takes_examples:
        raise ConfigurationError(
            f"The prompt {prompt.version} has no place for examples. Set llm.demonstrations to "
            f"none, or llm.prompt to another one."
        )
    if accepted is None:
        return None
    choice = DEMONSTRATIONS[llm.demonstrations]
    return lambda scheme: choice(accepted(scheme), llm.demonstration_count)


def chosen_provider(llm: LlmSettings) -> str | None:
    """The named provider; for ``auto`` the first one with a key, OpenAI before Anthropic."""
    if llm.provider != "auto":
        return None if llm.provider == "none" else llm.provider
    return next((name for name in CLIENTS if _key(name, llm)), None)


def _client(provider: str, llm: LlmSettings) -> ChatClient:
    key = _key(provider, llm)
    address: str | None = getattr(llm, f"{provider}_base_url")
    if not key and not address:
        raise ConfigurationError(
            f"llm.provider is {provider!r}, and it has no key. Set {provider.upper()}_API_KEY, or "
            f"{provider.upper()}_BASE_URL to a server that needs none."
        )
    if not key and not llm.model:
        raise ConfigurationError(
            f"Which model does the server at {address} have? Set llm.model to its name."
        )
    model = llm.model or DEFAULT_MODELS[provider]
    return CLIENTS[provider](model, key, address, llm.timeout_seconds)


def _key(provider: str, llm: LlmSettings) -> str | None:
    secret: SecretStr | None = getattr(llm, f"{provider}_api_key")
    return (secret.get_secret_value() if secret else None) or None
