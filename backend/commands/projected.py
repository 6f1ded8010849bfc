"""``harambee simulate --project`` and ``--labels``: what further labels would bring."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from backend.text.conll import read_conll, to_text
from backend.workspace import trusted_examples


def labels_of_project(settings: Settings, project: int) -> list[Example]:
    """The accepted labels of a project, as its tagger learns from them."""
    services = Services(settings)
    return trusted_examples(services.workspace(known_project(services, project)))[0]


def labels_of_file(path: Path) -> list[Example]:
    """The sentences of a CoNLL file."""
    sentences = enumerate(read_conll(path))
    return [Example(str(number), *to_text(sentence)) for number, sentence in sentences]


def projected(  # noqa: PLR0913, PLR0917 - what the options say
    examples: Sequence[Example],
    settings: Settings,
    targets: Sequence[int],
    splits: int,
    progress: Progress,
    related: Sequence[Related] = (),
) -> Projection:
    """The curve of the labels there are, and what to expect with more."""
    labels = {span.label for example in examples for span in example.spans}
    family = build_family(settings.tagger)
    if sources := sources_beside(related, None, [example.text for example in examples]):
        family = AuxiliaryFamily(family, sources, settings.tagger.auxiliary_texts)
    trainer = Trainer(
        family,
        LabelScheme(tuple(sorted(labels))),
        np.random.default_rng(settings.learning.seed),
        _Only(progress),
    )
    wanted = targets or (300, 2 * len(examples), 4 * len(examples))
    return project_curve(examples, trainer, sorted(set(wanted)), splits)


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
    lead = [
        f"Expect {100 * at.f1.value:.0f} F1 ({100 * at.f1.low:.0f} to {100 * at.f1.high:.0f}) "
        f"with {at.labels:,} labels."
        for at in found.expected
    ]
    note = (
        f"Measured: means over {found.splits} divisions of the {found.labels} labelled texts with "
        "95% t-intervals, in random order. Expected: a power law through them, 90% as far as it "
        "holds. A query strategy does better than a random order."
    )
    blocks: list[Block] = [figure, PageTable("F1 in %", columns, rows, note), Text(note)]
    return Report(
        "What further labels would bring",
        lead,
        [Section("Learning curve", blocks)],
        Provenance(command, data, more=versions()),
    )
