"""How the LLM is asked about a file: at once, in a batch, or not at all."""

from __future__ import annotations

from backend.errors import ConfigurationError
from backend.llm.factory import build_annotator
from backend.llm.fallback import with_fallback
from backend.llm.replay import KnownAnswers, without_key
from backend.protocols import Annotator
from backend.services import Services
from backend.store.money import SqlAnswerCache


def asking_at_once(services: Services, account: str) -> Annotator:
    """Many calls side by side."""
    annotator = with_fallback(
        services.settings.llm,
        project_id=None,
        ledger=services.ledger(account),
        cache=SqlAnswerCache(services.database),
        gates=services.gates,
    )
    return _configured(annotator)


def replaying(services: Services, account: str) -> Annotator:
    """Known answers only."""
    annotator = build_annotator(
        without_key(services.settings.llm),
        project_id=None,
        ledger=services.ledger(account),
        cache=SqlAnswerCache(services.database),
        make_paid=KnownAnswers,
    )
    return _configured(annotator)


def _configured(annotator: Annotator | None) -> Annotator:
    if annotator is None:
        raise ConfigurationError(
            "There is no LLM to annotate with. Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or "
            "OPENAI_BASE_URL and llm.model for a server of your own, and llm.provider."
        )
    return annotator
