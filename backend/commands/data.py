"""``harambee data fetch``: public data sets, so that published tables can be made again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from backend.commands.terminal import console, progress_bar, teaching
from backend.datasets.catalogue import DATASETS, Dataset
from backend.errors import InputError

app = typer.Typer(help="Public research data.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Public research data."""


@app.command("fetch")
def fetch_data(  # noqa: PLR0913, PLR0917 - one parameter per option
    name: Annotated[str, typer.Argument(help=f"Which: {', '.join(DATASETS)}.")],
    out: Annotated[
        Path, typer.Option(help="Where it goes; point HARAMBEE_DATA at this folder.")
    ] = Path("research-data"),
    languages: Annotated[
        str | None, typer.Option(help="Codes, parted by commas, as zul,bam; default: all.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept-licence", help="You accept the licence: ask nothing.")
    ] = False,
    api: Annotated[str | None, typer.Option(help="A mirror of GitHub's interface.")] = None,
    files: Annotated[str | None, typer.Option(help="A mirror of GitHub's raw files.")] = None,
) -> None:
    """Show a data set's licence, ask, download it, check every file, and lay it out."""
    from backend.datasets.download import Downloader, Hosts, fetch  # noqa: PLC0415 - pulls in HTTP

    with teaching():
        dataset = DATASETS.get(name)
        if dataset is None:
            known = ", ".join(DATASETS)
            raise InputError(f"There is no data set {name!r} to fetch, only: {known}.")
        if not _accepted(dataset, accept):
            console.print("Nothing was fetched.")
            raise typer.Exit(1)
        public = Hosts()
        hosts = Hosts(api or public.api, files or public.files)
        chosen = [code.strip() for code in (languages or "").split(",") if code.strip()]
        with progress_bar() as progress:
            paths = fetch(Downloader(dataset, hosts), dataset, chosen, out, progress)
        console.print(
            f"{len(paths)} files are in {out / dataset.name}, each checked. "
            f"export HARAMBEE_DATA={out.resolve()}",
            markup=False,
            soft_wrap=True,
        )


def _accepted(dataset: Dataset, already: bool) -> bool:
    console.print(f"{dataset.title}\n{dataset.licence}", markup=False, soft_wrap=True)
    if already:
        return True
    if not sys.stdin.isatty():
        raise InputError("Nobody can be asked here. Add --accept-licence if you accept it.")
    return typer.confirm("Do you accept the licence?")
