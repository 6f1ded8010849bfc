"""``harambee simulate --project`` and ``--labels``: what further labels would bring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from backend.active_learning.trainer import Trainer
from backend.commands.projects import known_project
from backend.domain import Example, LabelScheme
from backend.errors import InputError
from backend.protocols import Progress
from backend.quality.intervals import Interval
from backend.reports.figures import Series, learning_curve
from backend.reports.page import Block, Cell, Column, Provenance, Report, Section, Text
from backend.reports.page import Table as PageTable
from backend.services import Services
from backend.settings import Settings
from backend.simulation.projection import Projection, project_curve
from backend.simulation.related import Related, sources_beside
from backend.simulation.report import versions
from backend.tagger.auxiliary import AuxiliaryFamily
from backend.tagger.families import build_family
from backend.text.conll import read_partly_labelled, to_text
from backend.workspace import trusted_examples


@dataclass(frozen=True, slots=True)
class HalfLabelled:
    """Labelled texts, and those that wait for labels."""

    examples: Sequence[Example]
    waiting: Sequence[str]


def labels_of_project(settings: Settings, project: int) -> HalfLabelled:
    """The accepted labels of a project, as its tagger learns from them, and its pool."""
    services = Services(settings)
    work = services.workspace(known_project(services, project))
    return HalfLabelled(trusted_examples(work)[0], [task.text for task in work.tasks.pool()])


def labels_of_file(path: Path) -> HalfLabelled:
    """The sentences of a CoNLL file; those without tags wait for labels."""
    sentences, waiting = read_partly_labelled(path)
    examples = [Example(str(n), *to_text(sentence)) for n, sentence in enumerate(sentences)]
    return HalfLabelled(examples, waiting)


def projected(  # noqa: PLR0913, PLR0917 - what the options say
    given: HalfLabelled,
    settings: Settings,
    targets: Sequence[int],
    splits: int,
    progress: Progress,
    related: Sequence[Related] = (),
) -> Projection:
    """The curve of the labels there are, and what to expect with more."""
    examples = given.examples
    labels = {span.label for example in examples for span in example.spans}
    family = build_family(settings.tagger)
    own = [*(example.text for example in examples), *given.waiting]
    if sources := sources_beside(related, None, own):
        family = AuxiliaryFamily(family, sources, settings.tagger.auxiliary_texts)
    trainer = Trainer(
        family,
        LabelScheme(tuple(sorted(labels))),
        np.random.default_rng(settings.learning.seed),
        _Only(progress),
    )
    now = len({example.text for example in examples})
    wanted = {now, *(targets or (300, 2 * now, 4 * now))}
    return project_curve(examples, trainer, sorted(wanted), splits, given.waiting)


class _Only:
    """A :class:`~backend.protocols.Progress` that hears of splits, not of each training's steps."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, done: int, total: int, what: str = "") -> None:
        if what.startswith("splits"):
            self._progress(done, total, what)


def targets_of(written: str | None) -> tuple[int, ...]:
    """``300,1000`` as numbers; none where nothing was written."""
    try:
        return tuple(int(number) for number in (written or "").split(",") if number.strip())
    except ValueError:
        raise InputError(
            f"--expect takes numbers of labels, as in 300,1000, and not {written!r}."
        ) from None


def projection_table(found: Projection) -> Table:
    """What was measured and what is to be expected, for a terminal."""
    table = Table(title="Strict span F1 in % by number of labels", box=SIMPLE)
    for heading in ("labels", "F1", "from", "to", ""):
        table.add_column(heading, justify="right")
    for at in found.seen:
        table.add_row(str(at.labels), *_cells(at.f1), "measured")
    for expected in found.expected:
        table.add_row(str(expected.labels), *_cells(expected.f1), "expected")
    return table


def _cells(interval: Interval) -> list[str]:
    numbers = (interval.value, interval.low, interval.high)
    return ["-" if math.isnan(each) else f"{100 * each:.1f}" for each in numbers]


def in_words(found: Projection) -> list[str]:
    """What to expect, a sentence for each number of labels."""
    return [
        f"Expect {100 * at.f1.value:.0f} F1 ({100 * at.f1.low:.0f} to {100 * at.f1.high:.0f}) "
        f"with {at.labels:,} labels{' (all that there are now)' * (at.labels == found.labels)}."
        for at in found.expected
    ]


def projection_report(found: Projection, command: str, data: str) -> Report:
    """The page."""
    measured = Series(
        "measured",
        [at.labels for at in found.seen],
        [100 * at.f1.value for at in found.seen],
        [100 * at.f1.low for at in found.seen],
        [100 * at.f1.high for at in found.seen],
    )
    expected = Series(
        "expected",
        [at.labels for at in found.expected],
        [100 * at.f1.value for at in found.expected],
        [100 * at.f1.low for at in found.expected],
        [100 * at.f1.high for at in found.expected],
    )
    series = [measured, *([expected] if found.expected else [])]
    figure = learning_curve(
        "Strict span F1 by number of labels", series, "labels", "strict span F1, %"
    )
    columns = [Column("labels"), Column("F1", percent=True), Column("", words=True)]
    rows: list[list[Cell]] = [[str(at.labels), at.f1, "measured"] for at in found.seen]
    rows += [[str(at.labels), at.f1, "expected"] for at in found.expected]
    note = (
        f"Measured: {found.splits} times a quarter of the {found.labels} labelled texts was held "
        "out and the rest learnt from in random order; 95% by resampling texts. Expected: a power "
        "law through that, with 90% bounds for a tagger of any labels drawn like these, on texts "
        "like these (docs/simulation.md says how often they held). A query "
        "strategy does better than a random order."
    )
    blocks: list[Block] = [figure, PageTable("F1 in %", columns, rows, note), Text(note)]
    return Report(
        "What further labels would bring",
        in_words(found),
        [Section("Learning curve", blocks)],
        Provenance(command, data, more=versions()),
    )
