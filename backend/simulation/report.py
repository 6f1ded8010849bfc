"""An experiment's results for programs, for a terminal and for a page."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

from backend import __version__
from backend.quality.intervals import Interval
from backend.reports.figures import Series, learning_curve
from backend.reports.page import Column, Figure, Provenance, Report, Section, Table, Text
from backend.simulation.corpus import Corpus
from backend.simulation.curves import MEAN, Kind, Outcomes
from backend.simulation.paper_report import Published, comparisons, paper_section
from backend.simulation.plan import DEFAULT, RANDOM, Cell, Plan, Route
from backend.simulation.play import Played
from backend.simulation.related_report import auxiliary_section, helped
from backend.simulation.routes_report import routes_section, shared

SCHEMA = 1
LIBRARIES = ("numpy", "python-crfsuite", "scikit-learn")
AXES: Mapping[str, str] = {
    "texts": "labelled sentences",
    "tokens": "labelled tokens",
    "usd": "US dollars",
}
COMPARED_ROUND = 2
"""The round at which strategies are compared with random queries."""

RANDOM_QUERIES = Kind(RANDOM)


class Findings:
    """What an experiment found, in the forms in which it is told."""

    def __init__(
        self,
        plan: Plan,
        corpora: Sequence[Corpus],
        results: Mapping[Cell, Sequence[Played]],
        command: str,
        published: Published | None = None,
    ) -> None:
        self.plan = plan
        self.corpora = corpora
        self.results = results
        self.command = command
        self.published = published or {}
        self.outcomes = Outcomes(results)

    def name(self, kind: Kind) -> str:
        """A kind's name; says of the default strategy which one that is."""
        is_default = DEFAULT in self.plan.strategies
        is_default &= kind.strategy == self.plan.resolved(DEFAULT)
        return f"{kind.name} (default)" if is_default else kind.name

    # For programs.

    def as_json(self) -> dict[str, Any]:
        """Everything, in the schema that ``docs/simulation.md`` describes."""
        outcomes = self.outcomes
        return {
            "schema": SCHEMA,
            "command": self.command,
            "versions": versions(),
            "configuration": self._configuration(),
            "corpora": [_corpus_json(corpus) for corpus in self.corpora],
            "full_data": {
                place: _rounded(outcomes.full(place).mean()) for place in outcomes.places
            },
            "curves": self._each_kind(
                lambda place, kind: {
                    "points": [point.as_json() for point in outcomes.curve(place, kind)]
                }
            ),
            "comparisons": self._each_kind(
                lambda place, kind: {
                    f"less_random_at_round_{COMPARED_ROUND}": _json(self.lead(place, kind)),
                    "below_full_data_at_last_round": _json(outcomes.gap_to_full(place, kind)),
                }
            ),
            "routes": [each.as_json() for each in shared(outcomes)],
            "auxiliary": [each.as_json() for each in helped(outcomes)],
            "paper": [each.as_json() for each in comparisons(outcomes, self.published)],
            "runs": [
                {
                    "language": cell.language,
                    "strategy": cell.strategy,
                    "route": cell.route.value,
                    "auxiliary": cell.auxiliary,
                    "seed": cell.seed,
                    "rounds": [_round_json(each) for each in rounds],
                }
                for cell, rounds in self.results.items()
            ],
        }

    def _each_kind(self, told: Callable[[str, Kind], dict[str, Any]]) -> list[dict[str, Any]]:
        """What is told of every language and way of working."""
        return [
            {
                "language": place,
                "strategy": kind.strategy,
                "route": kind.route.value,
                "auxiliary": kind.auxiliary,
                **told(place, kind),
            }
            for place in self.outcomes.places
            for kind in self.outcomes.kinds
        ]

    def _configuration(self) -> dict[str, Any]:
        plan = asdict(self.plan) | {
            "routes": [route.value for route in self.plan.routes],
            "first_texts": self.plan.first_texts.value,
            "tagger": self.plan.tagger.model_dump(mode="json"),
        }
        names = {name: self.plan.resolved(name) for name in self.plan.strategies}
        return plan | {"strategies": names}

    def lead(self, place: str, kind: Kind) -> Interval | None:
        """F1 above random queries at the round where strategies are compared.

        Both with labels of other languages at hand, or both without.
        """
        by_chance = replace(RANDOM_QUERIES, auxiliary=kind.auxiliary)
        if kind == by_chance:
            return None
        return self.outcomes.difference(place, kind, by_chance, COMPARED_ROUND)

    # For people.

    def summary(self) -> Table:
        """F1 by round for each language and kind, with full data and the comparisons."""
        rounds = max(self.outcomes.f1(MEAN, kind).shape[1] for kind in self.outcomes.kinds)
        columns = [
            Column("text", words=True),
            Column("queries", words=True),
            *(Column(str(number), percent=True) for number in range(rounds)),
            Column("full", percent=True),
            Column(f"lead at {COMPARED_ROUND}", percent=True),
            Column("gap", percent=True),
        ]
        rows = []
        for place in reversed(self.outcomes.places):
            for kind in self.outcomes.kinds:
                points = [point.f1 for point in self.outcomes.curve(place, kind)]
                rows.append(
                    [
                        place,
                        self.name(kind),
                        *points,
                        *[None] * (rounds - len(points)),
                        float(self.outcomes.full(place).mean()),
                        self.lead(place, kind),
                        self.outcomes.gap_to_full(place, kind),
                    ]
                )
        return Table(
            "Strict span F1 on the test set, in %, by round",
            columns,
            rows,
            f"By round, 0 being the first texts: means over {self.outcomes.seeds} seeds with 95% "
            f"t-intervals. full: trained on the whole pool; lead: above random queries at round "
            f"{COMPARED_ROUND}; gap: below full after the last round; both taken seed by seed.",
        )

    def figures(self, place: str) -> dict[str, Figure]:
        """A learning curve over each axis, in a language or over all."""
        found = {}
        for axis, label in AXES.items():
            series = []
            for kind in self.outcomes.kinds:
                points = self.outcomes.curve(place, kind)
                series.append(
                    Series(
                        self.name(kind),
                        [getattr(point, axis) for point in points],
                        [100 * point.f1.value for point in points],
                        [100 * point.f1.low for point in points],
                        [100 * point.f1.high for point in points],
                    )
                )
            full = {"all sentences": 100 * float(self.outcomes.full(place).mean())}
            caption = f"{place}: F1 over {label}"
            found[axis] = learning_curve(caption, series, label, "strict span F1, %", full)
        return found

    def report(self) -> Report:
        """The page."""
        outcomes = self.outcomes
        sections = [Section("F1 by round", [self.summary()])]
        if found := shared(outcomes):
            sections.append(routes_section(found))
        if self.plan.auxiliary:
            sections.append(auxiliary_section(outcomes, self.plan.auxiliary, self.name))
        if self.plan.paper:
            sections.append(self._paper_section())
        sections += [
            Section(
                "Mean of the languages" if place == MEAN else place,
                list(self.figures(place).values()),
            )
            for place in reversed(outcomes.places)
        ]
        sections.append(Section("What was assumed", [Text(line) for line in self._assumptions()]))
        data = ", ".join(f"{corpus.language} ({corpus.digest})" for corpus in self.corpora)
        seeds = f"0 to {outcomes.seeds - 1}"
        return Report(
            title="What labelling would bring",
            lead=self._lead(),
            sections=sections,
            provenance=Provenance(
                self.command,
                data,
                seeds,
                model=self._models(),
                prompt_version=self._prompts(),
                more=versions(),
            ),
        )

    def _models(self) -> str:
        """The tagger, and the LLMs that stood in for people."""
        llms = [str(each.get("model", "")) for each in (self.plan.annotator or {}).values()]
        return ", ".join(dict.fromkeys(filter(None, [self.plan.tagger.kind, *llms])))

    def _prompts(self) -> str:
        prompts = [str(each.get("prompt", "")) for each in (self.plan.annotator or {}).values()]
        return ", ".join(dict.fromkeys(filter(None, prompts)))

    def _lead(self) -> list[str]:
        place = self.outcomes.places[-1]
        said = []
        names = {self.plan.resolved(strategy) for strategy in self.plan.strategies}
        for kind in self.outcomes.kinds:
            if kind.route is not Route.ALL_HUMAN or kind.strategy not in names - {RANDOM}:
                continue
            curve, gap = self.outcomes.curve(place, kind), self.outcomes.gap_to_full(place, kind)
            lead = self.lead(place, kind)
            above = (
                ""
                if lead is None
                else (f" At round {COMPARED_ROUND} it is {_points(lead)} F1 above random queries.")
            )
            said.append(
                f"{self.name(kind)}: {100 * curve[-1].f1.value:.1f} F1 with "
                f"{curve[-1].texts:,.0f} sentences, {_points(gap)} below the whole pool.{above}"
            )
        return said

    def _paper_section(self) -> Section:
        described = list((self.plan.annotator or {}).values())
        llm = ", ".join(map(str, list(described[0].values())[:2])) if described else "left out"
        own = self.plan.resolved(self.plan.strategies[0])
        return paper_section(self.outcomes, self.published, own, self.plan.tagger.kind, llm)

    def _assumptions(self) -> list[str]:
        costs = self.plan.costs
        left_out = "; ".join(
            f"{corpus.language}: " + ", ".join(f"{count} {why}" for why, count in corpus.left_out)
            for corpus in self.corpora
        )
        return [
            "Humans are the gold labels: no error, no fatigue.",
            f"A human takes {costs.seconds_per_text:g} s a sentence and "
            f"{costs.seconds_per_token:g} s a token at ${costs.usd_per_hour:g} an hour; an LLM's "
            f"answer costs ${costs.llm_usd_per_text:g}. These are assumptions; set your own.",
            f"Texts left out of the pools: {left_out}.",
        ]


def versions() -> dict[str, str]:
    """What computed the results."""
    return {
        "harambee": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _corpus_json(corpus: Corpus) -> dict[str, Any]:
    return {
        "language": corpus.language,
        "digest": corpus.digest,
        "labels": list(corpus.scheme.labels),
        "pool": len(corpus.train),
        "dev": len(corpus.dev),
        "test": len(corpus.test),
        "left_out": dict(corpus.left_out),
    }


def _round_json(played: Played) -> dict[str, Any]:
    data = asdict(played)
    del data["queried"]
    scores = played.scores
    measures = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}
    return data | {"scores": data["scores"] | {k: _rounded(v) for k, v in measures.items()}}


def _json(interval: Interval | None) -> dict[str, float | None] | None:
    return interval.as_json() if interval else None


def _points(interval: Interval) -> str:
    if interval.low != interval.low:  # NaN: one seed
        return f"{100 * interval.value:.1f}"
    return f"{100 * interval.value:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def _rounded(value: float) -> float:
    return round(float(value), 6)
