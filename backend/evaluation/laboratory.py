"""All that is measured of any number of annotators, in one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from backend.evaluation.bills import usd_per
from backend.evaluation.cells import Bill, Cell, by_language
from backend.evaluation.measures import CellResult, measure
from backend.evaluation.repetitions import Repetitions, repetitions
from backend.evaluation.together import LanguageResult, Ranking, rank_over_all, together
from backend.protocols import Progress, silent
from backend.quality.span_errors import Finding


@dataclass(frozen=True, slots=True)
class Measured:
    """One annotator in one language: its scores, its repetitions, its bill.

    ``usd_per_right_span``: of one answer to each text. ``problems``: what could not be used.
    ``prompt_version``: see :class:`~backend.evaluation.cells.Cell`.
    """

    result: CellResult
    repeated: Repetitions | None
    bill: Bill | None
    usd_per_right_span: Decimal | None
    problems: Mapping[str, int]
    prompt_version: str = ""

    @property
    def name(self) -> str:
        """The annotator."""
        return self.result.annotator

    @property
    def language(self) -> str:
        """The language."""
        return self.result.language

    @property
    def f1(self) -> float:
        """The score that is ranked by."""
        return self.result.scores.f1.value


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured: by language, from the best annotator down, and over all."""

    labels: tuple[str, ...]
    seed: int
    measured: tuple[Measured, ...]
    languages: Mapping[str, LanguageResult | None]
    overall: Ranking | None

    def of(self, language: str) -> list[Measured]:
        """A language's annotators from the best down."""
        return [each for each in self.measured if each.language == language]

    @property
    def prompt_versions(self) -> list[str]:
        """Versions of the prompts that were answered, each once."""
        return sorted({each.prompt_version for each in self.measured if each.prompt_version})

    @property
    def annotators(self) -> list[str]:
        """All annotators, those of the overall ranking first and in its order."""
        ranked = [name for name, _ in self.overall.order] if self.overall else []
        best: dict[str, float] = {}
        for each in self.measured:
            best[each.name] = max(best.get(each.name, 0.0), each.f1)
        others = sorted(set(best) - set(ranked), key=lambda name: (-best[name], name))
        return [*ranked, *others]


def evaluate(
    cells: Sequence[Cell], labels: Sequence[str], seed: int, progress: Progress = silent
) -> Evaluation:
    """Measure every annotator in every language, alone and against the others.

    Deterministic for equal cells and seed. Raises :class:`~backend.errors.InputError` where there
    is nothing to measure.
    """
    groups = by_language(cells)
    wanted = [cell for group in groups.values() for cell in group]
    measured = []
    progress(0, len(wanted), "measurements")
    for done, cell in enumerate(wanted, start=1):
        measured.append(_measured(cell, labels, seed))
        progress(done, len(wanted), "measurements")
    return Evaluation(
        tuple(labels),
        seed,
        tuple(sorted(measured, key=lambda each: (each.language, -each.f1, each.name))),
        {language: together(group, seed) for language, group in groups.items()},
        rank_over_all(groups, seed),
    )


def _measured(cell: Cell, labels: Sequence[str], seed: int) -> Measured:
    result = measure(cell, labels, seed)
    right = result.findings[Finding.RIGHT]
    return Measured(
        result,
        repetitions(cell, seed),
        cell.bill,
        usd_per(cell.bill, right, len(cell.texts)),
        cell.problems,
        cell.prompt_version,
    )
