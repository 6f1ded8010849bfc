"""How the LLM is asked about a file: at once, in a batch, or not at all."""

from __future__ import annotations

from backend.errors import ConfigurationError
from backend.llm.batch_annotator import BatchAnnotator, Parts
from backend.llm.batches import Batches
from backend.llm.confidence import confident
from backend.llm.factory import (
    build_annotator,
    build_batch_client,
    build_paid_client,
    chosen_provider,
)
from backend.llm.fallback import through, with_fallback
from backend.llm.panel import Member
from backend.llm.probes import Prober
from backend.llm.replay import KnownAnswers, without_key
from backend.protocols import Annotator, Progress, silent
from backend.services import Services
from backend.settings import LlmSettings
from backend.store.batches import SqlBatchRecords
from backend.store.money import SqlAnswerCache


def asking_at_once(services: Services, account: str) -> Annotator:
    """Many calls side by side."""
    annotator = confident(
        services.settings.llm,
        lambda llm, repetition: with_fallback(
            llm,
            project_id=None,
            ledger=services.ledger(account),
            cache=SqlAnswerCache(services.database),
            gates=services.gates,
            repetition=repetition,
        ),
    )
    return _configured(annotator)


def in_batches(services: Services, account: str, progress: Progress = silent) -> Annotator:
    """Half the price, within a day; goes on with the batches that an earlier run left open."""
    ledger = services.ledger(account)

    def build(llm: LlmSettings, repetition: int) -> Member | None:
        client, provider = build_batch_client(llm), chosen_provider(llm)
        if client is None or provider is None:
            return None
        # Each repetition finds its own open batches again, never those of another.
        owner = f"{account}/{repetition}" if repetition else account
        records = SqlBatchRecords(services.database, owner, provider, client.model)
        parts = Parts(
            Batches(client, ledger, records, llm.batch_poll_seconds),
            ledger,
            SqlAnswerCache(services.database),
            progress,
        )
        return BatchAnnotator(llm, parts, repetition)

    return _configured(confident(services.settings.llm, build))


def replaying(services: Services, account: str) -> Annotator:
    """Known answers only."""
    annotator = confident(
        services.settings.llm,
        lambda llm, repetition: build_annotator(
            without_key(llm),
            project_id=None,
            ledger=services.ledger(account),
            cache=SqlAnswerCache(services.database),
            make_paid=KnownAnswers,
            repetition=repetition,
        ),
    )
    return _configured(annotator)


def asking_probes(services: Services, account: str) -> Prober:
    """Questions of another kind than for labels, under the same budgets and limits."""
    llm = services.settings.llm
    paid = build_paid_client(llm, services.ledger(account), through(services.gates))
    if paid is None:
        raise no_llm()
    return Prober(paid, SqlAnswerCache(services.database), llm.concurrency)


def _configured(annotator: Annotator | None) -> Annotator:
    if annotator is None:
        raise no_llm()
    return annotator


def no_llm() -> ConfigurationError:
    """The error for settings without a provider."""
    return ConfigurationError(
        "There is no LLM to annotate with. Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or "
        "OPENAI_BASE_URL and llm.model for a server of your own, and llm.provider."
    )
