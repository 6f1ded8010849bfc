"""One project with everything the loop needs for it, and what its records say as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from backend.active_learning.committee import committee_of
from backend.active_learning.query import Query
from backend.active_learning.strategies import BAGGED, resolve
from backend.domain import Example, LabelScheme, SourceKind
from backend.protocols import (
    AnnotationTool,
    Annotator,
    Models,
    RoundRecords,
    SuggestionRecords,
    Tagger,
    TaggerFamily,
    TaskRecords,
    reading,
)
from backend.quality.holdout import is_held_out, split
from backend.quality.trusted import CrowdRule, trusted
from backend.settings import (
    CrowdSettings,
    LearningSettings,
    RoutingSettings,
    StoppingSettings,
    SuggestionSettings,
)
from backend.text.spans import valid_spans


@dataclass(frozen=True, slots=True)
class Workspace:
    """One project with everything the loop needs for it."""

    scheme: LabelScheme
    tool: AnnotationTool
    tasks: TaskRecords
    suggestions: SuggestionRecords
    rounds: RoundRecords
    models: Models
    family: TaggerFamily
    annotator: Annotator | None
    learning: LearningSettings
    showing: SuggestionSettings
    audit_share: float = 0.0
    crowd: CrowdSettings = field(default_factory=CrowdSettings)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    stopping: StoppingSettings = field(default_factory=StoppingSettings)


def trusted_examples(work: Workspace) -> tuple[list[Example], list[str]]:
    """One example per labelled task, and what had to be left out of the tool's spans and why."""
    annotated = work.tasks.annotated()
    rule = CrowdRule(work.crowd.aggregate, work.crowd.min_annotators)
    if work.crowd.count_llm:
        # Not where quality is measured: there the LLM would sit in judgement on itself.
        votes = {example.task_id: example.spans for example in llm_examples(work)}
        rule = replace(rule, llm=votes)
    return trusted(annotated, work.scheme, rule)


def llm_examples(work: Workspace) -> list[Example]:
    """The LLM's answers to texts that may be learnt from, labelled or not; none held out."""
    labelled = [task for task, _ in work.tasks.labelled()]
    texts = {task.id: task.text for task in (*work.tasks.pool(), *labelled)}
    examples = []
    for task_id, answer in work.suggestions.by_source(SourceKind.LLM).items():
        text = texts.get(task_id)
        if text is not None and not is_held_out(text, work.learning.held_out_share):
            spans, _ = valid_spans(text, answer.spans, work.scheme)
            examples.append(Example(task_id, text, tuple(spans)))
    return examples


def having_read(work: Workspace, family: TaggerFamily, training: Sequence[Example]) -> TaggerFamily:
    """The family that knows the pool's texts and those of ``training``, where it can read.

    It knows no other labelled text, copies in the pool included: taggers are judged by these.
    """
    labelled = {task.text for task, _ in work.tasks.labelled()}
    texts = [task.text for task in work.tasks.pool() if task.text not in labelled]
    return reading(family, [*texts, *(example.text for example in training)])


def labels_since_last_round(work: Workspace) -> int:
    """How many labels were accepted since a round last looked at them."""
    rounds = [report for report in work.rounds.all() if report.number > 0]
    return len(work.tasks.labelled()) - (rounds[-1].labels if rounds else 0)


def query(work: Workspace) -> Query:
    """The configured strategy, with what it may know of the project; trains its committee."""
    examples = split(trusted_examples(work)[0], work.learning.held_out_share)[0]
    name = strategy_name(work)
    members: Sequence[Tagger] = ()
    if name in BAGGED:
        family = having_read(work, work.family, examples)
        generator = np.random.default_rng([work.learning.seed, len(examples)])
        members = committee_of(family, examples, work.scheme, generator)
    return Query(
        name,
        labelled=work.tasks.labelled(),
        suggested=work.suggestions.by_source(SourceKind.LLM),
        members=members,
    )


def strategy_name(work: Workspace) -> str:
    """The configured strategy, or what suits the unit that labels are paid by."""
    return resolve(work.showing.strategy, work.showing.cost_unit)
