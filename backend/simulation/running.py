"""The cells of an experiment, in as many processes as there are cores, as far as one lets them.

Each process computes in one thread. A cell that is finished is on disk; an interruption loses only
those under way.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from backend.errors import HarambeeError
from backend.logs import configure_logging
from backend.protocols import Progress, TaggerFamily, silent
from backend.simulation.annotators import AnnotatorSource
from backend.simulation.corpus import Corpus, read_corpus
from backend.simulation.plan import Cell, Plan, cells_of, configuration, units_of
from backend.simulation.play import Played, play
from backend.simulation.records import CellRecords
from backend.simulation.related import Related, sources_for
from backend.simulation.stage import Stage
from backend.tagger.auxiliary import AuxiliaryFamily
from backend.tagger.families import build_family

LOOK_SECONDS = 0.5


class Stopped(BaseException):
    """The process was told to stop; what is finished is kept."""


class CellError(HarambeeError):
    """A cell could not be computed."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A plan, where its corpora lie, whose labels an LLM gives, and where results go.

    ``related``: where labels of other languages come from, which ``plan.auxiliary`` describes.
    """

    plan: Plan
    data: Path
    source: AnnotatorSource | None
    out: Path
    related: tuple[Related, ...] = ()

    def configured(self, cell: Cell) -> dict[str, Any]:
        """What a cell's result depends on."""
        return configuration(self.plan, cell, corpus_at(self.data, cell.language).digest)

    def family(self, cell: Cell) -> TaggerFamily:
        """What trains a cell's taggers."""
        settings = self.plan.tagger
        family = build_family(settings)
        if not cell.auxiliary:
            return family
        sources = sources_for(self.related, corpus_at(self.data, cell.language))
        return AuxiliaryFamily(family, sources, settings.auxiliary_texts)


Results = Mapping[Cell, Sequence[Played]]


@lru_cache(maxsize=32)
def corpus_at(folder: Path, language: str) -> Corpus:
    """A corpus, read once in each process."""
    return read_corpus(folder, language)


def run(experiment: Experiment, processes: int, progress: Progress = silent) -> Results:
    """Every cell's rounds; those that are on disk already are not computed again.

    Raises :class:`CellError` with what went wrong in a cell, and ``KeyboardInterrupt`` after an
    interruption; either way the finished cells stay.
    """
    cells = cells_of(experiment.plan)
    records = CellRecords(experiment.out)
    configured = {cell: experiment.configured(cell) for cell in cells}
    open_cells = [cell for cell in cells if records.get(configured[cell]) is None]
    units = units_of(open_cells)

    def report() -> None:
        left = sum(not records.has(configured[cell]) for cell in open_cells)
        progress(len(cells) - left, len(cells), "runs of the loop")

    report()
    if processes == 1 or len(units) == 1:
        for unit in units:
            play_unit(experiment, unit, report)
    elif units:
        _in_processes(experiment, units, min(processes, len(units)), report)
    found = {cell: records.get(configured[cell]) for cell in cells}
    return {cell: rounds for cell, rounds in found.items() if rounds is not None}


def play_unit(
    experiment: Experiment,
    cells: Sequence[Cell],
    report: Callable[[], None] = lambda: None,
    progress: Progress = silent,
) -> None:
    """Compute cells that share work and keep each as soon as it is finished."""
    plan, first = experiment.plan, cells[0]
    corpus = corpus_at(experiment.data, first.language)
    records = CellRecords(experiment.out)
    source = experiment.source
    make = (lambda: source.annotator(corpus, first.seed)) if source is not None else None
    stage = Stage(corpus, first.seed, plan, experiment.family(first), make, progress)
    for cell in cells:
        started = time.process_time()
        rounds = list(play(stage, cell))
        records.keep(experiment.configured(cell), rounds, time.process_time() - started)
        report()


def _in_processes(
    experiment: Experiment,
    units: Sequence[Sequence[Cell]],
    processes: int,
    report: Callable[[], None],
) -> None:
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    log_level = logging.getLevelName(logging.getLogger().level)
    with ProcessPoolExecutor(processes, spawn, _begin_process, (stop, log_level)) as pool:
        waiting: set[Future[str]] = {
            pool.submit(_play_unit_apart, experiment, unit) for unit in units
        }
        try:
            while waiting:
                done, waiting = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
                report()
                _raise_problems(future.result() for future in done)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _raise_problems(problems: Iterable[str]) -> None:
    for problem in problems:
        if problem:
            raise CellError(problem)


_stop: Event | None = None


def _begin_process(stop: Event, log_level: str) -> None:
    """Compute in one thread, log as the process that started this one, and leave Ctrl-C to it."""
    global _stop  # noqa: PLW0603 - the only way into a process of a pool
    _stop = stop
    configure_logging(log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    threadpool_limits(1)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: nobody would take its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _play_unit_apart(experiment: Experiment, cells: Sequence[Cell]) -> str:
    """Play a unit in a process of the pool; returns what went wrong, if anything did."""
    try:
        play_unit(experiment, cells, progress=_UntilStopped())
    except HarambeeError as error:
        return f"{cells[0].language}, seed {cells[0].seed}: {error}"
    except Stopped:
        return ""
    return ""


class _UntilStopped:
    """A :class:`~backend.protocols.Progress` that ends the work once the process is to stop."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        if _stop is not None and _stop.is_set():
            raise Stopped
