"""One training on one device, or on several cards at once. Imports torch.

Several processes, one for each card, hold a copy of the model each. Every one of them computes a
part of each batch; the gradients are summed by ``accelerate``, so that all take the same step, the
one that a single process would take. The first evaluates, and its best weights are the result.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing
from torch.multiprocessing.spawn import start_processes
from transformers import AutoModelForTokenClassification

from backend.errors import HarambeeError
from backend.protocols import Progress
from backend.tagger.pretrained import quiet
from backend.tagger.training import Outcome, TrainingPlan, fine_tune
from backend.tagger.variants import Form, training_form

_LOOK_EVERY_SECONDS = 0.2


def train_in_form(
    model: Any, plan: TrainingPlan, form: Form, progress: Progress, processes: int = 1
) -> tuple[Any, Outcome]:
    """The trained model, which is ``model`` itself where one process does it."""
    if processes > 1:
        return _train_together(model, plan, form, progress, processes)
    with training_form(model, form):
        outcome = fine_tune(model, plan, progress)
    return model, outcome


def _train_together(
    model: Any, plan: TrainingPlan, form: Form, progress: Progress, processes: int
) -> tuple[Any, Outcome]:
    from accelerate.utils import PrepareForLaunch, patch_environment  # noqa: PLC0415 - slow
    from accelerate.utils.other import get_free_port  # noqa: PLC0415

    on_gpu = plan.device.type == "cuda"
    with tempfile.TemporaryDirectory(prefix="harambee-team-") as name:
        folder = Path(name)
        model.save_pretrained(folder)
        reports = multiprocessing.get_context("spawn").SimpleQueue()
        with patch_environment(  # what each process needs to find the others
            world_size=processes,
            local_world_size=processes,
            master_addr="127.0.0.1",
            master_port=get_free_port(),
            accelerate_use_cpu="no" if on_gpu else "yes",
        ):
            team = start_processes(  # type: ignore[no-untyped-call]
                PrepareForLaunch(_take_part, "MULTI_GPU" if on_gpu else "MULTI_CPU"),
                (folder, plan, form, reports),
                nprocs=processes,
                join=False,
                start_method="spawn",  # a fork cannot use a card that its parent has used
            )
        try:
            outcome = _follow(team, reports, progress)
        finally:
            for process in team.processes:
                process.terminate()
                process.join()
        return _read(folder).to(model.device), outcome


def _follow(team: Any, reports: Any, progress: Progress) -> Outcome:
    """Pass progress on until all have ended; an error in one of them is raised here."""
    outcome = None
    ended = False
    while not ended:
        ended = team.join(timeout=_LOOK_EVERY_SECONDS)
        while not reports.empty():
            report = reports.get()
            if isinstance(report, Outcome):
                outcome = report
            else:
                progress(*report)
    if outcome is None:
        raise HarambeeError(
            "The training on several cards ended without a result. Try tagger.gpus: 1."
        )
    return outcome


def _take_part(folder: Path, plan: TrainingPlan, form: Form, reports: Any) -> None:
    """What each process does."""
    quiet()
    team = _AcceleratedTeam(on_cpu=plan.device.type == "cpu")
    torch.manual_seed(plan.seed + team.rank)
    model = _read(folder).to(team.device)

    def report(done: int, total: int, what: str = "") -> None:
        if team.rank == 0:
            reports.put((done, total, what))

    with training_form(model, form):
        outcome = fine_tune(model, plan, report, team)
    if team.rank == 0:
        model.save_pretrained(folder)
        reports.put(outcome)
    team.leave()


class _AcceleratedTeam:
    """A :class:`~backend.tagger.training.Team` of processes that accelerate connects."""

    def __init__(self, on_cpu: bool) -> None:
        from accelerate import Accelerator  # noqa: PLC0415 - slow to import, needed by few

        self._accelerator = Accelerator(cpu=on_cpu, mixed_precision="no")  # lowered by ourselves
        self.rank: int = self._accelerator.process_index
        self.size: int = self._accelerator.num_processes
        self.device = self._accelerator.device

    def sum_gradients(self, model: Any) -> None:
        """All gradients in one message; a process without rows in a batch brings zeros."""
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        own = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        summed = self._accelerator.reduce(torch.cat([each.flatten() for each in own]), "sum")
        parts = summed.split([weight.numel() for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.grad = part.view_as(weight)

    def leave(self) -> None:
        """Wait for the others, then part."""
        self._accelerator.wait_for_everyone()
        self._accelerator.end_training()


def _read(folder: Path) -> Any:
    return AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True).eval()
