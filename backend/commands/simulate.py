"""``harambee simulate``: what would labelling bring? The loop over texts with gold labels."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from backend.commands.projected import (
    in_words,
    labels_of_file,
    labels_of_project,
    projected,
    projection_report,
    projection_table,
    targets_of,
)
from backend.commands.simulation_options import (
    auxiliary_in,
    given,
    languages_of,
    names_in,
    one_of,
    routes_in,
    source_of,
    with_tagger,
)
from backend.commands.terminal import command_line, console, progress_bar, teaching
from backend.errors import InputError
from backend.quality.intervals import Interval
from backend.reports import page
from backend.settings import Settings
from backend.simulation.paper import GOLD_ROUNDS, published_curves
from backend.simulation.paper_report import Published
from backend.simulation.plan import (
    DEFAULT,
    Amount,
    Costs,
    FirstTexts,
    Plan,
    Route,
)
from backend.simulation.related import Related, described, related_in
from backend.simulation.report import Findings
from backend.simulation.running import Experiment, corpus_at, run

app = typer.Typer()

INTERRUPTED = 130
RESULTS, PAGE = "results.json", "index.html"


@app.command("simulate")
def simulate(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the results.", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of <language>/{train,dev,test}.txt[.gz], CoNLL."),
    ] = None,
    project: Annotated[
        int | None,
        typer.Option(help="Instead of --data: what would more labels bring to this project?"),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Instead of --data: the same for a labelled CoNLL file.")
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(help="For how many labels, as in 300,1000; default: 300, twice, 4 times."),
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="Languages, parted by commas; default: all in --data.")
    ] = None,
    strategies: Annotated[
        str, typer.Option(help="Query strategies, parted by commas; random is always beside them.")
    ] = DEFAULT,
    seeds: Annotated[int, typer.Option(help="How often everything is repeated.", min=1)] = 5,
    rounds: Annotated[
        int | None,
        typer.Option(help="Rounds behind the first texts; default: 5.", min=1),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="paper: with the protocol and measure of Kholodna et al. beside ours."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="The paper's published results: paper_active_learning.json."),
    ] = None,
    first: Annotated[str, typer.Option(help="First texts: 5%, 0.05 or a number.")] = "5%",
    step: Annotated[str, typer.Option(help="Texts a round: 5%, 0.05 or a number.")] = "5%",
    first_texts: Annotated[
        FirstTexts, typer.Option(help="How the first texts are chosen.")
    ] = FirstTexts.RANDOM,
    tagger: Annotated[
        str | None, typer.Option(help="crf or transformer; default: tagger.kind.")
    ] = None,
    auxiliary: Annotated[
        str | None,
        typer.Option(
            help="Labels of other languages, used where cross-validation says that they help: "
            "languages of --data, CoNLL files, or all; default: tagger.auxiliary."
        ),
    ] = None,
    llm: Annotated[
        str,
        typer.Option(
            help="Who labels beside humans: none, gold, recorded:MODEL, noisy:MODEL, noisy:FILE "
            "(an error model) or live (the configured provider, for money)."
        ),
    ] = "none",
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of <model>/<language>.jsonl[.gz] recordings.")
    ] = None,
    routes: Annotated[
        str | None,
        typer.Option(
            help="Who labels what is queried: all-human, human-only, llm-only, default; "
            "default: all of them with an LLM, all-human without."
        ),
    ] = None,
    human_share: Annotated[
        float, typer.Option(help="Humans' share of each round where it is shared.", min=0, max=1)
    ] = 0.1,
    paid_by: Annotated[
        str, typer.Option(help="What a label is paid for: sentence, token or minute.")
    ] = "sentence",
    seconds_per_text: Annotated[float, typer.Option(help="A human's time.", min=0)] = 10.0,
    seconds_per_token: Annotated[float, typer.Option(help="A human's time.", min=0)] = 1.0,
    usd_per_hour: Annotated[float, typer.Option(help="A human's wage.", min=0)] = 10.0,
    llm_usd_per_text: Annotated[float, typer.Option(help="Price of an answer.", min=0)] = 0.0034,
    processes: Annotated[
        int | None, typer.Option(help="Processes at once; default: one a core.", min=1)
    ] = None,
) -> None:
    """Play the loop over texts with gold labels: learning curves, with what they cost.

    Run it again to go on after an interruption: what is finished is not computed again.
    """
    with teaching():
        others = auxiliary_in(auxiliary, context.obj)
        settings = with_tagger(context.obj, tagger)
        if project is not None or labels is not None:
            related = related_in(data, others)
            _project(settings, project, labels, targets_of(expect), seeds, out, related)
            return
        folder = given(data)
        chosen = languages_of(folder, languages)
        paper = preset is not None and one_of(preset, ("paper",), "preset") == "paper"
        published = published_curves(reference) if reference else {}
        source = source_of(llm, recordings, chosen, settings)
        related = related_in(folder, others)
        plan = Plan(
            languages=chosen,
            strategies=names_in(strategies),
            routes=routes_in(
                routes or (Route.ALL_HUMAN if paper else None), with_llm=source is not None
            ),
            seeds=seeds,
            rounds=rounds or (GOLD_ROUNDS if paper else 5),
            first=Amount.read(first),
            step=Amount.read(step),
            first_texts=first_texts,
            tagger=settings.tagger,
            human_share=human_share,
            paid_by=paid_by,
            costs=Costs(seconds_per_text, seconds_per_token, usd_per_hour, llm_usd_per_text),
            annotator=None if source is None else {one: source.described(one) for one in chosen},
            auxiliary={one: described(related, corpus_at(folder, one)) for one in chosen}
            if related
            else None,
            paper=paper,
        )
        for strategy in plan.strategies:
            plan.resolved(strategy)
        experiment = Experiment(plan, folder, source, out, related)
        findings = _run(experiment, processes or cores(), published)
        write_findings(findings, out)
        console.print(terminal_table(findings.summary()))
        _say_where(out)


def _say_where(out: Path) -> None:
    console.print(f"Written to {out / RESULTS} and {out / PAGE}.", markup=False, soft_wrap=True)


def _project(  # noqa: PLR0913, PLR0917 - what the options say
    settings: Settings,
    project: int | None,
    labels: Path | None,
    targets: tuple[int, ...],
    splits: int,
    out: Path,
    related: tuple[Related, ...],
) -> None:
    if labels is not None:
        half_labelled, source = labels_of_file(labels), labels.name
    else:
        half_labelled = labels_of_project(settings, project or 0)
        source = f"project {project}"
    with progress_bar() as progress:
        found = projected(half_labelled, settings, targets, splits, progress, related)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / RESULTS).write_text(as_text(found.as_json()), encoding="utf-8")
        report = projection_report(found, command_line(), source)
        (out / PAGE).write_text(page.to_html(report), encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write to {out}: {error}. Choose another --out.") from error
    console.print(projection_table(found))
    for sentence in in_words(found):
        console.print(sentence, markup=False, soft_wrap=True)
    _say_where(out)


def cores() -> int:
    """How many cores this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def _run(experiment: Experiment, processes: int, published: Published) -> Findings:
    try:
        with progress_bar() as progress:
            results = run(experiment, processes, progress)
    except KeyboardInterrupt:
        console.print(
            f"Interrupted. What is finished is in {experiment.out}; the same command goes on.",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    corpora = [corpus_at(experiment.data, language) for language in experiment.plan.languages]
    return Findings(experiment.plan, corpora, results, command_line(), published)


def write_findings(findings: Findings, out: Path) -> None:
    """Write ``results.json``, ``index.html`` and a picture of each curve into a folder."""
    try:
        (out / RESULTS).write_text(as_text(findings.as_json()), encoding="utf-8")
        (out / PAGE).write_text(page.to_html(findings.report()), encoding="utf-8")
        for place in findings.outcomes.places:
            for axis, figure in findings.figures(place).items():
                (out / f"{place}-{axis}.svg").write_text(figure.svg, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write to {out}: {error}. Choose another --out.") from error


def as_text(results: Any) -> str:
    """Results as JSON text, the same for the same results."""
    return json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def terminal_table(table: page.Table) -> Table:
    """A report's table for a terminal: intervals as what is behind ±, on a line of their own."""
    shown = Table(
        title=table.caption, caption=table.note, box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False
    )
    for column in table.columns:
        shown.add_column(
            column.heading,
            justify="left" if column.words else "right",
            overflow="fold",
            no_wrap=column.heading == table.columns[0].heading,
        )
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        shown.add_row(*(_terminal_cell(cell, column) for cell, column in cells))
    return shown


def _terminal_cell(cell: page.Cell, column: page.Column) -> str:
    value = page.shown(cell, column)
    if not isinstance(cell, Interval) or math.isnan(cell.width):
        return value
    scale = 100 if column.percent else 1
    return f"{value}\n±{scale * cell.width / 2:.{column.decimals}f}"
