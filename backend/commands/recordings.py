"""``harambee llm record`` and ``replay``: paid answers out of the store and into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.commands.terminal import console, teaching
from backend.services import Services
from backend.store.money import SqlAnswerCache

app = typer.Typer()


@app.command("record")
def record(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Where the recording goes.", show_default=False)],
) -> None:
    """Write every paid answer, with what keys it, to a file."""
    from backend.llm.replay import write_recording  # noqa: PLC0415 - pulls in the SDKs' transport

    with teaching():
        cache = SqlAnswerCache(Services(context.obj).database)
        count = write_recording(out, cache.everything())
        console.print(f"{count} answers written to {out}.", markup=False, soft_wrap=True)


@app.command("replay")
def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A recording.", show_default=False)],
) -> None:
    """Take a recording's answers in, so that a run which asked for them repeats for free."""
    from backend.llm.replay import read_recording  # noqa: PLC0415 - pulls in the SDKs' transport

    with teaching():
        answers = list(read_recording(file))
        added = SqlAnswerCache(Services(context.obj).database).put_all(answers)
        console.print(
            f"{added} answers added, {len(answers) - added} known already. "
            "harambee annotate FILE --replay asks for no others.",
            markup=False,
            soft_wrap=True,
        )
