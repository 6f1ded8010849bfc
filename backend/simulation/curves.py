"""What an experiment's runs say together: learning curves, and differences between them.

Seeds are what is repeated, so intervals are Student's t over seeds. A difference is taken seed by
seed, as runs of one seed begin with the same texts; a mean over languages is taken in each seed
first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.protocols import FloatArray
from backend.quality.intervals import Interval, mean_interval
from backend.simulation.plan import Cell, Route
from backend.simulation.play import Played

MEAN = "mean"
"""What the mean over languages is called where a language's name stands."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of working: what is queried, who labels it, and whether other languages may help."""

    strategy: str
    route: Route = Route.ALL_HUMAN
    auxiliary: bool = False

    @classmethod
    def of(cls, cell: Cell) -> Kind:
        """What a cell is one of."""
        return cls(cell.strategy, cell.route, cell.auxiliary)

    @property
    def name(self) -> str:
        """The strategy, the route unless humans label everything, and what helps."""
        by_humans = self.route is Route.ALL_HUMAN
        name = self.strategy if by_humans else f"{self.route.value} route, {self.strategy}"
        return f"{name} + other languages" if self.auxiliary else name


@dataclass(frozen=True, slots=True)
class Point:
    """A round: what is labelled by then (means over seeds), and strict span F1 in [0, 1]."""

    round: int
    texts: float
    tokens: float
    human_texts: float
    usd: float
    f1: Interval

    def as_json(self) -> dict[str, Any]:
        """The form in which it is written down."""
        return {
            "round": self.round,
            "texts": self.texts,
            "tokens": self.tokens,
            "human_texts": self.human_texts,
            "usd": self.usd,
            "f1": self.f1.as_json(),
        }


class Outcomes:
    """The results of an experiment, by language and kind, seeds in order."""

    def __init__(self, results: Mapping[Cell, Sequence[Played]]) -> None:
        self.languages = list(dict.fromkeys(cell.language for cell in results))
        partial = [cell for cell in results if not cell.is_full]
        self.kinds = list(dict.fromkeys(map(Kind.of, partial)))
        self.seeds = len({cell.seed for cell in partial})
        self._runs: dict[tuple[str, Kind], list[Sequence[Played]]] = {}
        self._full: dict[str, list[float]] = {}
        for cell, rounds in sorted(results.items(), key=lambda item: item[0].seed):
            if cell.is_full:
                self._full.setdefault(cell.language, []).append(rounds[0].scores.f1)
            else:
                self._runs.setdefault((cell.language, Kind.of(cell)), []).append(rounds)

    @property
    def places(self) -> list[str]:
        """The languages, and their mean if there are several."""
        return [*self.languages, *([MEAN] if len(self.languages) > 1 else [])]

    def measured(self, language: str, kind: Kind, measure: str) -> FloatArray:
        """(n_seeds, n_rounds) of a measure of each round, or of its mean over languages.

        Rounds that not all seeds and languages have (where a pool ran empty) are left out.
        """
        languages = self.languages if language == MEAN else [language]
        runs = [run for name in languages for run in self._runs[name, kind]]
        rounds = min(len(run) for run in runs)
        values = [[_value(each, measure) for each in run[:rounds]] for run in runs]
        by_language = np.array(values, dtype=np.float64).reshape(len(languages), -1, rounds)
        return np.asarray(by_language.mean(axis=0), dtype=np.float64)

    def f1(self, language: str, kind: Kind) -> FloatArray:
        """(n_seeds, n_rounds) strict span F1 in [0, 1]."""
        return self.measured(language, kind, "f1")

    def accuracy(self, language: str, kind: Kind) -> list[Interval]:
        """By round, the paper's accuracy on tokens of gold mentions, with t-intervals."""
        values = self.measured(language, kind, "accuracy")
        return [mean_interval(column.tolist()) for column in values.T]

    def full(self, language: str) -> FloatArray:
        """(n_seeds,) strict span F1 with the whole pool; one value for a deterministic tagger."""
        languages = self.languages if language == MEAN else [language]
        values = np.array([self._full[name] for name in languages], dtype=np.float64)
        return np.asarray(values.mean(axis=0), dtype=np.float64)

    def curve(self, language: str, kind: Kind) -> list[Point]:
        """A learning curve with t-intervals over seeds."""
        f1 = self.f1(language, kind)
        means = {
            name: self.measured(language, kind, name).mean(axis=0)
            for name in ("texts", "tokens", "human_texts", "usd")
        }
        return [
            Point(
                round=number,
                f1=mean_interval(f1[:, number].tolist()),
                **{name: round(float(values[number]), 4) for name, values in means.items()},
            )
            for number in range(f1.shape[1])
        ]

    def difference(self, language: str, one: Kind, other: Kind, number: int) -> Interval | None:
        """F1 of ``one`` less that of ``other`` after a round; ``None`` if there is no such round.

        Negative numbers count rounds from the last.
        """
        first, second = self.f1(language, one), self.f1(language, other)
        if not -first.shape[1] <= number < min(first.shape[1], second.shape[1]):
            return None
        return mean_interval((first[:, number] - second[:, number]).tolist())

    def gap_to_full(self, language: str, kind: Kind) -> Interval:
        """F1 with the whole pool less that after the last round."""
        return mean_interval((self.full(language) - self.f1(language, kind)[:, -1]).tolist())

    def share_of(self, language: str, one: Kind, other: Kind) -> Interval:
        """F1 of ``one`` after the last round as a share of that of ``other``."""
        return mean_interval(
            (self.f1(language, one)[:, -1] / self.f1(language, other)[:, -1]).tolist()
        )

    def texts_to_reach(self, language: str, kind: Kind, f1: float) -> float | None:
        """Texts at which the mean curve first reaches an F1, between rounds on a straight line.

        ``None`` where it does not within the rounds that were played.
        """
        heights = self.f1(language, kind).mean(axis=0)
        texts = self.measured(language, kind, "texts").mean(axis=0)
        above = np.flatnonzero(heights >= f1)
        if not above.size:
            return None
        at = int(above[0])
        if at == 0:
            return float(texts[0])
        part = (f1 - heights[at - 1]) / (heights[at] - heights[at - 1])
        return float(texts[at - 1] + part * (texts[at] - texts[at - 1]))


def _value(played: Played, measure: str) -> float:
    if measure == "f1":
        return played.scores.f1
    if measure == "accuracy":
        return played.paper.accuracy if played.paper else float("nan")
    return float(getattr(played, measure))
