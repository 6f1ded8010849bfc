"""From the worst language to the best: every figure of an annotator, or of two, in one line.

What is true in one language may not be so in the next. A claim about an annotator ("its majority
is no better than its first answer") holds from the lowest to the highest of these numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.readings import ALIGNED, BY_POSITION
from backend.evaluation.referral import SHARES
from backend.evaluation.together import LanguageResult, Pair
from backend.reports.page import Spread

FIRSTS, SETTLED = "first answers", "majorities"


@dataclass(frozen=True, slots=True)
class Range:
    """One figure in each language that it is known in, shares in [0, 1].

    ``who``: an annotator, or two. ``basis``: which of their answers were taken.
    """

    figure: str
    who: str
    basis: str
    by_language: Mapping[str, float]
    mean: float
    low: float
    high: float

    @property
    def spread(self) -> Spread:
        """The mean with the lowest and the highest, which one language alone has not."""
        if len(self.by_language) < 2:
            return Spread(self.mean, math.nan, math.nan)
        return Spread(self.mean, self.low, self.high)


Figure = Callable[[Measured], float | None]


def _gain(reading: str) -> Figure:
    def gain(each: Measured) -> float | None:
        readings = each.result.readings
        if reading not in readings or BY_POSITION not in readings:
            return None
        return readings[reading].scores.f1.value - readings[BY_POSITION].scores.f1.value

    return gain


def _gain_of_repair(each: Measured) -> float | None:
    *others, last = each.result.readings
    return _gain(last)(each) if others else None


def _as_given(each: Measured) -> float:
    return next(iter(each.result.readings.values())).scores.f1.value


def _accepted(each: Measured) -> float | None:
    accepted = next(iter(each.result.readings.values())).accepted
    return accepted.f1.value if accepted else None


def _referral(share: float, *, by_entropy: bool) -> Figure:
    def gain(each: Measured) -> float | None:
        if each.repeated is None:
            return None
        by_spans = each.repeated.referral
        return (each.repeated.referral_by_entropy if by_entropy else by_spans).gain(share)

    return gain


QUALITY: Mapping[str, Figure] = {
    "F1": lambda each: each.f1,
    "F1 as given, failures as errors": _as_given,
    "F1 as given, accepted only": _accepted,
    "token accuracy": lambda each: each.result.tokens.accuracy,
    "gain of alignment": _gain(ALIGNED),
    "gain of repair": _gain_of_repair,
}
"""What is said of every annotator, by name; F1 by label comes after these."""

STABILITY: Mapping[str, Figure] = {
    "gain of the majority": lambda each: each.repeated.gain.value if each.repeated else None,
    "right of unanimous spans": (
        lambda each: each.repeated.unanimous.value if each.repeated else None
    ),
    "calibration error of the majority": (
        lambda each: each.repeated.majority_error if each.repeated else None
    ),
    **{
        f"gain of referring {share:.0%} by {name}": _referral(share, by_entropy=by_entropy)
        for share in SHARES
        for name, by_entropy in (("spans", False), ("entropy", True))
    },
}
"""What is said of an annotator that was asked again, by name."""

BOTH, ALONE = "right of what both give", "right of what it gives alone"


def quality(labels: Sequence[str]) -> dict[str, Figure]:
    """:data:`QUALITY` and F1 of each label."""

    def f1_of(label: str) -> Figure:
        return lambda each: each.result.by_label[label].f1.value

    return {**QUALITY, **{f"F1 of {label}": f1_of(label) for label in labels}}


def ranges(found: Evaluation) -> list[Range]:
    """Every figure of every annotator and of every two, best annotators first."""
    return [*_of_annotators(found), *_of_pairs(found, FIRSTS), *_of_pairs(found, SETTLED)]


def _of_annotators(found: Evaluation) -> Iterator[Range]:
    for name in found.annotators:
        cells = [each for each in found.measured if each.name == name]
        for figure, of_cell in {**quality(found.labels), **STABILITY}.items():
            values = {each.language: of_cell(each) for each in cells}
            yield from _range(figure, name, FIRSTS, values)


def _of_pairs(found: Evaluation, basis: str) -> Iterator[Range]:
    """Of each two annotators what both give, and what each gives alone; the better one first."""
    for better, worse in combinations(found.annotators, 2):
        pairs = {
            language: pair
            for language, result in found.languages.items()
            for pair in (_pairs_of(result, basis) if result else ())
            if {pair.first, pair.second} == {better, worse}
        }
        both = {language: pair.both.value for language, pair in pairs.items()}
        yield from _range(BOTH, f"{better} and {worse}", basis, both)
        for one, other in ((better, worse), (worse, better)):
            alone = {language: _alone(pair, one) for language, pair in pairs.items()}
            yield from _range(ALONE, f"{one} beside {other}", basis, alone)


def _alone(pair: Pair, name: str) -> float:
    return (pair.only_first if name == pair.first else pair.only_second).value


def _pairs_of(result: LanguageResult, basis: str) -> tuple[Pair, ...]:
    return result.pairs if basis == FIRSTS else result.settled_pairs


def _range(
    figure: str, who: str, basis: str, values: Mapping[str, float | None]
) -> Iterator[Range]:
    """The range over the languages where there is something to say, if there is any."""
    known = {
        language: value
        for language, value in values.items()
        if value is not None and not math.isnan(value)
    }
    if known:
        numbers = list(known.values())
        mean = sum(numbers) / len(numbers)
        yield Range(figure, who, basis, known, mean, min(numbers), max(numbers))
