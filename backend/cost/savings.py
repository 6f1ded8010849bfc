"""What it costs to reach a quality: by humans alone, by an LLM alone, by both.

Learning curves say how many labels a way of working needs for an F1; prices say what they cost. The
savings factor is the cost of humans alone over that of another way, at the same F1. It is as good
as its prices, so it comes with what half and double each of them does to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from backend.errors import InputError

HUMANS, LLM_ALONE, HYBRID = "all-human", "llm-only", "default"
LLM_LABELS_ALL = frozenset({LLM_ALONE, HYBRID})
"""Routes in which the LLM answers every text, also those that humans label."""

PAPER_FACTOR = 42.45
PAPER_LLM_USD: Mapping[str, tuple[float, float]] = {
    "two sentences a call": (0.0092, 0.0162),
    "one sentence a call": (0.0129, 0.0230),
}
"""Dollars for a sentence by GPT-4-Turbo, least and most of the paper's languages: its prompts
counted with cl100k, at $10 and $30 per million tokens of input and output."""

_TRIM = 0.05
_SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Prices:
    """What work costs.

    ``seconds_per_text``: a human's time, without a suggestion; ``assisted_seconds_per_text``: with
    one, ``None`` for as long; ``audit_share``: of the texts, labelled by humans on top, blind.
    """

    usd_per_hour: float = 10.0
    seconds_per_text: float = 30.0
    llm_usd_per_text: float = 0.0034
    gpu_usd_per_hour: float = 0.0
    gpu_seconds_per_round: float = 0.0
    audit_share: float = 0.0
    assisted_seconds_per_text: float | None = None

    def __post_init__(self) -> None:
        known = {name: it for name, it in asdict(self).items() if it is not None}
        if wrong := [name for name, it in known.items() if not 0 <= it < math.inf]:
            raise InputError(f"A price cannot be negative or without end: {', '.join(wrong)}.")


@dataclass(frozen=True, slots=True)
class Point:
    """After a round: texts labelled in all, by humans, rounds trained, strict span F1.

    ``llm_texts``: texts that the LLM was paid for, ``None`` for what its route asks for;
    ``training_seconds``: of all rounds, ``None`` for what the prices say of each; ``blind_texts``:
    those among ``human_texts`` that were an audit.
    """

    texts: float
    human_texts: float
    rounds: int
    f1: float
    llm_texts: float | None = None
    training_seconds: float | None = None
    blind_texts: float = 0.0


Curves = Mapping[str, Sequence[Point]]
"""Learning curves by route."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars by what they are for."""

    human: float
    llm: float
    gpu: float
    audit: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.human + self.llm + self.gpu + self.audit


@dataclass(frozen=True, slots=True)
class Swing:
    """The savings factor with one price halved and doubled; NaN where nothing is saved on."""

    price: str
    halved: float
    doubled: float


def bill(point: Point, route: str, prices: Prices) -> Bill:
    """What a way of working has cost by then."""
    a_second = prices.usd_per_hour / _SECONDS_AN_HOUR
    blind = seconds = prices.seconds_per_text
    llm_texts = 0.0
    if route in LLM_LABELS_ALL:
        llm_texts = point.texts if point.llm_texts is None else point.llm_texts
        assisted = prices.assisted_seconds_per_text
        seconds = blind if assisted is None else assisted
    training = point.training_seconds
    if training is None:
        training = point.rounds * prices.gpu_seconds_per_round
    return Bill(
        human=(point.human_texts - point.blind_texts) * seconds * a_second,
        llm=llm_texts * prices.llm_usd_per_text,
        gpu=training / _SECONDS_AN_HOUR * prices.gpu_usd_per_hour,
        audit=(point.blind_texts + prices.audit_share * llm_texts) * blind * a_second,
    )


def bill_to_reach(curve: Sequence[Point], route: str, target: float, prices: Prices) -> Bill | None:
    """What it costs until the curve first reaches an F1, between rounds along a line.

    ``None`` for an F1 that it does not reach; the first point's bill where that is above it.
    """
    for earlier, point in zip([None, *curve], curve, strict=False):
        if point.f1 < target:
            continue
        now = bill(point, route, prices)
        if earlier is None or point.f1 == earlier.f1:
            return now
        part = (target - earlier.f1) / (point.f1 - earlier.f1)
        before = asdict(bill(earlier, route, prices))
        return Bill(
            **{name: before[name] + part * (it - before[name]) for name, it in asdict(now).items()}
        )
    return None


def savings(curves: Curves, route: str, target: float, prices: Prices) -> float:
    """The cost of humans alone over that of ``route``; NaN where one does not reach the F1."""
    alone = bill_to_reach(curves[HUMANS], HUMANS, target, prices)
    other = bill_to_reach(curves[route], route, target, prices)
    if alone is None or other is None:
        return math.nan
    return alone.total / other.total if other.total else math.inf


def swings(curves: Curves, route: str, target: float, prices: Prices) -> list[Swing]:
    """What half and double each price do to the savings, the most important price first."""
    found = []
    for name, value in asdict(prices).items():
        if value:
            halved, doubled = (
                savings(curves, route, target, replace(prices, **{name: value * by}))
                for by in (0.5, 2.0)
            )
            found.append(Swing(name, halved, doubled))
    return sorted(found, key=lambda swing: -abs(swing.doubled - swing.halved))


def usual_seconds(lead_times: Sequence[float | None]) -> float | None:
    """Mean seconds of a label, the least and the most twentieth cut back (winsorised; Tukey, 1962).

    A tab left open over lunch counts like a slow label. ``None`` without times above 0.
    """
    known = np.array([it for it in lead_times if it is not None and 0 < it < math.inf])
    if not known.size:
        return None
    low, high = np.quantile(known, [_TRIM, 1 - _TRIM])
    return float(np.clip(known, low, high).mean())


def implied_human_usd(llm_usd: float, factor: float = PAPER_FACTOR) -> float:
    """What a human's label would have to cost for an LLM's to be cheaper by the factor."""
    return factor * llm_usd
