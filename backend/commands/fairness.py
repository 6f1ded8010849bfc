"""``harambee fairness``: is the work as good for every dialect, region, script and name?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.commands.projects import PROJECT_HELP, known_project
from backend.commands.terminal import command_line, console, progress_bar, teaching, write
from backend.errors import InputError
from backend.reports.page import Provenance
from backend.services import Services

if TYPE_CHECKING:
    from backend.evaluation.fair import Finder
    from backend.protocols import Progress
    from backend.quality.fairness import Fairness
    from backend.quality.name_swaps import NameRecall
    from backend.quality.slices import Case

app = typer.Typer()


@app.command("fairness")
def fairness_command(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the report.", show_default=False)],
    project: Annotated[int | None, typer.Option(help=PROJECT_HELP)] = None,
    gold: Annotated[
        Path | None, typer.Option(help="JSONL (text, spans, meta) or CoNLL file of gold labels.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="The same texts with the spans to be judged.")
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="Judge a tagger that learns from this file of labels.")
    ] = None,
    slices: Annotated[
        str, typer.Option(help="Metadata keys, and script, length, diacritics; by commas.")
    ] = "script,length,diacritics",
    names: Annotated[
        Path | None, typer.Option(help="JSON file of groups of names to swap.")
    ] = None,
    swap_every: Annotated[
        bool, typer.Option("--swap-every", help="Swap mentions that are in no list, too.")
    ] = False,
    fewest: Annotated[
        int, typer.Option(min=1, help="Gold spans that a slice needs to be judged.")
    ] = 30,
    seed: Annotated[int, typer.Option(help="Of resampling, tests, names and training.")] = 1,
) -> None:
    """Compare scores between slices of texts, and between names of different groups."""
    import numpy as np  # noqa: PLC0415 - only for this command

    from backend.evaluation.fair import name_recalls, read_names  # noqa: PLC0415
    from backend.quality.fairness import fairness_of  # noqa: PLC0415

    with teaching():
        if project is not None and (gold or predictions or train):
            raise InputError(
                "Either a project or files can be judged. Give --project ID alone, or --gold FILE "
                "with --predictions FILE or --train FILE."
            )
        groups = read_names(names) if names else {}
        with progress_bar() as progress:
            if project is not None:
                judged, find = _of_project(context, project)
            else:
                judged, find = _of_files(context, gold, predictions, train, seed, progress)
        if groups and find is None:
            raise InputError(
                "Swapped names need a tagger that reads the new texts. Give --train FILE, or "
                "--project ID once it has a tagger."
            )
        rng = np.random.default_rng(seed)
        found = {
            who: fairness_of(cases, _keys(slices), rng, fewest_spans=fewest)
            for who, cases in judged.items()
        }
        texts = next(iter(judged.values()))
        recalls = name_recalls(texts, groups, find, rng, every=swap_every) if find else []
        data = ", ".join(str(each) for each in (gold, predictions, train, names) if each)
        provenance = Provenance(
            command_line(),
            data or f"held-out labels of project {project}",
            seed,
            model=", ".join(judged),
            more={"texts": str(len(texts))},
        )
        _tell(found, recalls, provenance, out)


def _keys(slices: str) -> list[str]:
    """What an option names, parted by commas, each once."""
    return list(dict.fromkeys(key.strip() for key in slices.split(",") if key.strip()))


def _tell(
    found: Mapping[str, Fairness],
    recalls: Sequence[NameRecall],
    provenance: Provenance,
    out: Path,
) -> None:
    """Write the report, and say the most important of it."""
    from backend.evaluation.fairness_page import fairness_report, in_words  # noqa: PLC0415

    for sentence in in_words(found, recalls):
        console.print(sentence, markup=False, soft_wrap=True)
    write(fairness_report(found, recalls, provenance), out)


def _of_project(
    context: typer.Context, project: int
) -> tuple[dict[str, list[Case]], Finder | None]:
    from backend.evaluation.fair import (  # noqa: PLC0415
        held_out_cases,
        serving_finder,
        with_tagger,
    )

    services = Services(context.obj)
    known = known_project(services, project)
    cases = held_out_cases(services, known)
    find = serving_finder(services, known)
    judged = {"tagger": with_tagger(cases, find)} if find else {}
    if any(case.given for case in cases):
        judged["LLM"] = cases
    if not judged:
        raise InputError(
            f"Project {project} has no tagger yet and no answers of an LLM: nothing to judge."
        )
    return judged, find


def _of_files(  # noqa: PLR0913, PLR0917 - what the options say
    context: typer.Context,
    gold: Path | None,
    predictions: Path | None,
    train: Path | None,
    seed: int,
    progress: Progress,
) -> tuple[dict[str, list[Case]], Finder | None]:
    from backend.evaluation.fair import (  # noqa: PLC0415
        read_texts,
        trained_finder,
        with_predictions,
        with_tagger,
    )

    if gold is None or (predictions is None and train is None):
        raise InputError(
            "Who shall be judged? Give --project ID, or --gold FILE with --predictions FILE or "
            "--train FILE."
        )
    cases = read_texts(gold)
    judged: dict[str, list[Case]] = {}
    find = None
    if train is not None:
        services = Services(context.obj)
        family = services.families[services.settings.tagger.kind]
        find = trained_finder(train, family, seed, progress)
        judged["tagger"] = with_tagger(cases, find)
    if predictions is not None:
        judged["predictions"] = with_predictions(cases, predictions)
    return judged, find
