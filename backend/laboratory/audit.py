"""The blind audit of a project: its records in, estimates with intervals out.

An estimate may correct itself by proxies of every text only if these are the same thing for
audited and for other texts. The LLM's answers are, once it was asked about all of them. A tagger's
are not, because it has learnt from some: so a small tagger is trained twice, each time without half
of the texts, and tags that half (cross-prediction-powered inference; Zrnic & Candès, 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import NOT_ASKED, Example, Outcome, SourceKind, Span, Task
from backend.proposing import tag
from backend.protocols import FloatArray, Progress, TaggerFamily, silent
from backend.quality.audit import (
    AuditedModel,
    AuditScores,
    AuditSummary,
    agreement_proxies,
    audit_scores,
    confidence_proxies,
    is_audited,
    of_label,
)
from backend.quality.cross_fitting import CrossFit
from backend.quality.holdout import split
from backend.quality.prediction_powered import LEVEL, Draw
from backend.workspace import Workspace, trusted_examples

Spans = tuple[Span, ...]

FEWEST = 2
"""Audited texts of a label or language that have an estimate of their own."""


@dataclass(frozen=True, slots=True)
class AuditedSource:
    """What the audit says of the LLM or of the tagger: over all, by label and by language.

    ``texts`` people labelled blind and the source was asked about; an LLM's failure counts as an
    answer with nothing in it.
    """

    kind: SourceKind
    model: str
    texts: int
    scores: AuditScores
    by_label: Mapping[str, AuditScores]
    by_language: Mapping[str, AuditScores]

    def summary(self, half_width: float) -> AuditedModel:
        """What it says over all texts."""
        precision, recall, f1 = (
            None if it is None else it.interval
            for it in (self.scores.precision, self.scores.recall, self.scores.f1)
        )
        more = None if self.scores.f1 is None else self.scores.f1.more_labels(half_width)
        return AuditedModel(self.kind, self.model, self.texts, precision, recall, f1, more)


@dataclass(frozen=True, slots=True)
class ProjectAudit:
    """A project's audit.

    Of ``texts`` distinct texts ``drawn`` are to be audited; people labelled ``labelled`` of these
    blind, and ``seen`` while a suggestion was in view (before the audit was switched on), which
    count for nothing here. ``proxies`` says in words what is known of every text.
    """

    share: float
    level: float
    texts: int
    drawn: int
    labelled: int
    seen: int
    proxies: str
    sources: tuple[AuditedSource, ...]

    def summary(self, half_width: float) -> AuditSummary:
        """The figures that people look at; F1 is to be known to within ``half_width``."""
        return AuditSummary(
            texts=self.texts,
            drawn=self.drawn,
            labelled=self.labelled,
            seen=self.seen,
            level=self.level,
            half_width=half_width,
            proxies=self.proxies,
            models=tuple(source.summary(half_width) for source in self.sources),
        )


def audit_project(
    work: Workspace,
    family: TaggerFamily | None,
    level: float = LEVEL,
    progress: Progress = silent,
) -> ProjectAudit:
    """Estimate what the LLM and the serving tagger are worth over all texts of a project.

    ``family`` makes the small tagger for the proxies; ``None`` does without. A source that was
    asked about fewer than two audited texts is left out.
    """
    examples, _ = trusted_examples(work)
    material = _material(work, examples)
    answers = _llm_answers(work, material.tasks)
    proxies = _Proxies(
        answers.spans if answers.asked_about_all else None,
        _unseen_spans(work, family, examples, material.tasks, progress)
        if len(material.gold) >= FEWEST
        else None,
        len(material.tasks),
    )
    found = [
        (SourceKind.LLM, answers.model, answers.of(material.gold)),
        (SourceKind.TAGGER, *_tagger_spans(work, material)),
    ]
    return ProjectAudit(
        share=work.audit_share,
        level=level,
        texts=len(material.tasks),
        drawn=sum(is_audited(task.text, work.audit_share) for task in material.tasks),
        labelled=len(material.gold),
        seen=material.seen,
        proxies=proxies.in_words,
        sources=tuple(
            _Measurement(work.scheme.labels, material, proxies, spans, level).of(kind, model)
            for kind, model, spans in found
            if len(spans) >= FEWEST
        ),
    )


# What there is to measure on.


@dataclass(frozen=True, slots=True)
class _Material:
    """One task for each distinct text, and the blind labels: gold spans by the text's place."""

    tasks: Sequence[Task]
    gold: Mapping[int, Spans]
    seen: int


def _material(work: Workspace, examples: Sequence[Example]) -> _Material:
    gold = {example.task_id: example.spans for example in examples}
    labelled = [task for task, _ in work.tasks.labelled()]
    by_text: dict[str, Task] = {}
    for task in [*labelled, *work.tasks.pool()]:
        by_text.setdefault(" ".join(task.text.split()), task)
    tasks = list(by_text.values())
    audited = [
        at
        for at, task in enumerate(tasks)
        if task.id in gold and is_audited(task.text, work.audit_share)
    ]
    unseen = work.suggestions.shown_nothing()
    blind = {at: gold[tasks[at].id] for at in audited if tasks[at].id in unseen}
    return _Material(tasks, blind, len(audited) - len(blind))


# What the sources say.


@dataclass(frozen=True, slots=True)
class _LlmAnswers:
    """The LLM's spans of each text, none where it failed, and whether it was asked."""

    model: str
    spans: Sequence[Spans]
    asked: Sequence[bool]

    @property
    def asked_about_all(self) -> bool:
        return all(self.asked)

    def of(self, places: Mapping[int, object]) -> dict[int, Spans]:
        return {at: self.spans[at] for at in places if self.asked[at]}


def _llm_answers(work: Workspace, tasks: Sequence[Task]) -> _LlmAnswers:
    suggestions = work.suggestions.by_source(SourceKind.LLM)
    outcomes = work.suggestions.outcomes_by_task()
    models = {suggestion.source.model for suggestion in suggestions.values()}
    return _LlmAnswers(
        ", ".join(sorted(models)),
        [suggestions[task.id].spans if task.id in suggestions else () for task in tasks],
        [
            task.id in suggestions or outcomes.get(task.id, Outcome.OVER_BUDGET) not in NOT_ASKED
            for task in tasks
        ],
    )


def _tagger_spans(work: Workspace, material: _Material) -> tuple[str, dict[int, Spans]]:
    """The serving tagger's name, and its spans of the audited texts, which it never learnt from."""
    tasks = [material.tasks[at] for at in material.gold]
    suggestions = list(tag(work, tasks, work.models.serving()))
    model = suggestions[0].source.model if suggestions else ""
    return model, {
        at: suggestion.spans
        for at, suggestion in zip(material.gold, suggestions, strict=bool(suggestions))
    }


def _unseen_spans(
    work: Workspace,
    family: TaggerFamily | None,
    examples: Sequence[Example],
    tasks: Sequence[Task],
    progress: Progress,
) -> list[Spans] | None:
    """Spans of every text by a tagger that has not learnt from it; ``None`` with few labels."""
    training, _ = split(examples, work.learning.held_out_share)
    if family is None:
        return None
    cross_fit = CrossFit(family, work.scheme)
    if not cross_fit.is_possible(training, work.learning.min_labels):
        return None
    spans: list[Spans] = [()] * len(tasks)
    texts = [task.text for task in tasks]
    rng = np.random.default_rng([work.learning.seed, len(training)])
    for at, tagging in cross_fit.tag(training, texts, rng, progress):
        spans[at] = tagging.spans
    return spans


# Estimates.


@dataclass(frozen=True, slots=True)
class _Proxies:
    """What is known of every text: the LLM's spans, a tagger's, both or nothing."""

    llm: Sequence[Spans] | None
    tagger: Sequence[Spans] | None
    texts: int

    @property
    def in_words(self) -> str:
        if self.llm is not None and self.tagger is not None:
            return "agreement of the LLM and a tagger"
        if self.llm is not None:
            return "the LLM's spans and confidence"
        return "none" if self.tagger is None else "a tagger's spans and confidence"

    def matrix(self, label: str | None) -> FloatArray:
        readers = [
            reader if label is None else of_label(reader, label)
            for reader in (self.llm, self.tagger)
            if reader is not None
        ]
        if len(readers) > 1:
            return agreement_proxies(*readers)
        return confidence_proxies(readers[0]) if readers else np.zeros((self.texts, 0))


@dataclass(frozen=True, slots=True)
class _Measurement:
    """One source's spans of audited texts, by place, and what it takes to judge them."""

    labels: Sequence[str]
    material: _Material
    proxies: _Proxies
    found: Mapping[int, Spans]
    level: float

    def of(self, kind: SourceKind, model: str) -> AuditedSource:
        languages = [task.language or "" for task in self.material.tasks]
        strata = np.array(languages)
        everywhere = np.ones(len(strata), dtype=np.bool_)
        spoken = [
            language
            for language in sorted(set(languages))
            if sum(languages[at] == language for at in self.found) >= FEWEST
        ]
        return AuditedSource(
            kind,
            model,
            len(self.found),
            self._scores(everywhere, strata),
            {label: self._scores(everywhere, strata, label) for label in self.labels},
            {
                language: self._scores(strata == language, strata)
                for language in (spoken if len(set(languages)) > 1 else ())
            },
        )

    def _scores(
        self, chosen: np.ndarray, strata: np.ndarray, label: str | None = None
    ) -> AuditScores:
        places = [at for at in self.found if chosen[at]]
        gold = [self.material.gold[at] for at in places]
        predicted = [self.found[at] for at in places]
        if label is not None:
            gold, predicted = of_label(gold, label), of_label(predicted, label)
        new_places = np.cumsum(chosen) - 1
        draw = Draw(new_places[places], self.proxies.matrix(label)[chosen], strata[chosen])
        return audit_scores(gold, predicted, draw, self.level)
