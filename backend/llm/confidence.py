"""Where an annotator's scores come from: what the model says, or answers that are compared."""

from __future__ import annotations

from collections.abc import Callable

from backend.errors import ConfigurationError
from backend.llm.panel import Member, PanelAnnotator
from backend.protocols import Annotator
from backend.settings import LlmSettings

Build = Callable[[LlmSettings, int], Member | None]
"""Makes the annotator of some settings for the n-th answer, from 0, to each question."""


def confident(llm: LlmSettings, build: Build) -> Annotator | None:
    """The annotator of the settings; its first answer to a question is the ordinary one.

    ``None`` where there is no provider. Raises what ``build`` raises, and
    :class:`~backend.errors.ConfigurationError` for a second model that is not named.
    """
    first = build(llm, 0)
    if first is None or llm.confidence in {"stated", "logprobs"}:
        return first
    if llm.confidence == "repetition":
        others = [build(llm, number) for number in range(1, llm.repetitions)]
        name = f"repeated-{llm.repetitions}"
    else:
        others = [build(_second(llm), 0)]
        name = f"confirmed-by-{llm.second_model}"
    return PanelAnnotator([first, *(other for other in others if other is not None)], name)


def _second(llm: LlmSettings) -> LlmSettings:
    if not llm.second_model:
        raise ConfigurationError(
            "llm.confidence is agreement, and there is no second model to agree with. Set "
            "llm.second_model, and llm.second_provider if it is another provider's."
        )
    other = {
        "provider": llm.second_provider or llm.provider,
        "model": llm.second_model,
        "price_usd_per_million": llm.second_price_usd_per_million,
        "fallback_model": None,
    }
    return llm.model_copy(update=other)
