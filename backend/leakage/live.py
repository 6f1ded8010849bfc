"""Probes put to a model now, within its budget."""

from __future__ import annotations

from collections.abc import Sequence

from backend.leakage.findings import Probed, cut
from backend.llm.chat import Failure
from backend.llm.probes import (
    CONTINUATION,
    SOURCE,
    Prober,
    continuation_question,
    source_question,
)
from backend.protocols import Progress, silent
from backend.quality.leakage import Names


def usable(texts: Sequence[str], limit: int | None = None) -> list[str]:
    """The first of those that are long enough to be cut in two, each once."""
    return list(dict.fromkeys(text for text in texts if cut(text)))[:limit]


def probe(
    prober: Prober, texts: Sequence[str], dataset: str, names: Names, progress: Progress = silent
) -> list[Probed]:
    """Ask where each text is from, and how it goes on, with and without the data set's name.

    Members and controls are asked in the same words. Labels are not shown, since controls have
    none, and a question that differs between the two would be what is measured.
    """
    halves = [half for text in texts if (half := cut(text))]
    sources = prober.ask(SOURCE, [source_question(text) for text in texts if cut(text)], progress)
    guided, unguided = (
        prober.ask(
            CONTINUATION, [continuation_question(begun, name) for begun, _ in halves], progress
        )
        for name in (dataset, None)
    )
    return [
        Probed(
            rest,
            None if isinstance(source, Failure) else names.in_answer(source),
            None if isinstance(with_name, Failure) else with_name,
            None if isinstance(without, Failure) else without,
        )
        for (_, rest), source, with_name, without in zip(
            halves, sources, guided, unguided, strict=True
        )
    ]
