"""``harambee audit``: how good the LLM and the tagger are, on labels that nothing has swayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from backend.commands.projects import ProjectOption, known_project
from backend.commands.terminal import (
    OutOption,
    command_line,
    console,
    progress_bar,
    teaching,
    write,
)
from backend.domain import SourceKind
from backend.errors import InputError
from backend.laboratory.audit import AuditedSource, ProjectAudit
from backend.operations import audit_and_keep
from backend.quality.audit import AuditScores
from backend.quality.prediction_powered import Estimate
from backend.reports import page
from backend.services import Services

app = typer.Typer()

NAMES = {SourceKind.LLM: "LLM", SourceKind.TAGGER: "tagger"}
OVERALL = "all"


@app.command("audit")
def audit(
    context: typer.Context,
    project: ProjectOption,
    level: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Confidence of the intervals.")
    ] = 0.9,
    out: OutOption = None,
) -> None:
    """Estimate precision, recall and F1 from the labels that were made blind."""
    with teaching():
        services = Services(context.obj)
        known = known_project(services, project)
        if not services.settings.audit.share:
            raise InputError(
                "Nothing is audited: audit.share is 0. Set it (0.05 asks for every twentieth text "
                f"without a suggestion) and push again with {services.push_command(known)}."
            )
        with progress_bar() as progress:
            result = audit_and_keep(services, known, level, progress)
        half_width = services.settings.audit.half_width
        console.print(standing(result), markup=False, soft_wrap=True)
        for source in result.sources:
            console.print(_table(source, half_width))
        if out is not None:
            seed = services.settings.learning.seed
            write(report(result, project, seed, half_width), out)


def standing(result: ProjectAudit) -> str:
    """How far the audit has come, in words."""
    words = (
        f"{result.labelled} of {result.drawn} audited texts are labelled, of {result.texts} texts "
        f"in all. Known of every text: {result.proxies}."
    )
    if result.seen:
        words += (
            f" {result.seen} audited texts were labelled with a suggestion in view and do not "
            "count; what was labelled first may be unlike the rest, so read on with care."
        )
    if not result.sources:
        words += " There is nothing to estimate yet: label some of them."
    return words


def rows(source: AuditedSource) -> Iterator[tuple[str, AuditScores]]:
    """What there are scores of: all, each label, each language."""
    yield OVERALL, source.scores
    yield from source.by_label.items()
    yield from source.by_language.items()


def _table(source: AuditedSource, half_width: float) -> Table:
    table = Table(
        title=f"{NAMES[source.kind]} {source.model}, {source.texts} audited texts",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for heading in ("precision", "recall", "F1", needed_for(half_width)):
        table.add_column(heading, justify="right")
    for name, scores in rows(source):
        estimates = (scores.precision, scores.recall, scores.f1)
        table.add_row(Text(name), *map(_percent, estimates), _forecast(scores.f1, half_width))
        if name == OVERALL:
            table.add_section()
    return table


def _percent(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    interval = estimate.interval
    return f"{100 * interval.value:.1f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"


def _forecast(estimate: Estimate | None, half_width: float) -> str:
    return "-" if estimate is None else f"{estimate.more_labels(half_width)} more"


def needed_for(half_width: float) -> str:
    """A heading: over how many labels F1 still needs to be known to within so much."""
    return f"labels for ±{100 * half_width:g}"


def report(result: ProjectAudit, project: int, seed: int, half_width: float) -> page.Report:
    """The audit as a page."""
    return page.Report(
        title=f"Blind audit of project {project}",
        lead=[standing(result)],
        sections=[_section(source, half_width) for source in result.sources],
        provenance=page.Provenance(
            command=command_line(),
            data=f"project {project}, {result.texts} texts, {result.labelled} labelled blind",
            seed=seed,
            model=", ".join(source.model for source in result.sources),
        ),
        results=asdict(result, dict_factory=_plain),
    )


def _plain(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {name: dict(it) if isinstance(it, Mapping) else it for name, it in pairs}


def _section(source: AuditedSource, half_width: float) -> page.Section:
    columns = [
        page.Column("", words=True),
        page.Column("precision", percent=True),
        page.Column("recall", percent=True),
        page.Column("F1", percent=True),
        page.Column("F1 from the labels alone", percent=True),
        page.Column(needed_for(half_width)),
    ]
    cells = [_cells(name, scores, half_width) for name, scores in rows(source)]
    caption = f"Strict span scores in %, from {source.texts} texts labelled blind"
    table = page.Table(caption, columns, cells, strong=frozenset({0}))
    return page.Section(f"{NAMES[source.kind]} {source.model}", [table])


def _cells(name: str, scores: AuditScores, half_width: float) -> list[page.Cell]:
    estimates = (scores.precision, scores.recall, scores.f1)
    return [
        name,
        *(None if it is None else it.interval for it in estimates),
        None if scores.f1 is None else scores.f1.classical,
        None if scores.f1 is None else scores.f1.more_labels(half_width),
    ]
