"""What a project's round is worth: scores on held-out labels, and whether to label on."""

from __future__ import annotations

import numpy as np

from backend.active_learning.stopping import Limits, advise, agreement_on, stop_set
from backend.composing import compose
from backend.domain import RoundReport, SourceKind, Task
from backend.proposing import tag
from backend.protocols import Tagger
from backend.quality.evaluation import better_source, suggestion_scores
from backend.quality.holdout import split
from backend.workspace import Workspace, trusted_examples


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


def agreement(work: Workspace, before: Tagger, after: Tagger) -> float | None:
    """Kappa between two taggers on a fixed sample of the project's texts."""
    labelled = (task for task, _ in work.tasks.labelled())
    texts = stop_set(task.text for task in (*work.tasks.pool(), *labelled))
    found = ([tagging.spans for tagging in tagger.tag(texts)] for tagger in (before, after))
    return agreement_on(texts, *found)


def advice(work: Workspace, report: RoundReport) -> str:
    """What the stopping rules say after this round; they stop nothing."""
    earlier = [each for each in work.rounds.all() if 0 < each.number < report.number]
    minutes = sum(note.lead_time or 0.0 for _, note in work.tasks.labelled()) / 60
    generator = np.random.default_rng([work.learning.seed, report.number])
    limits = Limits(**work.stopping.model_dump())
    return str(advise([*earlier, report], limits, minutes, generator))
