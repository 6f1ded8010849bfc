"""``harambee llm``: what a team does with a model's answers outside of a project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from backend.commands.terminal import console, progress_bar, teaching
from backend.domain import LabelScheme
from backend.errors import InputError
from backend.llm.recordings import read_recordings
from backend.llm.recovery import Recovery, recover, scheme_of

app = typer.Typer(help="Record, replay and read back the answers of models.", no_args_is_help=True)


COUNTS = ("answers", "exact", "repaired", "rejected", "missing")


@app.command("recover")
def recover_command(
    recordings: Annotated[
        Path, typer.Option(help="Folder of <model>/<language>.jsonl[.gz] recordings.")
    ],
    out: Annotated[Path, typer.Option(help="JSON file for the results.")],
    labels: Annotated[
        str | None,
        typer.Option(help="Labels, separated by commas; default: those of the gold tags."),
    ] = None,
) -> None:
    """Measure what forgiving parsing wins back from recorded answers."""
    with teaching():
        found = read_recordings(recordings)
        scheme = scheme_of(found) if labels is None else _scheme(labels)
        if not scheme.labels:
            raise InputError(
                f"No gold tag in {recordings} names a label. Say which there are: --labels PER,LOC"
            )
        with progress_bar() as progress:
            results = list(recover(found, scheme, progress))
        _write(out, [result.as_json() for result in results])
        console.print(recovery_table(results))
        console.print(Text(f"Written to {out}"), soft_wrap=True)


def recovery_table(results: Sequence[Recovery]) -> Table:
    """What became of the answers, one row for each model and language; totals and mean F1 below."""
    table = Table(
        title="Recorded answers (strict span F1 in %)",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_footer=True,
    )
    table.add_column("model", "all, mean F1", no_wrap=True)
    table.add_column("lang", no_wrap=True)
    rows = [_counts(result) for result in results]
    for place, heading in enumerate(COUNTS):
        table.add_column(heading, str(sum(row[place] for row in rows)), justify="right")
    table.add_column("before", _mean([result.f1_before for result in results]), justify="right")
    table.add_column("after", _mean([result.f1_after for result in results]), justify="right")
    for result, counts in zip(results, rows, strict=True):
        table.add_row(
            Text(result.model),
            Text(result.language),
            *map(str, counts),
            _shown(result.f1_before),
            _shown(result.f1_after),
        )
    return table


def _counts(result: Recovery) -> tuple[int, ...]:
    return result.answers, result.exact, result.repaired, result.rejected, result.missing


def _mean(scores: Sequence[float | None]) -> str:
    known = [score for score in scores if score is not None]
    return _shown(fmean(known) if known else None)


def _shown(f1: float | None) -> str:
    return "-" if f1 is None else f"{f1:.1f}"


def _scheme(labels: str) -> LabelScheme:
    names = dict.fromkeys(name.strip() for name in labels.split(","))
    return LabelScheme(tuple(name for name in names if name))


def _write(path: Path, results: Sequence[object]) -> None:
    try:
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error}. Choose another --out.") from error
