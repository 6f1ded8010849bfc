"""What a project's annotators are shown for each text, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from backend.active_learning.cold_start import cold_start_confidence
from backend.active_learning.live_routing import in_routed_order
from backend.active_learning.query import Query
from backend.composing import compose, in_present_order, slices_in_turn
from backend.domain import Source, SourceKind, Suggestion, Task
from backend.protocols import Progress, Tagger, silent
from backend.quality.audit import hide, mixed
from backend.workspace import Workspace, strategy_name

Serving = tuple[int, Tagger]
"""A model's number and the model, as :meth:`backend.protocols.Models.serving` gives them."""


def tag(
    work: Workspace,
    tasks: Sequence[Task],
    serving: Serving | None,
    progress: Progress = silent,
    asking: Query | None = None,
) -> Iterable[Suggestion]:
    """What the serving tagger makes of the tasks; nothing while none serves.

    Without ``asking``, the tasks are judged by themselves and not as the pool they come from.
    """
    if serving is None:
        return
    number, tagger = serving
    source = Source(SourceKind.TAGGER, f"{tagger.kind}-{number}")
    asking = asking or Query(strategy_name(work)).alone()
    generator = np.random.default_rng([work.learning.seed, number])
    in_fixed_order = sorted(tasks, key=lambda task: task.id)
    for task, tagging, confidence in asking.scored(tagger, in_fixed_order, generator, progress):
        yield Suggestion(task.id, tagging.spans, confidence, source)


def propose(work: Workspace, tasks: Sequence[Task], serving: Serving | None) -> list[Suggestion]:
    """What an annotator should see for each task, in order; nothing is kept or sent.

    ``serving`` is what ``work.models`` serves, so that a caller who asks in several parts gets all
    of them from one model.
    """
    return _shown(work, tasks, tag(work, tasks, serving), preferred_source(work))


def queue(
    work: Workspace,
    pool: Sequence[Task],
    tagged: Sequence[Suggestion],
    preferred: SourceKind | None = None,
) -> list[Suggestion]:
    """What an annotator should see for each task of the pool, in order, confidences as the queue's.

    ``tagged`` is what the serving tagger says, empty while none serves; ``preferred`` whose spans
    are shown where both have an answer, ``None`` for :func:`preferred_source`.
    """
    shown = _shown(work, pool, tagged, preferred or preferred_source(work))
    if work.showing.balance_by:
        labelled = [task for task, _ in work.tasks.labelled()]
        shown = slices_in_turn(
            pool, shown, labelled, work.showing.balance_by, audit_share=work.audit_share
        )
    if not tagged and work.showing.cold_start == "clusters":
        shown = in_present_order(shown)
    return in_routed_order(shown, work.tasks.routes())


def _shown(
    work: Workspace, tasks: Sequence[Task], tagged: Iterable[Suggestion], preferred: SourceKind
) -> list[Suggestion]:
    composed = compose(
        tasks,
        work.suggestions.by_source(SourceKind.LLM, [task.id for task in tasks]),
        {suggestion.task_id: suggestion for suggestion in tagged},
        preferred,
    )
    return hide(tasks, composed, work.audit_share)


def preferred_source(work: Workspace) -> SourceKind:
    """Whose spans are shown where both have an answer: by configuration, or by last measure."""
    if work.showing.where_both != "best":
        return SourceKind(work.showing.where_both)
    rounds = work.rounds.all()
    return rounds[-1].preferred if rounds else SourceKind.LLM


def order_without_gold(work: Workspace) -> None:
    """Before any model: texts that stand for many others first, audited ones mixed in."""
    pool = work.tasks.pool()
    texts = [task.text for task in pool]
    generator = np.random.default_rng(work.learning.seed)
    ranks = mixed(texts, cold_start_confidence(texts, generator), work.audit_share)
    work.tasks.set_confidence(
        {task.id: float(rank) for task, rank in zip(pool, ranks, strict=True)}
    )
