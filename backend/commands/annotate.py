"""``harambee annotate``: a whole file through the LLM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from backend.bulk.annotation import (
    Summary,
    account_of,
    annotate_items,
    check_writable,
    read_items,
    summary_of,
    write_whole,
)
from backend.bulk.formats import FormatName, build_format, format_of, scheme_of
from backend.commands.terminal import console, progress_bar, teaching
from backend.errors import InputError
from backend.label_studio.labels import LabelConfig, parse_label_config
from backend.protocols import Annotator, Progress
from backend.services import Services
from backend.settings import Settings
from backend.store.money import committed_on

app = typer.Typer()

DEFAULT_LABELS = "PER,ORG,LOC,DATE"
INCOMPLETE = 3
"""Exit status of a run that left texts unasked: the same command goes on where it stopped."""


@app.command("annotate")
def annotate(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to annotate.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the annotated file goes.", show_default=False)],
    format_name: Annotated[
        FormatName | None,
        typer.Option(
            "--format", help="FILE's format; default: by its name. txt is written as jsonl."
        ),
    ] = None,
    labels: Annotated[str, typer.Option(help="Labels, parted by commas.")] = DEFAULT_LABELS,
    language: Annotated[
        str | None, typer.Option(help="The texts' language, where FILE does not say it.")
    ] = None,
    label_config: Annotated[
        Path | None,
        typer.Option(help="Label Studio's labelling config (XML), for its labels and its format."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="US dollars for this corpus, over all runs; default: llm.budget_usd."),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Half the price, within a day: the provider's batches.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Only answers that are known already; needs no key.")
    ] = False,
) -> None:
    """Annotate every text of a file; run it again to go on after an interruption."""
    with teaching():
        config = _read_config(label_config) if label_config else None
        scheme = config.scheme if config else scheme_of(labels)
        form = build_format(format_name or format_of(file), scheme, config)
        check_writable(out)
        items = read_items(file, form, language)
        services = Services(_with_budget(context.obj, budget))
        account = account_of(items)
        before = committed_on(services.database, account)
        with progress_bar() as progress:
            annotator = _annotator(services, account, progress, batch=batch, replay=replay)
            results = annotate_items(annotator, items, scheme, progress)
        write_whole(out, form, results, scheme)
        total = committed_on(services.database, account)
    summary = summary_of(results)
    _tell(
        summary,
        f"Spent ${total - before:.4f} now, and ${total:.4f} of "
        f"${services.settings.llm.budget_usd:.2f} on these texts in all. Written to {out}.",
    )
    if summary.to_ask_again:
        raise typer.Exit(INCOMPLETE)


def _tell(summary: Summary, where: str) -> None:
    """How the texts ended, what was spent and written, and what is left to do."""
    console.print(_table(summary))
    console.print(
        f"{summary.spans} spans, {summary.repaired} of them repaired; "
        f"{summary.rejected} mentions rejected."
    )
    console.print(where, markup=False, soft_wrap=True)
    if summary.to_ask_again:
        console.print(
            f"{summary.to_ask_again} texts have no answer yet: {summary.first_problem}\n"
            "The same command asks for these, and only for these.",
            markup=False,
            soft_wrap=True,
        )


def _annotator(
    services: Services, account: str, progress: Progress, *, batch: bool, replay: bool
) -> Annotator:
    from backend.bulk import annotators  # noqa: PLC0415 - pulls in what calls are made of

    if replay:
        return annotators.replaying(services, account)
    if batch:
        return annotators.in_batches(services, account, progress)
    return annotators.asking_at_once(services, account)


def _with_budget(settings: Settings, budget: float | None) -> Settings:
    if budget is None:
        return settings
    llm = settings.llm.model_copy(update={"budget_usd": max(budget, 0.0)})
    return settings.model_copy(update={"llm": llm})


def _read_config(path: Path) -> LabelConfig:
    try:
        return parse_label_config(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the labelling config {path}: {error}") from error


def _table(summary: Summary) -> Table:
    """How many texts ended how."""
    table = Table(title=f"{summary.texts} texts", box=SIMPLE)
    table.add_column("outcome")
    table.add_column("texts", justify="right")
    for outcome, count in summary.outcomes.most_common():
        table.add_row(outcome.value, str(count))
    return table
