"""``harambee leakage``: has the LLM seen the data set it is measured on?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backend.bulk.annotation import account_of, read_items
from backend.bulk.formats import build_format, format_of, scheme_of
from backend.bulk.items import Item
from backend.commands.annotate import DEFAULT_LABELS
from backend.commands.terminal import command_line, console, progress_bar, teaching, write
from backend.errors import InputError
from backend.protocols import Progress
from backend.quality.leakage import Names
from backend.reports.page import Provenance, Report
from backend.services import Services

app = typer.Typer()


@app.command("leakage")
def leakage_command(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the report.", show_default=False)],
    members: Annotated[
        Path | None, typer.Option(help="Texts of the data set (conll, jsonl, txt).")
    ] = None,
    controls: Annotated[
        Path | None,
        typer.Option(help="Texts of the same language and kind that the model cannot have seen."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="The data set's name with version.")] = None,
    families: Annotated[
        str, typer.Option(help="What else it is called, without version; parted by commas.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Texts of either kind, at most.")] = 100,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of recorded probes, instead of asking.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of permutations and resampling.")] = 1,
) -> None:
    """Ask the LLM where texts are from and how they go on; compare with texts it cannot know."""
    with teaching():
        names = Names((dataset,), tuple(_parted(families))) if dataset else None
        if recordings is not None:
            report = _recorded(recordings, names, seed)
        elif members is not None and controls is not None and dataset and names:
            services = Services(context.obj)
            with progress_bar() as progress:
                report = _live(services, members, controls, dataset, names, limit, seed, progress)
        else:
            raise InputError(
                "What shall be probed? Give --members, --controls and --dataset to ask the LLM, "
                "or --recordings for answers that were recorded."
            )
        console.print(report.lead[0], markup=False)
        write(report, out)


def _recorded(folder: Path, names: Names | None, seed: int) -> Report:
    from backend.leakage.pages import recorded_report  # noqa: PLC0415 - only for this command
    from backend.leakage.recorded import read_probes  # noqa: PLC0415

    probes = read_probes(folder, names)
    models = [one.model for one in probes.sources] + [one.model for one in probes.continuations]
    provenance = replace(_provenance(str(folder), seed), model=", ".join(dict.fromkeys(models)))
    return recorded_report(probes, provenance)


def _live(  # noqa: PLR0913, PLR0917 - what the options say
    services: Services,
    members: Path,
    controls: Path,
    dataset: str,
    names: Names,
    limit: int,
    seed: int,
    progress: Progress,
) -> Report:
    from backend.bulk.annotators import asking_probes  # noqa: PLC0415 - pulls in the SDKs
    from backend.leakage.findings import findings  # noqa: PLC0415
    from backend.leakage.live import probe, usable  # noqa: PLC0415
    from backend.leakage.pages import live_report  # noqa: PLC0415

    sides = [_texts(path) for path in (members, controls)]
    shared = {item.task.text for item in sides[0]} & {item.task.text for item in sides[1]}
    if shared:
        raise InputError(
            f"{len(shared)} texts are in {members} and in {controls}. A control is a text that the "
            "model cannot have seen: take other ones."
        )
    chosen = [usable([item.task.text for item in side], limit) for side in sides]
    prober = asking_probes(services, f"probes/{account_of([*sides[0], *sides[1]])}")
    probed = [probe(prober, texts, dataset, names, progress) for texts in chosen]
    found = findings(probed[0], probed[1], np.random.default_rng(seed))
    provenance = _provenance(f"{members} against {controls}", seed, prober.model)
    return live_report(prober.model, dataset, found, provenance)


def _texts(path: Path) -> list[Item]:
    scheme = scheme_of(DEFAULT_LABELS)
    return read_items(path, build_format(format_of(path), scheme, None), None)


def _parted(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _provenance(data: str, seed: int, model: str = "") -> Provenance:
    from backend.llm.probes import CONTINUATION, SOURCE, version_of  # noqa: PLC0415

    versions = f"{version_of(SOURCE)}, {version_of(CONTINUATION)}" if model else ""
    return Provenance(command_line(), data, seed, model, versions)
