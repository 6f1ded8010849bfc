"""The story: how a sentence becomes a suggestion, and a label becomes a better model.

::

    begin       pull -> annotate -> route -> suggest -> reprioritise
    play_round  pull -> annotate -> learn -> route -> suggest -> reprioritise

``pull`` copies tasks and accepted labels out of the labelling tool. ``annotate`` has the LLM label
the head of the queue, as far as the budget goes. ``learn`` trains a tagger on the accepted labels,
and on the LLM's as far as these help, and lets it serve if it is not worse. ``route`` says which of
the LLM's answers may stand and which tasks humans label. ``suggest`` puts the best suggestion there
is for every unlabelled task into the tool, under one version. ``reprioritise`` makes the new
suggestions the current ones, so that the task they are least sure of is served first.

Everything here is written against :mod:`backend.protocols`; each step can be cut off at any point
and done again: nothing is lost, paid twice or pushed twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from backend.active_learning.live_routing import audits_of, in_words, minutes_left, queued_tasks
from backend.active_learning.risk_control import Goal
from backend.active_learning.routing import Plan, plan_routes
from backend.candidate import too_little, train_candidate, trainer_for
from backend.domain import NOT_ASKED, Outcome, RoundReport, SourceKind, Suggestion, Task
from backend.measuring import advice, agreement, measure
from backend.proposing import order_without_gold, queue, tag
from backend.protocols import Annotator, Progress, silent
from backend.quality.evaluation import is_promoted, tagger_scores
from backend.quality.holdout import split
from backend.workspace import Workspace, query, trusted_examples


@dataclass(frozen=True, slots=True)
class Annotated:
    """How the LLM's answers ended, and why it could not go on, if it could not."""

    outcomes: Counter[Outcome]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """Suggestions that the tool now holds under ``version``, and how the queue will change."""

    version: str
    stored: int
    reordered: int
    confidence: Mapping[str, float]


# The two main jobs ------------------------------------------------------------------------------


def begin(work: Workspace, progress: Progress = silent) -> RoundReport:
    """First suggestions for every task of a project, or for those that are new in it."""
    pull(work, progress)
    annotated = annotate(work, progress)
    plan = route(work)
    push = suggest(work, progress)
    reprioritise(work, push)
    report = _completed(work, measure(work), annotated, push, plan)
    if not work.rounds.all():
        work.rounds.keep(report)
    return report


def play_round(work: Workspace, progress: Progress = silent) -> RoundReport:
    """Learn from the labels accepted so far and give the pool new suggestions and a new order."""
    pull(work, progress)
    annotated = annotate(work, progress)
    report = learn(work, progress)
    plan = route(work)
    push = suggest(work, progress, report.preferred)
    reprioritise(work, push)
    report = _completed(work, report, annotated, push, plan)
    report = replace(report, advice=advice(work, report))
    work.rounds.keep(report)
    return report


def _completed(
    work: Workspace, report: RoundReport, annotated: Annotated, push: Push, plan: Plan
) -> RoundReport:
    return replace(
        report,
        llm_problem=annotated.problem,
        routing=in_words(plan),
        version=push.version,
        pushed=push.stored,
        reordered=push.reordered,
        spent_usd=str(work.rounds.spent_usd()),
    )


# Pull -------------------------------------------------------------------------------------------


def pull(work: Workspace, progress: Progress = silent) -> int:
    """Make the records equal to what the tool holds now: tasks, and labels that stand.

    Returns how many tasks were new.
    """
    progress(0, 1, "reading tasks and labels")
    new = work.tasks.replace_tasks(work.tool.tasks())
    pull_labels(work)
    return new


def pull_labels(work: Workspace, task_ids: Sequence[str] | None = None) -> int:
    """Fetch the labels that stand now, of some tasks or of all; returns how many changed."""
    as_of = datetime.now(UTC)
    return work.tasks.replace_annotations(work.tool.accepted(task_ids), as_of, task_ids)


# Annotate ---------------------------------------------------------------------------------------


def annotate(work: Workspace, progress: Progress = silent) -> Annotated:
    """Have the LLM label the head of the queue, as far as the project's budget goes.

    Tasks that it has answered are not asked again; failed ones are, from the cache where the
    answer was paid for. Every outcome is counted and remembered.
    """
    if work.models.serving() is None:
        order_without_gold(work)
    return annotate_tasks(work, work.tasks.pool(), progress)


def annotate_tasks(
    work: Workspace, tasks: Sequence[Task], progress: Progress = silent
) -> Annotated:
    """Have the LLM label those of the tasks that it has not answered yet.

    Failures keep nothing else from going on; why the last of them could not be asked is the
    ``problem``.
    """
    outcomes: Counter[Outcome] = Counter()
    if work.annotator is None:
        return Annotated(outcomes)
    problem = ""
    answered = work.suggestions.by_source(SourceKind.LLM)
    waiting = [task for task in tasks if not _is_current(answered.get(task.id), work.annotator)]
    for answer in work.annotator.annotate(waiting, work.scheme):
        work.suggestions.keep_answer(answer)
        outcomes[answer.outcome] += 1
        if answer.outcome in NOT_ASKED:
            problem = answer.detail
        progress(outcomes.total(), len(waiting), "asking the LLM")
    return Annotated(outcomes, problem)


def _is_current(suggestion: Suggestion | None, annotator: Annotator) -> bool:
    if suggestion is None:
        return False
    source = suggestion.source
    return (source.model, source.prompt_version) == (annotator.model, annotator.prompt_version)


# Learn ------------------------------------------------------------------------------------------


def learn(work: Workspace, progress: Progress = silent) -> RoundReport:
    """Train a tagger on the accepted labels, and on the LLM's as far as these help.

    It is promoted unless it is worse on held-out labels.
    """
    training, held_out = split(trusted_examples(work)[0], work.learning.held_out_share)
    number = max((report.number for report in work.rounds.all()), default=0) + 1
    if reason := too_little(training, work.learning.min_labels):
        return replace(measure(work), number=number, reason=reason)

    generator = np.random.default_rng([work.learning.seed, number])
    _, serving = work.models.serving() or (None, None)
    trainer = trainer_for(work, training, generator, progress, serving)
    began = time.monotonic()
    candidate = train_candidate(work, training, held_out, trainer)
    took = time.monotonic() - began
    previous = tagger_scores(serving, held_out) if serving else None
    promoted, reason = is_promoted(candidate.scores, previous, work.learning.promotion_tolerance)
    about = candidate.about(work, len(training), len(held_out))
    model = work.models.publish(candidate.tagger, about)
    if promoted:
        work.models.promote(model)
    return replace(
        measure(work),
        number=number,
        llm_labels=candidate.mixture.llm_texts,
        mixture=candidate.mixture.summary,
        tagger=candidate.scores,
        previous=previous,
        model=model,
        promoted=promoted,
        reason=f"{reason}{candidate.remark}",
        agreement=agreement(work, serving, candidate.tagger) if serving else None,
        calibration=str(candidate.calibration or ""),
        training_seconds=round(took, 3),
    )


# Route ------------------------------------------------------------------------------------------


def route(work: Workspace) -> Plan:
    """Decide for every queued task whether the LLM's answer may stand, and remember it.

    Blind audits prove what may; without enough of them humans label everything.
    """
    labelled = work.tasks.labelled()
    answers = work.suggestions.by_source(SourceKind.LLM)
    unseen = work.suggestions.shown_nothing()
    plan = plan_routes(
        queued_tasks(work.tasks.pool(), answers, labelled, work.audit_share),
        audits_of(labelled, answers, unseen, work.scheme, work.audit_share),
        Goal(work.routing.wrong_share, work.routing.risk),
        np.random.default_rng([work.learning.seed, len(labelled)]),
        minutes_left(work.routing.human_minutes, labelled),
    )
    work.tasks.set_routes(plan.routes)
    return plan


# Suggest ----------------------------------------------------------------------------------------


def suggest(
    work: Workspace, progress: Progress = silent, preferred: SourceKind | None = None
) -> Push:
    """Put the best suggestion for every unlabelled task into the tool, under one version."""
    pool = work.tasks.pool()
    serving = work.models.serving()
    tagged = list(tag(work, pool, serving, progress, query(work) if serving else None))
    work.suggestions.keep(tagged)
    suggestions = queue(work, pool, tagged, preferred)
    version = work.suggestions.version_for(suggestions)
    stored = work.tool.suggest(suggestions, version, progress)
    work.suggestions.mark_pushed(suggestions, version)
    new_order = sorted(suggestions, key=lambda item: item.confidence)
    return Push(
        version=version,
        stored=stored,
        reordered=sum(task.id != item.task_id for task, item in zip(pool, new_order, strict=True)),
        confidence={item.task_id: item.confidence for item in suggestions},
    )


# Reprioritise -----------------------------------------------------------------------------------


def reprioritise(work: Workspace, push: Push) -> None:
    """Let the tool serve what was pushed, least certain task first.

    Our own answer to "which version?" changes first, because a tool may ask while it switches.
    """
    work.suggestions.serve(push.version)
    work.tool.prioritise(push.version)
    work.tasks.set_confidence(push.confidence)
