"""The demo's story: connect a project, label for two rounds, watch the suggestions get better."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from backend import loop
from backend.demo.stage import Stage, set_stage
from backend.errors import ToolError
from backend.label_studio.tool import find_backend
from backend.quality.holdout import is_held_out
from backend.report import rounds_table
from backend.settings import Settings
from backend.store.rounds import SqlRoundRecords
from backend.store.tasks import SqlTaskRecords

ROUNDS = 2
LABELS_PER_ROUND = 90
LONGEST_WAIT_SECONDS = 180.0


def run_demo(settings: Settings, console: Console, *, once: bool, ports: tuple[int, int]) -> None:
    """Run the demo; stay up afterwards until interrupted, unless ``once``."""
    try:
        with ExitStack() as stack:
            stage = set_stage(stack, settings, console, ports)
            play_round_zero(stage, console)
            for number in range(1, ROUNDS + 1):
                play_round(stage, console, number)
            if not once:
                wait_for_interrupt(stage, console)
    except KeyboardInterrupt:
        console.print("Stopped.")


def play_round_zero(stage: Stage, console: Console) -> None:
    """Label the held-out part, to measure what the LLM suggested before anybody labelled."""
    share = stage.operations.services.settings.learning.held_out_share
    held_out = [task for task, item in stage.gold.items() if is_held_out(item.text, share)]
    title = f"Annotators label {len(held_out)} held-out sentences"
    with bar(console, title, len(held_out)) as tick:
        stage.annotator.label(held_out, tick)
    wait_for_labels(stage, len(held_out))
    records = rounds(stage)
    first = records.all()[0]
    measured = loop.measure(stage.operations.services.workspace(stage.project))
    records.keep(
        replace(
            measured,
            version=first.version,
            pushed=first.pushed,
            reordered=first.reordered,
            spent_usd=first.spent_usd,
        )
    )
    console.print(rounds_table(records.all()))


def play_round(stage: Stage, console: Console, number: int) -> None:
    """Label what Label Studio serves first, start training, wait for the new suggestions."""
    before = labelled(stage)
    title = f"Round {number}: annotators label the {LABELS_PER_ROUND} least certain sentences"
    with bar(console, title, LABELS_PER_ROUND) as tick:
        submitted = stage.annotator.label_next(LABELS_PER_ROUND, tick)
    wait_for_labels(stage, before + submitted)
    console.print("harambee trains, scores the pool and pushes its new suggestions ...")
    press_start_training(stage)
    wait_until(lambda: len(rounds(stage).all()) > number, "a new round")
    console.print(rounds_table(rounds(stage).all()))


def press_start_training(stage: Stage) -> None:
    """Do what the button in Label Studio does."""
    services = stage.operations.services
    backends = services.label_studio.ml_backends(int(stage.project.external_id))
    backend = find_backend(backends, services.settings.public_url)
    if backend is None:
        raise ToolError("Label Studio no longer knows this backend.")
    services.label_studio.start_training(backend["id"])


def wait_for_interrupt(stage: Stage, console: Console) -> None:
    """Say where everything is and stay up until Ctrl-C."""
    server, project = stage.server, stage.project.external_id
    console.print(
        f"\nLabel Studio: {server.url}/projects/{project}/data\n"
        f"  log in as {server.login.email} with the password {server.login.password}\n"
        f"harambee:     {stage.operations.services.settings.public_url}/\n"
        "Ctrl-C stops both.",
        highlight=False,
    )
    Event().wait()


def rounds(stage: Stage) -> SqlRoundRecords:
    """What the worker measured."""
    return SqlRoundRecords(stage.operations.services.database, stage.project.id)


def labelled(stage: Stage) -> int:
    """How many labels have reached harambee."""
    return SqlTaskRecords(stage.operations.services.database, stage.project.id).counts()[1]


def wait_for_labels(stage: Stage, number: int) -> None:
    """Wait until the labels have come in by webhook."""
    wait_until(lambda: labelled(stage) >= number, f"{number} labels")


def wait_until(happened: Callable[[], bool], what: str) -> None:
    """Wait for the other processes; an error if they take too long."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise ToolError(
                f"Waited {LONGEST_WAIT_SECONDS:.0f} s for {what}; see .demo/worker.log."
            )
        time.sleep(0.2)


@contextmanager
def bar(console: Console, title: str, total: int) -> Iterator[Callable[[], object]]:
    """A progress bar that moves one step at each call."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console
    ) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)
