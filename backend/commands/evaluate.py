"""``harambee evaluate``: which annotator is how good, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from backend.bulk.formats import scheme_of as scheme_named
from backend.commands.projects import PROJECT_HELP, known_project
from backend.commands.terminal import command_line, console, progress_bar, teaching, write
from backend.domain import LabelScheme
from backend.errors import InputError
from backend.protocols import Progress
from backend.reports.page import Provenance
from backend.services import Services

if TYPE_CHECKING:
    from backend.evaluation.cells import Cell, Judged
    from backend.evaluation.laboratory import Evaluation

app = typer.Typer()


@app.command("evaluate")
def evaluate_command(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the report.", show_default=False)],
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of <model>/<language>.jsonl[.gz] recordings.")
    ] = None,
    gold: Annotated[
        list[Path] | None, typer.Option(help="CoNLL file of texts with gold labels; repeatable.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Folder of <annotator>[/<language>].conll over --gold.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the configured LLM about the gold texts.")
    ] = False,
    project: Annotated[
        int | None,
        typer.Option(help=f"{PROJECT_HELP} Judges its tagger, its LLM and its people."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of --gold; default: its files' names.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Labels, parted by commas; default: those of the gold tags.")
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="MODEL=INPUT,OUTPUT in dollars per million tokens; repeatable."),
    ] = None,
    templates: Annotated[
        Path | None, typer.Option(help="The paper's templates.json, to estimate costs with.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of resampling and tests.")] = 1,
) -> None:
    """Measure annotators against gold labels and write report.json and report.html."""
    from backend.evaluation.laboratory import evaluate  # noqa: PLC0415 - only for this command
    from backend.evaluation.pages import report_of  # noqa: PLC0415

    with teaching():
        asked = _Asked(
            recordings, tuple(gold or ()), predictions, live, project, language, templates
        )
        with progress_bar() as progress:
            scheme, cells = _cells(
                context, asked, scheme_named(labels) if labels else None, _prices(price), progress
            )
            measured = evaluate(cells, scheme.labels, seed, progress)
        console.print(_table(measured))
        write(report_of(measured, _provenance(asked, measured)), out)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who shall be measured on what."""

    recordings: Path | None
    gold: tuple[Path, ...]
    predictions: Path | None
    live: bool
    project: int | None
    language: str | None
    templates: Path | None


def _cells(
    context: typer.Context,
    asked: _Asked,
    scheme: LabelScheme | None,
    prices: Mapping[str, tuple[float, float]],
    progress: Progress,
) -> tuple[LabelScheme, list[Cell]]:
    """Every annotator's answers; the labels are those asked for, or those of the gold tags."""
    cells: list[Cell] = []
    if asked.recordings is not None:
        scheme, found = _recorded(asked.recordings, scheme, prices, asked.templates, progress)
        cells += found
    if asked.gold or asked.project is not None:
        texts, scheme = _gold(context, asked, scheme)
        cells += _over_gold(context, texts, scheme, asked, progress)
    if scheme is None:
        raise InputError(
            "What shall be measured? Give --recordings FOLDER, --gold FILE with --predictions "
            "FOLDER or --live, or --project ID."
        )
    return scheme, cells


def _provenance(asked: _Asked, measured: Evaluation) -> Provenance:
    data = ", ".join(map(str, filter(None, (asked.recordings, *asked.gold))))
    return Provenance(
        command_line(),
        data or f"held-out labels of project {asked.project}",
        measured.seed,
        model=", ".join(measured.annotators),
        prompt_version=", ".join(measured.prompt_versions),
        more={"labels": ", ".join(measured.labels)},
    )


def _prices(stated: Sequence[str] | None) -> Mapping[str, tuple[float, float]]:
    from backend.evaluation.bills import read_prices  # noqa: PLC0415

    return read_prices(stated or ())


def _recorded(
    folder: Path,
    scheme: LabelScheme | None,
    prices: Mapping[str, tuple[float, float]],
    templates: Path | None,
    progress: Progress,
) -> tuple[LabelScheme, list[Cell]]:
    from backend.evaluation.bills import bill_of  # noqa: PLC0415
    from backend.evaluation.recorded import cells_of  # noqa: PLC0415
    from backend.llm.recordings import read_recordings  # noqa: PLC0415
    from backend.llm.recovery import scheme_of  # noqa: PLC0415

    found = read_recordings(folder)
    scheme = scheme or scheme_of(found)
    if not scheme.labels:
        raise InputError(
            f"No gold tag in {folder} names a label. Say which there are: --labels PER,LOC"
        )
    return scheme, [
        replace(cell, bill=bill_of(recording, scheme, prices, templates))
        for cell, recording in zip(cells_of(found, scheme, progress), found, strict=True)
    ]


def _gold(
    context: typer.Context, asked: _Asked, scheme: LabelScheme | None
) -> tuple[dict[str, list[Judged]], LabelScheme]:
    from backend.evaluation.gold import read_gold, scheme_in  # noqa: PLC0415
    from backend.evaluation.project import held_out_gold  # noqa: PLC0415

    if asked.gold or asked.project is None:
        texts = read_gold(asked.gold, asked.language)
        return texts, scheme or scheme_in(texts)
    services = Services(context.obj)
    found = known_project(services, asked.project)
    return held_out_gold(services, found), scheme or services.scheme(found)


def _over_gold(
    context: typer.Context,
    texts: dict[str, list[Judged]],
    scheme: LabelScheme,
    asked: _Asked,
    progress: Progress,
) -> list[Cell]:
    from backend.evaluation.gold import read_predictions  # noqa: PLC0415
    from backend.evaluation.live import ask_live  # noqa: PLC0415
    from backend.evaluation.project import project_cells  # noqa: PLC0415

    cells: list[Cell] = []
    if asked.predictions is not None:
        cells += read_predictions(asked.predictions, texts)
    if asked.live:
        cells += ask_live(Services(context.obj), texts, scheme, progress)
    if asked.project is not None:
        services = Services(context.obj)
        cells += project_cells(services, known_project(services, asked.project), texts, progress)
    if not cells:
        raise InputError(
            "Nobody is measured on the gold labels. Give --predictions FOLDER, --live or "
            "--project ID."
        )
    return cells


def _table(found: Evaluation) -> Table:
    """The scores, one row for each annotator and language."""
    table = Table(title="Strict span scores in %, failures as errors", box=SIMPLE)
    table.add_column("language", no_wrap=True)
    table.add_column("annotator", no_wrap=True)
    for heading in ("P", "R", "F1", "95% interval"):
        table.add_column(heading, justify="right")
    for each in found.measured:
        scores = each.result.scores
        shares = (scores.precision, scores.recall, scores.f1)
        table.add_row(
            Text(each.language),
            Text(each.name),
            *(f"{100 * share.value:.1f}" for share in shares),
            f"{100 * scores.f1.low:.1f}-{100 * scores.f1.high:.1f}",
        )
    return table
