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

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from backend.active_learning.calibrated_tagger import bare, calibrated
from backend.active_learning.cold_start import cold_start_confidence
from backend.active_learning.live_routing import (
    audits_of,
    in_routed_order,
    in_words,
    minutes_left,
    queued_tasks,
)
from backend.active_learning.mixing import Mix, learn_from_both
from backend.active_learning.query import Query
from backend.active_learning.risk_control import Goal
from backend.active_learning.routing import Plan, plan_routes
from backend.active_learning.stopping import Limits, advise, agreement_on, stop_set
from backend.active_learning.trainer import Trainer
from backend.composing import compose, in_present_order, slices_in_turn
from backend.domain import (
    Example,
    Outcome,
    RoundReport,
    Source,
    SourceKind,
    Suggestion,
    Task,
)
from backend.protocols import (
    Annotator,
    Explained,
    Progress,
    Tagger,
    reading,
    silent,
)
from backend.quality.audit import hide, mixed
from backend.quality.evaluation import (
    better_source,
    is_promoted,
    suggestion_scores,
    tagger_scores,
)
from backend.quality.holdout import split
from backend.workspace import (
    Workspace,
    llm_examples,
    query,
    strategy_name,
    trusted_examples,
)

NOT_ASKED = frozenset({Outcome.UNREACHABLE, Outcome.OVER_BUDGET})
"""Outcomes that a person can do something about: provider, key, budget."""


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
    report = _advised(work, _completed(work, report, annotated, push, plan))
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
        _order_without_gold(work)
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


def _order_without_gold(work: Workspace) -> None:
    """Before any model: texts that stand for many others first, audited ones mixed in."""
    pool = work.tasks.pool()
    texts = [task.text for task in pool]
    generator = np.random.default_rng(work.learning.seed)
    ranks = mixed(texts, cold_start_confidence(texts, generator), work.audit_share)
    work.tasks.set_confidence(
        {task.id: float(rank) for task, rank in zip(pool, ranks, strict=True)}
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
    composed = _compose(work, pool, tagged, preferred, in_turns=True)
    if serving is None and work.showing.cold_start == "clusters":
        composed = in_present_order(composed)
    composed = in_routed_order(composed, work.tasks.routes())
    version = work.suggestions.version_for(composed)
    stored = work.tool.suggest(composed, version, progress)
    work.suggestions.mark_pushed(composed, version)
    new_order = sorted(composed, key=lambda suggestion: suggestion.confidence)
    return Push(
        version=version,
        stored=stored,
        reordered=sum(
            task.id != suggestion.task_id for task, suggestion in zip(pool, new_order, strict=True)
        ),
        confidence={suggestion.task_id: suggestion.confidence for suggestion in composed},
    )


def propose(
    work: Workspace, tasks: Sequence[Task], serving: tuple[int, Tagger] | None
) -> list[Suggestion]:
    """What an annotator should see for each task, in order; nothing is kept or sent.

    ``serving`` is what ``work.models`` serves, so that a caller who asks in several parts gets all
    of them from one model.
    """
    return _compose(work, tasks, tag(work, tasks, serving), None)


def _compose(
    work: Workspace,
    tasks: Sequence[Task],
    tagged: Iterable[Suggestion],
    preferred: SourceKind | None,
    *,
    in_turns: bool = False,
) -> list[Suggestion]:
    composed = compose(
        tasks,
        work.suggestions.by_source(SourceKind.LLM, [task.id for task in tasks]),
        {suggestion.task_id: suggestion for suggestion in tagged},
        preferred or preferred_source(work),
    )
    shown = hide(tasks, composed, work.audit_share)
    if in_turns and work.showing.balance_by:
        labelled = [task for task, _ in work.tasks.labelled()]
        return slices_in_turn(
            tasks, shown, labelled, work.showing.balance_by, audit_share=work.audit_share
        )
    return shown


def tag(
    work: Workspace,
    tasks: Sequence[Task],
    serving: tuple[int, Tagger] | None,
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


def preferred_source(work: Workspace) -> SourceKind:
    """Whose spans are shown where both have an answer: by configuration, or by last measure."""
    if work.showing.where_both != "best":
        return SourceKind(work.showing.where_both)
    rounds = work.rounds.all()
    return rounds[-1].preferred if rounds else SourceKind.LLM


# Reprioritise -----------------------------------------------------------------------------------


def reprioritise(work: Workspace, push: Push) -> None:
    """Let the tool serve what was pushed, least certain task first.

    Our own answer to "which version?" changes first, because a tool may ask while it switches.
    """
    work.suggestions.serve(push.version)
    work.tool.prioritise(push.version)
    work.tasks.set_confidence(push.confidence)


# Learn ------------------------------------------------------------------------------------------


def learn(work: Workspace, progress: Progress = silent) -> RoundReport:
    """Train a tagger on the accepted labels, and on the LLM's as far as these help.

    It is promoted unless it is worse on held-out labels.
    """
    training, held_out = split(trusted_examples(work)[0], work.learning.held_out_share)
    number = max((report.number for report in work.rounds.all()), default=0) + 1
    if reason := _too_little(training, work.learning.min_labels):
        return replace(measure(work), number=number, reason=reason)

    generator = np.random.default_rng([work.learning.seed, number])
    serving = work.models.serving()
    start = bare(serving[1]) if serving else None
    texts = [task.text for task in work.tasks.pool()] + [example.text for example in training]
    family = reading(work.family, texts)
    mixture = learn_from_both(
        training,
        llm_examples(work),
        Trainer(family, work.scheme, generator, progress, start),
        None if work.learning.llm_labels == "auto" else Mix(work.learning.llm_labels),
    )
    candidate = mixture.tagger
    history: Mapping[str, object] = {}
    remark = ""
    if isinstance(candidate, Explained):
        history, remark = candidate.history, f"; {candidate.remark}"
    calibration = None
    if work.learning.calibrate:
        candidate, calibration = calibrated(candidate, held_out, work.scheme, generator)
    new = tagger_scores(candidate, held_out)
    previous = tagger_scores(serving[1], held_out) if serving else None
    promoted, reason = is_promoted(new, previous, work.learning.promotion_tolerance)
    model = work.models.publish(
        candidate,
        {
            **history,
            "training_texts": len(training),
            "llm_labelled_texts": mixture.llm_texts,
            "held_out_texts": len(held_out),
            "held_out_f1": new.f1 if new else None,
            "labels": list(work.scheme.labels),
            "calibration": calibration.to_json() if calibration else None,
        },
    )
    if promoted:
        work.models.promote(model)
    return replace(
        measure(work),
        number=number,
        llm_labels=mixture.llm_texts,
        mixture=mixture.summary,
        tagger=new,
        previous=previous,
        model=model,
        promoted=promoted,
        reason=f"{reason}{remark}",
        agreement=_agreement(work, serving[1], candidate) if serving else None,
        calibration=str(calibration or ""),
    )


def _agreement(work: Workspace, before: Tagger, after: Tagger) -> float | None:
    """Kappa between two taggers on a fixed sample of the project's texts."""
    labelled = (task for task, _ in work.tasks.labelled())
    texts = stop_set(task.text for task in (*work.tasks.pool(), *labelled))
    found = ([tagging.spans for tagging in tagger.tag(texts)] for tagger in (before, after))
    return agreement_on(texts, *found)


def _advised(work: Workspace, report: RoundReport) -> RoundReport:
    """With what the stopping rules say after this round; they stop nothing."""
    earlier = [each for each in work.rounds.all() if 0 < each.number < report.number]
    minutes = sum(note.lead_time or 0.0 for _, note in work.tasks.labelled()) / 60
    generator = np.random.default_rng([work.learning.seed, report.number])
    limits = Limits(**work.stopping.model_dump())
    return replace(report, advice=str(advise([*earlier, report], limits, minutes, generator)))


def _too_little(training: Sequence[Example], at_least: int) -> str:
    if len(training) < at_least:
        return f"{len(training)} labels to learn from, {at_least} are needed"
    if not any(example.spans for example in training):
        return f"none of the {len(training)} labelled texts holds a span"
    return ""


def measure(work: Workspace) -> RoundReport:
    """Strict span scores of what serves now on the held-out part of the accepted labels."""
    examples, problems = trusted_examples(work)
    training, held_out = split(examples, work.learning.held_out_share)
    tasks = [Task(example.task_id, example.text) for example in held_out]
    from_llm = work.suggestions.by_source(SourceKind.LLM, [task.id for task in tasks])
    tagged = {item.task_id: item for item in tag(work, tasks, work.models.serving())}
    answered = [example for example in held_out if example.task_id in from_llm]
    llm = suggestion_scores(answered, from_llm)
    preferred = better_source(llm, suggestion_scores(answered, tagged) if tagged else None)
    if work.showing.where_both != "best":
        preferred = SourceKind(work.showing.where_both)
    shown = {item.task_id: item for item in compose(tasks, from_llm, tagged, preferred)}
    return RoundReport(
        number=0,
        labels=len(examples),
        training=len(training),
        held_out=len(held_out),
        left_out=len(problems),
        llm=llm,
        llm_tasks=len(answered),
        shown=suggestion_scores(held_out, shown),
        preferred=preferred,
    )
