"""How results are said in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from backend.evaluation.together import Ranking
from backend.quality.intervals import Interval


def standing(ranking: Ranking) -> str:
    """Who is best, and who may be as good."""
    name, f1 = ranking.order[0]
    said = f"{name} has the highest F1 ({100 * f1:.1f})"
    if not ranking.equals:
        return f"{said}, significantly above every other."
    said = f"{said}, without a significant difference from {listed(ranking.equals)}"
    every = len(ranking.equals) == len(ranking.comparisons)
    return f"{said}." if every else f"{said}; every other one is significantly worse."


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def interval(value: Interval) -> str:
    """A share with its bounds, in per cent."""
    return f"{100 * value.value:.1f} ({100 * value.low:.1f}–{100 * value.high:.1f})"
