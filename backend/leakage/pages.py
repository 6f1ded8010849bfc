"""The report of leakage probes: what a model does for members, for controls, and the difference."""

from __future__ import annotations

from collections.abc import Sequence

from backend.leakage.findings import Findings
from backend.leakage.recorded import RecordedContinuations, RecordedProbes, RecordedSources
from backend.quality.intervals import mean_interval
from backend.quality.leakage import NEAR_EXACT, Gap, Naming
from backend.reports.figures import Row, forest
from backend.reports.page import (
    Cell,
    Column,
    Provenance,
    Report,
    Section,
    Table,
    Text,
)

TITLE = "Has the model seen the data?"
WHY_CONTROLS = (
    "Whatever a model does for texts that it cannot have seen as well, it does without having "
    "seen them: it knows which data sets there are for a language, and how sentences go on. Only "
    "the difference to such control texts is a sign of leakage."
)


def live_report(model: str, dataset: str, found: Findings, provenance: Provenance) -> Report:
    """What was found for one model and data set."""
    rows = [_gap_row(name, gap) for name, gap in found.tests.items()]
    rows.append(_gap_row("names it with its version", found.exact))
    table = Table(
        f"{model} on {found.members} texts of {dataset} and {found.controls} control texts",
        [
            Column("the model", words=True),
            Column("members", percent=True, unit=" %"),
            Column("controls", percent=True, unit=" %"),
            Column("difference", percent=True, unit=" points"),
            Column("p", decimals=4),
        ],
        rows,
        note=(
            "One-sided tests: the share by Fisher's exact test, the mean by permutation. Leakage "
            "is called found where one of the first three is below 5 % divided by three. By heart: "
            f"at least {100 * NEAR_EXACT:.0f} % of the hidden words come back in order. "
            f"{found.unanswered} questions had no answer and count for neither side."
        ),
    )
    figure = forest(
        "How much more often, or more of it, for members than for controls",
        [Row(name, gap.difference) for name, gap in found.tests.items()],
        "difference in points",
        percent=True,
    )
    guidance = Table(
        "What it adds to name the data set in the question (members)",
        [
            Column("continued words", words=True),
            Column("with the name", percent=True, unit=" %"),
            Column("without", percent=True, unit=" %"),
            Column("difference", percent=True, unit=" points"),
            Column("p", decimals=4),
        ],
        [_gap_row("share of the rest that comes back", found.guidance)],
    )
    return Report(
        TITLE,
        [verdict(model, dataset, found), WHY_CONTROLS],
        [Section("Members against controls", [table, figure]), Section("Guided", [guidance])],
        provenance,
        found.as_json(),
    )


def verdict(model: str, dataset: str, found: Findings) -> str:
    """The answer in a sentence."""
    if not found.is_leaked:
        return (
            f"No sign that {model} has seen {dataset}: what it does for its texts, it does for "
            f"control texts too, as far as {found.members} and {found.controls} texts can tell."
        )
    share = found.by_heart.difference
    return (
        f"{model} treats texts of {dataset} as known. It knows {100 * share.value:.0f} % of them "
        f"by heart beyond chance (95 % interval {100 * share.low:.0f} to {100 * share.high:.0f} "
        f"%). Scores measured on {dataset} overstate what it does on new texts."
    )


def _gap_row(name: str, gap: Gap) -> Sequence[Cell]:
    return [name, gap.members, gap.controls, gap.difference, gap.p_value]


def recorded_report(probes: RecordedProbes, provenance: Provenance) -> Report:
    """What recorded probes say; without controls, they say little."""
    return Report(
        TITLE,
        [*_lead(probes.sources), WHY_CONTROLS],
        [
            Section("Which data set is this from?", [_sources_table(probes.sources), _REASON]),
            Section("How does it go on?", [_continuations_table(probes.continuations)]),
        ],
        provenance,
        {
            "sources": [_source_json(one) for one in probes.sources],
            "continuations": [_continuation_json(one) for one in probes.continuations],
        },
    )


_REASON = Text(
    "Both ways of counting are shown because they differ so much. Counted only with the version, "
    "a model that answers with the family's name is taken not to know the data set; counted with "
    "the family, one that merely guesses from the language is taken to know it. Neither can be "
    "decided without control texts, so these recordings prove neither leakage nor its absence."
)


def _lead(sources: Sequence[RecordedSources]) -> list[str]:
    most = max(sources, key=lambda one: one.naming.get(Naming.FAMILY, 0), default=None)
    if most is None:
        return []
    exact, family = most.share(Naming.EXACT).value, most.share(Naming.FAMILY).value
    either = most.share(Naming.EXACT, Naming.FAMILY).value
    return [
        f"Asked where texts of {most.dataset} are from, {most.model} names the data set with its "
        f"version in {100 * exact:.0f} % of answers and without it in {100 * family:.0f} %: "
        f"{100 * either:.0f} % name it in some form."
    ]


def _sources_table(sources: Sequence[RecordedSources]) -> Table:
    return Table(
        "Answers that name the data set",
        [
            Column("model", words=True),
            Column("data set", words=True),
            Column("answers"),
            Column("with version", percent=True, unit=" %"),
            Column("without version", percent=True, unit=" %"),
            Column("either", percent=True, unit=" %"),
        ],
        [
            [
                one.model,
                one.dataset,
                one.answers,
                one.share(Naming.EXACT),
                one.share(Naming.FAMILY),
                one.share(Naming.EXACT, Naming.FAMILY),
            ]
            for one in sources
        ],
        note="Intervals are Wilson's, at 95 %. Repetitions of one text are not independent.",
    )


def _continuations_table(continued: Sequence[RecordedContinuations]) -> Table:
    return Table(
        "Hidden words that come back in order",
        [
            Column("model", words=True),
            Column("data set", words=True),
            Column("texts"),
            Column("mean share", percent=True, unit=" %"),
            Column("by heart"),
        ],
        [
            [one.model, one.dataset, len(one.scores), mean_interval(one.scores), one.by_heart]
            for one in continued
            if one.scores
        ],
        note=f"By heart: at least {100 * NEAR_EXACT:.0f} % of the hidden words.",
    )


def _source_json(one: RecordedSources) -> dict[str, object]:
    return {
        "model": one.model,
        "dataset": one.dataset,
        "answers": one.answers,
        "with_version": one.share(Naming.EXACT).as_json(),
        "without_version": one.share(Naming.FAMILY).as_json(),
        "either": one.share(Naming.EXACT, Naming.FAMILY).as_json(),
    }


def _continuation_json(one: RecordedContinuations) -> dict[str, object]:
    return {
        "model": one.model,
        "dataset": one.dataset,
        "texts": len(one.scores),
        "scores": list(one.scores),
        "by_heart": one.by_heart,
    }
