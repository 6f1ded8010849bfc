"""The configured LLM as one of the annotators: it is asked now, within its budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from backend.bulk.annotation import account_of
from backend.bulk.annotators import asking_at_once
from backend.bulk.items import Item
from backend.domain import LabelScheme, Task
from backend.evaluation.cells import Bill, Cell, Judged
from backend.evaluation.gold import asked
from backend.protocols import Progress, silent
from backend.services import Services
from backend.store.money import committed_on


def ask_live(
    services: Services,
    texts: Mapping[str, Sequence[Judged]],
    scheme: LabelScheme,
    progress: Progress = silent,
) -> Iterator[Cell]:
    """The LLM's cells, one language after the other, each with what the ledger says it cost.

    Answers that are known already are not paid again; their cost, paid earlier, counts. Each
    language's texts have a budget of their own, as with ``harambee annotate``. Raises
    :class:`~backend.errors.ConfigurationError` where no LLM is configured.
    """
    for language, group in texts.items():
        items = [Item(Task(str(at), text.text, language)) for at, text in enumerate(group)]
        account = account_of(items)
        annotator = asking_at_once(services, account)
        for cell in asked(annotator, {language: group}, scheme, progress):
            usd = committed_on(services.database, account)
            basis = f"ledger of {annotator.model}, prompt {annotator.prompt_version}"
            bill = Bill(len(group), 0, 0, usd, estimated=False, basis=basis)
            yield replace(cell, bill=bill, prompt_version=annotator.prompt_version)
