"""``harambee drift``: what labelling was like over time, and whether something has changed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from backend.commands.projects import PROJECT_HELP, known_project
from backend.commands.terminal import command_line, console, teaching, write
from backend.errors import InputError
from backend.reports.page import Provenance
from backend.services import Services

app = typer.Typer()


@app.command("drift")
def drift_command(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the report.", show_default=False)],
    project: Annotated[int | None, typer.Option(help=PROJECT_HELP)] = None,
    events: Annotated[
        Path | None, typer.Option(help="JSONL file of labels over time: see docs/drift.md.")
    ] = None,
    labels_a_period: Annotated[
        int | None, typer.Option(min=1, help="Sum up in runs of so many labels, not by week.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Begin here, as after a change that was wanted.")
    ] = None,
    rate: Annotated[float, typer.Option(help="False-alarm rate of all watches together.")] = 0.05,
    reference: Annotated[
        int, typer.Option(min=20, help="First values, which later ones are compared with.")
    ] = 100,
    length: Annotated[int, typer.Option(min=1, help="How many values are watched.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of ties, resampling and tests.")] = 1,
) -> None:
    """Report acceptance, edits, quality, agreement and input over time, with alarms."""
    import numpy as np  # noqa: PLC0415 - only for this command

    from backend.evaluation import label_events  # noqa: PLC0415
    from backend.evaluation.drift_page import drift_report, in_words  # noqa: PLC0415
    from backend.quality.drift import drift_of, watch_limits  # noqa: PLC0415

    with teaching():
        if (project is None) == (events is None):
            raise InputError("What shall be watched? Give --project ID or --events FILE.jsonl.")
        if events is not None:
            labels = label_events.read_events(events)
        else:
            services = Services(context.obj)
            labels = label_events.events_of_project(services, known_project(services, project or 0))
        rng = np.random.default_rng(seed)
        limits = watch_limits(rng, rate=rate, reference=reference, length=length)
        found = drift_of(
            label_events.since(labels, since), limits, rng, labels_a_period=labels_a_period
        )
        provenance = Provenance(
            command_line(),
            str(events) if events else f"project {project}, {len(found.events)} labels",
            seed,
            model=", ".join(period.name for period in found.versions),
        )
        for sentence in in_words(found):
            console.print(sentence, markup=False, soft_wrap=True)
        write(drift_report(found, provenance), out)
