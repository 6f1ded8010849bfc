"""What a project's own rounds say of the cost of a quality, for each way of working.

All curves are judged on the same texts, the held-out labels of today. *Hybrid* is what the project
did: after each round, what it showed, by the models that served then. *Humans alone* is learnt
anew: a tagger of the project's kind on the labels that people had accepted by each round, without
the LLM. *The LLM alone* is its answers as they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from backend.candidate import too_little
from backend.cost.savings import HUMANS, HYBRID, LLM_ALONE, Curves, Point, usual_seconds
from backend.cost.uncertainty import Measured, text_heights
from backend.domain import Annotation, Example, RoundReport, SourceKind, Span, Task
from backend.errors import InputError, ModelStoreError
from backend.protocols import FloatArray, Progress, Tagger, silent
from backend.quality.audit import is_audited, span_counts
from backend.quality.holdout import split
from backend.quality.intervals import f1_of
from backend.workspace import Workspace, having_read, trusted_examples

Spans = tuple[Span, ...]

MOST_TRAINED = 8
"""Taggers that are trained anew for the curve of humans alone, at most."""
FEWEST_TIMES = 10
"""Lead times with and without a suggestion in view, below which the two are not told apart."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that people took for a text, ``None`` where the tool measured none.

    ``blind``: without a suggestion in view; ``assisted``: with one, ``None`` where too few of
    either are known; ``texts``: how many of each that rests on.
    """

    blind: float | None
    assisted: float | None
    texts: tuple[int, int]

    def in_words(self) -> str:
        """For a reader, empty where the two cannot be told apart."""
        if self.blind is None or self.assisted is None:
            return ""
        return (
            f"A text takes {self.assisted:.1f} s with a suggestion in view ({self.texts[1]} texts) "
            f"and {self.blind:.1f} s without ({self.texts[0]} texts)."
        )


def pace_of(
    annotated: Sequence[tuple[Task, Sequence[Annotation]]], unseen: Collection[str]
) -> Pace:
    """How long people take; ``unseen``: tasks that were shown without a suggestion."""
    groups: dict[bool, list[list[float]]] = {True: [], False: []}
    for task, notes in annotated:
        times = [it.lead_time for it in notes if not it.skipped and it.lead_time is not None]
        if known := [seconds for seconds in times if 0 < seconds < math.inf]:
            groups[task.id in unseen].append(known)
    blind, assisted = groups[True], groups[False]
    texts = (len(blind), len(assisted))
    if min(texts) < FEWEST_TIMES:
        return Pace(_seconds([*blind, *assisted]), None, texts)
    return Pace(_seconds(blind), _seconds(assisted), texts)


def _seconds(texts: Sequence[Sequence[float]]) -> float | None:
    """Seconds of a text, all its annotators together."""
    times = [seconds for known in texts for seconds in known]
    usual = usual_seconds(times)
    return None if usual is None else usual * len(times) / len(texts)


def project_curves(
    work: Workspace, llm_usd_per_text: float, rng: np.random.Generator, progress: Progress = silent
) -> Measured:
    """The curves of a project's rounds.

    ``llm_usd_per_text``: by which the ledger's dollars are told as texts. Raises
    :class:`~backend.errors.InputError` while there is nothing to measure with or on.
    """
    study = _Study.of(work, llm_usd_per_text)
    if not any(example.spans for example in study.held_out):
        raise InputError(
            "There are no held-out labels with a span to measure on yet. Label more tasks, or take "
            "curves from a simulation: --simulation results.json."
        )
    study.add_rounds()
    study.add_llm()
    study.add_humans(rng, progress)
    if HUMANS not in study.points:
        raise InputError(
            f"A tagger needs {work.learning.min_labels} labels, some with spans, that are not held "
            "out: there is no curve of humans alone yet. Label more tasks and play a round."
        )
    counts = {route: np.stack(found) for route, found in study.counts.items()}
    return Measured(
        f"{len(study.rounds)} rounds on {len(study.held_out)} held-out texts",
        study.points,
        text_heights(counts, rng),
        f"95% intervals from drawing the {len(study.held_out)} texts again",
        tuple(study.remarks),
    )


@dataclass(slots=True)
class _Study:
    """What is measured with, and the curves as they grow: points and (n_texts, 3) counts of each.

    ``examples``: accepted labels in the order in which people gave them; ``blind``: whether each
    was given for an audit.
    """

    work: Workspace
    llm_usd_per_text: float
    rounds: Sequence[RoundReport]
    examples: Sequence[Example]
    held_out: Sequence[Example]
    llm: Mapping[str, Spans]
    blind: Sequence[bool]
    points: dict[str, list[Point]] = field(default_factory=dict)
    counts: dict[str, list[FloatArray]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, work: Workspace, llm_usd_per_text: float) -> _Study:
        """Read what a project knows."""
        examples, _ = trusted_examples(work)
        given = {
            task.id: min(note.updated_at for note in notes)
            for task, notes in work.tasks.annotated()
        }
        examples = sorted(examples, key=lambda example: given[example.task_id])
        _, held_out = split(examples, work.learning.held_out_share)
        answers = work.suggestions.by_source(SourceKind.LLM)
        rounds = sorted(work.rounds.all(), key=lambda report: report.number)
        llm = {task_id: answer.spans for task_id, answer in answers.items()}
        unseen = work.suggestions.shown_nothing()
        blind = [is_audited(it.text, work.audit_share) and it.task_id in unseen for it in examples]
        return cls(work, llm_usd_per_text, rounds, examples, held_out, llm, blind)

    def _add(self, route: str, point: Point, found: Sequence[Spans]) -> None:
        counted = span_counts([example.spans for example in self.held_out], found)
        right, given, wanted = counted.T
        counts = np.column_stack([right, given - right, wanted - right])
        f1 = float(f1_of(counts.sum(axis=0)))
        self.points.setdefault(route, []).append(replace(point, f1=f1))
        self.counts.setdefault(route, []).append(counts)

    def _told_by(self, tagger: Tagger) -> list[Spans]:
        return [it.spans for it in tagger.tag([example.text for example in self.held_out])]

    def add_rounds(self) -> None:
        """Hybrid: what each round left to be shown, and what had been paid by then."""
        serving: int | None = None
        lost: list[int] = []
        told: dict[int, list[Spans]] = {}
        seconds: float | None = 0.0
        for report in self.rounds:
            took = report.training_seconds
            unknown = seconds is None or (took is None and report.model is not None)
            seconds = None if unknown else (seconds or 0.0) + (took or 0.0)
            serving = report.model if report.promoted else serving
            if serving is not None and serving not in told:
                try:
                    told[serving] = self._told_by(self.work.models.load(serving))
                except ModelStoreError:
                    lost.append(report.number)
                    continue
            if serving is None and not self.llm:
                continue
            point = Point(
                texts=report.labels,
                human_texts=report.labels,
                rounds=report.number,
                f1=0.0,
                llm_texts=self._llm_texts(report),
                training_seconds=seconds,
                blind_texts=sum(self.blind[: report.labels]),
            )
            shown = self._shown(report, None if serving is None else told[serving])
            self._add(HYBRID, point, shown)
        if lost:
            self.remarks.append(f"The models of rounds {lost} cannot be read and are left out.")

    def _llm_texts(self, report: RoundReport) -> float:
        return float(report.spent_usd) / self.llm_usd_per_text if self.llm_usd_per_text else 0.0

    def _shown(self, report: RoundReport, tagged: Sequence[Spans] | None) -> list[Spans]:
        shown = []
        for at, example in enumerate(self.held_out):
            llm = self.llm.get(example.task_id)
            takes_llm = tagged is None or (llm is not None and report.preferred is SourceKind.LLM)
            shown.append((llm or ()) if takes_llm else tagged[at] if tagged else ())
        return shown

    def add_llm(self) -> None:
        """The LLM's answers as they are, where it was asked about the held-out texts."""
        unasked = sum(example.task_id not in self.llm for example in self.held_out)
        if unasked:
            self.remarks.append(
                f"The LLM has no answer to {unasked} of the held-out texts, which count as "
                "answers with nothing in them."
            )
        if self.llm:
            point = Point(len(self.llm), 0, 0, 0.0, llm_texts=len(self.llm))
            self._add(LLM_ALONE, point, [self.llm.get(it.task_id, ()) for it in self.held_out])

    def add_humans(self, rng: np.random.Generator, progress: Progress) -> None:
        """Humans alone: a tagger trained anew on what they had accepted by each round."""
        sizes = sorted({report.labels for report in self.rounds} | {len(self.examples)})
        chosen = np.unique(np.linspace(0, len(sizes) - 1, MOST_TRAINED).round().astype(int))
        seconds = 0.0
        known, _ = split(self.examples, self.work.learning.held_out_share)
        family = having_read(self.work, self.work.family, known)
        for done, at in enumerate(chosen):
            progress(done, len(chosen), "training without the LLM")
            first = self.examples[: sizes[at]]
            training, _ = split(first, self.work.learning.held_out_share)
            if too_little(training, self.work.learning.min_labels):
                continue
            began = time.monotonic()
            tagger = family.train(training, self.work.scheme, rng)
            seconds += time.monotonic() - began
            rounds = len(self.points.get(HUMANS, ())) + 1
            point = Point(len(first), len(first), rounds, 0.0, training_seconds=seconds)
            self._add(HUMANS, point, self._told_by(tagger))
        progress(len(chosen), len(chosen), "training without the LLM")


def usual_targets(curves: Curves) -> list[float]:
    """Three F1 in steps of .05 up to the highest that humans alone and hybrid both reach."""
    best = [
        max(point.f1 for point in curves[route]) for route in (HUMANS, HYBRID) if route in curves
    ]
    highest = math.floor(20 * min(best) + 1e-9) / 20
    return sorted({max(0.05, round(highest - step, 2)) for step in (0.1, 0.05, 0.0)})
