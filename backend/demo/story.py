"""The demo's story: connect a project, label for two rounds, watch the suggestions get better."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from backend import measuring
from backend.domain import Example
from backend.errors import ToolError
from backend.operations import Operations
from backend.quality.holdout import is_held_out
from backend.report import rounds_table
from backend.store.projects import Project
from backend.store.rounds import SqlRoundRecords
from backend.store.tasks import SqlTaskRecords

ROUNDS = 2
LABELS_PER_ROUND = 90
LONGEST_WAIT_SECONDS = 180.0


class Annotators(Protocol):
    """Whoever labels on the stage; both return how many tasks they labelled."""

    def label(self, task_ids: Iterable[Any], tick: Callable[[], object]) -> int:
        """Label these tasks."""

    def label_next(self, at_most: int, tick: Callable[[], object]) -> int:
        """Label the tasks that the tool serves, one after the other."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is running, and the annotators who play on it.

    ``gold``: examples by the tool's task id. ``start_training`` asks the worker for a round, and
    ``addresses`` says where a person can look.
    """

    operations: Operations
    project: Project
    annotator: Annotators
    gold: Mapping[Any, Example]
    start_training: Callable[[], object]
    addresses: str


def tell(set_stage: Callable[[ExitStack], Stage], console: Console, *, once: bool) -> None:
    """Play the demo; stay up afterwards until interrupted, unless ``once``."""
    try:
        with ExitStack() as stack:
            stage = set_stage(stack)
            play_round_zero(stage, console)
            for number in range(1, ROUNDS + 1):
                play_round(stage, console, number)
            if not once:
                console.print(f"\n{stage.addresses}\nCtrl-C stops both.", highlight=False)
                Event().wait()
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
    measured = measuring.measure(stage.operations.services.workspace(stage.project))
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
    """Label what the tool serves first, start training, wait for the new suggestions."""
    before = labelled(stage)
    title = f"Round {number}: annotators label the {LABELS_PER_ROUND} least certain sentences"
    with bar(console, title, LABELS_PER_ROUND) as tick:
        submitted = stage.annotator.label_next(LABELS_PER_ROUND, tick)
    wait_for_labels(stage, before + submitted)
    console.print("harambee trains, scores the pool and pushes its new suggestions ...")
    stage.start_training()
    wait_until(lambda: len(rounds(stage).all()) > number, "a new round")
    console.print(rounds_table(rounds(stage).all()))


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
