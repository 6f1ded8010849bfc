"""A real LLM in a simulation: asked for money, within the budget, and never twice for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.errors import ConfigurationError
from backend.protocols import Annotator
from backend.services import Services
from backend.settings import Settings
from backend.simulation.corpus import Corpus


@dataclass(frozen=True)
class LiveSource:
    """:class:`backend.simulation.annotators.AnnotatorSource` for the configured provider.

    All processes share the store of the settings, and so its answers, ledger and budget.
    """

    settings: Settings

    def described(self, language: str) -> dict[str, Any]:
        """The model and the prompt: answers to equal questions are taken for equal."""
        annotator = self._annotator(f"simulate {language}")
        return {
            "kind": "live",
            "model": annotator.model,
            "prompt": annotator.prompt_version,
            "sentences_per_call": self.settings.llm.sentences_per_call,
        }

    def annotator(self, corpus: Corpus, seed: int) -> Annotator:
        """The provider, on an account for each corpus; every seed gets the same answers."""
        return self._annotator(f"simulate {corpus.language} {corpus.digest}")

    def _annotator(self, account: str) -> Annotator:
        from backend.bulk.annotators import asking_at_once  # noqa: PLC0415 - pulls in the SDKs

        if self.settings.llm.provider == "none":
            raise ConfigurationError("--llm live needs a provider: set llm.provider and its key.")
        return asking_at_once(Services(self.settings), account)
