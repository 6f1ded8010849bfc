"""Which suggestion an annotator sees for a task, and how sure it is said to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from backend.active_learning.balancing import balanced
from backend.active_learning.cold_start import by_llm_confidence
from backend.domain import NO_SOURCE, SourceKind, Suggestion, Task
from backend.quality.audit import is_audited


def compose(
    tasks: Sequence[Task],
    from_llm: Mapping[str, Suggestion],
    from_tagger: Mapping[str, Suggestion],
    preferred: SourceKind,
) -> list[Suggestion]:
    """One suggestion per task, in order.

    Spans come from the preferred source where both have an answer, else from the one that has.
    Confidence comes from the tagger where there is one, because it is comparable over all tasks;
    before, from the LLM. Tasks that nobody has an answer for follow behind, in queue order.
    """
    answers = [from_llm.get(task.id) for task in tasks]
    sure = by_llm_confidence(np.array([item.confidence if item else np.nan for item in answers]))
    composed = []
    for task, llm, confidence in zip(tasks, answers, sure.tolist(), strict=True):
        tagged = from_tagger.get(task.id)
        shown = (llm or tagged) if preferred is SourceKind.LLM else (tagged or llm)
        shown = shown or Suggestion(task.id, (), confidence, NO_SOURCE)
        composed.append(replace(shown, confidence=tagged.confidence if tagged else confidence))
    return composed


def in_present_order(suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """The suggestions with confidences that rise from one to the next."""
    places = np.arange(len(suggestions)) / max(1, len(suggestions))
    return [
        replace(item, confidence=place)
        for item, place in zip(suggestions, places.tolist(), strict=True)
    ]


def slices_in_turn(
    tasks: Sequence[Task],
    suggestions: Sequence[Suggestion],
    labelled: Sequence[Task],
    key: str,
    *,
    audit_share: float = 0.0,
) -> list[Suggestion]:
    """The suggestions with confidences that bring slices of ``key`` in the tasks' metadata in turn.

    One suggestion per task goes in and comes out, in the same order. ``labelled`` tasks count for
    their slice; tasks without the key are a slice of their own. Audited tasks stay at their places.
    """
    counts = Counter(task.meta.get(key, "") for task in labelled)
    places = [at for at, task in enumerate(tasks) if not is_audited(task.text, audit_share)]
    confidences = balanced(
        [suggestions[at].confidence for at in places],
        [tasks[at].meta.get(key, "") for at in places],
        counts,
    )
    turned = list(suggestions)
    for at, value in zip(places, confidences.tolist(), strict=True):
        turned[at] = replace(suggestions[at], confidence=value)
    return turned
