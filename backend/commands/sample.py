"""``harambee sample``: texts to evaluate annotators on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backend.commands.terminal import console, teaching
from backend.evaluation.drawing import Draw, Rule, sample_file

app = typer.Typer()


@app.command("sample")
def sample(  # noqa: PLR0913, PLR0917 - one parameter per option
    file: Annotated[Path, typer.Argument(help="CoNLL, JSON Lines or text.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the sample goes.", show_default=False)],
    count: Annotated[int, typer.Option(help="How many texts.")] = 50,
    rule: Annotated[
        Rule, typer.Option(help="gold is the paper's rule and looks at labels; the others do not.")
    ] = Rule.RANDOM,
    key: Annotated[
        str, typer.Option(help="For --rule source: where a line of JSON says it.")
    ] = "source",
    seed: Annotated[int, typer.Option(help="Equal seeds draw equal texts.")] = 1,
) -> None:
    """Draw texts to evaluate annotators on."""
    with teaching():
        total = sample_file(file, out, Draw(count, rule, key), np.random.default_rng(seed))
        console.print(
            f"{count} of {total} texts drawn ({rule.value}, seed {seed}). Written to {out}.",
            markup=False,
            soft_wrap=True,
        )
