"""What is simulated: the configuration of an experiment, and the cells that it falls into.

A cell is one run of the loop: one language, strategy, route and seed. It is named by a digest of
everything that its result depends on and nothing else, so that a result is found again after an
interruption and never mistaken for that of another configuration.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from backend.active_learning.strategies import resolve
from backend.errors import InputError
from backend.settings import TaggerSettings

VERSION = 3
"""Of what a round does: raised where an old result would no longer come out."""

DEFAULT, RANDOM, FULL, PAPER = "default", "random", "full-data", "paper"


class Route(enum.StrEnum):
    """Who labels what is queried."""

    ALL_HUMAN = "all-human"
    HUMAN_ONLY = "human-only"
    LLM_ONLY = "llm-only"
    DEFAULT = "default"


WITHOUT_LLM = frozenset({Route.ALL_HUMAN, Route.HUMAN_ONLY})


class FirstTexts(enum.StrEnum):
    """How the first texts are chosen, of which nobody knows the labels."""

    RANDOM = "random"
    COLD_START = "cold-start"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of texts, or a share of those in the pool."""

    value: float
    is_share: bool

    @classmethod
    def read(cls, written: str) -> Amount:
        """``5%`` and ``0.05`` are shares, ``200`` is a number of texts."""
        text = written.strip()
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            value = 0.0
        value = value / 100 if text.endswith("%") else value
        is_share = text.endswith("%") or value < 1
        if not value > 0 or (is_share and value > 1) or not (is_share or value.is_integer()):
            raise InputError(
                f"{written!r} is no amount of texts. Write a share (5% or 0.05) or a number (200)."
            )
        return cls(value, is_share)

    def of(self, texts: int) -> int:
        """How many of ``texts`` that is, at least one and at most all."""
        wanted = round(self.value * texts) if self.is_share else int(self.value)
        return max(1, min(texts, wanted))


@dataclass(frozen=True, slots=True)
class Costs:
    """What labelling costs. Assumptions, not measurements: set them to your own.

    A human takes ``seconds_per_text`` and ``seconds_per_token`` and earns ``usd_per_hour``; an LLM
    answer costs ``llm_usd_per_text``.
    """

    seconds_per_text: float = 10.0
    seconds_per_token: float = 1.0
    usd_per_hour: float = 10.0
    llm_usd_per_text: float = 0.0034

    def seconds(self, tokens: int) -> float:
        """What a text of so many tokens takes a human."""
        return self.seconds_per_text + self.seconds_per_token * tokens


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment. ``annotator`` describes the LLM (or its stand-in) by language.

    ``auxiliary``: the labels of other languages at hand, by language; everything is then played
    with and without them. ``human_share``: of the queried texts, in the routes that share them.
    ``paid_by``: ``sentence``, ``token`` or ``minute``, which decides what the default strategy is.
    ``paper``: with the protocol and the measure of :mod:`backend.simulation.paper` beside it.
    """

    languages: tuple[str, ...]
    strategies: tuple[str, ...]
    routes: tuple[Route, ...]
    seeds: int
    rounds: int
    first: Amount
    step: Amount
    first_texts: FirstTexts
    tagger: TaggerSettings
    human_share: float
    paid_by: str
    costs: Costs
    annotator: Mapping[str, Any] | None = None
    auxiliary: Mapping[str, Any] | None = None
    paper: bool = False

    @property
    def played_routes(self) -> tuple[Route, ...]:
        """The routes, and ``human-only`` beside those on which an LLM labels."""
        with_llm = any(route not in WITHOUT_LLM for route in self.routes)
        return tuple(dict.fromkeys([*self.routes, *([Route.HUMAN_ONLY] if with_llm else [])]))

    def resolved(self, strategy: str) -> str:
        """The strategy behind a name: ``default`` depends on what is paid for."""
        return resolve(strategy, self.paid_by)


@dataclass(frozen=True, slots=True)
class Cell:
    """One run. ``strategy`` is a resolved name, or ``full-data`` for the whole pool at once.

    ``auxiliary``: labels of other languages are at hand, and used where they help.
    """

    language: str
    strategy: str
    route: Route
    seed: int
    auxiliary: bool = False

    @property
    def is_full(self) -> bool:
        """Whether it trains once, on everything."""
        return self.strategy == FULL


def cells_of(plan: Plan) -> list[Cell]:
    """Every run that a plan needs, baselines included, each once.

    Random queries by humans and the whole pool at once stand beside every experiment, and where an
    LLM labels, every strategy by humans alone, too. A tagger without randomness is trained on the
    whole pool once, and with its own labels only.
    """
    cells = []
    full_seeds = 1 if plan.tagger.kind == "crf" else plan.seeds
    ways = (False, True) if plan.auxiliary else (False,)
    for language in plan.languages:
        cells += [Cell(language, FULL, Route.ALL_HUMAN, seed) for seed in range(full_seeds)]
        for seed, auxiliary in product(range(plan.seeds), ways):
            cells.append(Cell(language, RANDOM, Route.ALL_HUMAN, seed, auxiliary))
            for strategy in plan.strategies:
                name = plan.resolved(strategy)
                cells += [
                    Cell(language, name, route, seed, auxiliary) for route in plan.played_routes
                ]
        for seed in range(plan.seeds):
            if plan.paper:
                routes = [Route.ALL_HUMAN, *([Route.LLM_ONLY] if plan.annotator else [])]
                cells += [Cell(language, PAPER, route, seed) for route in routes]
    return list(dict.fromkeys(cells))


def configuration(plan: Plan, cell: Cell, corpus_digest: str) -> dict[str, Any]:
    """Everything that a cell's result depends on, as JSON."""
    found: dict[str, Any] = {
        "version": VERSION,
        "corpus": corpus_digest,
        "language": cell.language,
        "strategy": cell.strategy,
        "route": cell.route.value,
        "seed": cell.seed,
        "tagger": plan.tagger.model_dump(mode="json"),
        "costs": asdict(plan.costs),
    }
    if not cell.is_full:
        found |= {
            "rounds": plan.rounds,
            "first": asdict(plan.first),
            "step": asdict(plan.step),
            "first_texts": plan.first_texts.value,
        }
    if plan.paper:
        found["paper"] = True
    if cell.route not in {Route.ALL_HUMAN, Route.LLM_ONLY}:
        found["human_share"] = plan.human_share
    if cell.auxiliary:
        found["auxiliary"] = (plan.auxiliary or {})[cell.language]
    if cell.route not in WITHOUT_LLM:
        found["annotator"] = (plan.annotator or {})[cell.language]
    return found


def digest_of(configured: Mapping[str, Any]) -> str:
    """The name of a configuration: 16 hexadecimal digits."""
    content = json.dumps(configured, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def units_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that share work, those of one language, seed and labels, in the order to start them in.

    They share the first texts and the tagger of them. Long ones go first: the whole pool, then
    those that try labels of other languages.
    """
    groups: dict[tuple[bool, bool, str, int], list[Cell]] = {}
    for cell in cells:
        key = (not cell.is_full, not cell.auxiliary, cell.language, cell.seed)
        groups.setdefault(key, []).append(cell)
    return [groups[key] for key in sorted(groups, key=lambda key: key[:2])]
