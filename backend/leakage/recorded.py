"""Probes that were recorded: the answers to "which data set?" and "how does it go on?".

A folder holds one for each model, with ``<data set>_sample_source.json`` (a list of repetitions,
each a mapping of group and record to the name that was given) and
``<data set>_sentence_continuation.json`` (records of ``query_text``, ``reference_text`` and
``answer``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import InputError
from backend.quality.intervals import Interval, wilson
from backend.quality.leakage import NEAR_EXACT, Names, Naming, continuation_score

SOURCES, CONTINUATIONS = "_sample_source.json", "_sentence_continuation.json"

KNOWN_NAMES: Mapping[str, Names] = {
    "masakhaner2": Names(("masakhaner 2", "masakhaner2"), ("masakhaner", "masakhane")),
    "conll-2003": Names(("conll-2003", "conll 2003", "conll-03", "conll 03"), ("conll",)),
    "wikiann": Names(("wikiann",), ("pan-x", "panx", "wiki-ann")),
}
"""What the data sets of the paper are called; for others the file's name."""


@dataclass(frozen=True, slots=True)
class RecordedSources:
    """How many of a model's answers name a data set, in each way."""

    model: str
    dataset: str
    answers: int
    naming: Mapping[Naming, int]

    def share(self, *ways: Naming) -> Interval:
        """The share of answers that name it in any of these ways."""
        return wilson(sum(self.naming.get(way, 0) for way in ways), self.answers)


@dataclass(frozen=True, slots=True)
class RecordedContinuations:
    """How much of each text's rest a model gave back."""

    model: str
    dataset: str
    scores: tuple[float, ...]

    @property
    def by_heart(self) -> int:
        """How many came back nearly whole."""
        return sum(score >= NEAR_EXACT for score in self.scores)


@dataclass(frozen=True, slots=True)
class RecordedProbes:
    """Everything that a folder of recorded probes holds."""

    sources: tuple[RecordedSources, ...]
    continuations: tuple[RecordedContinuations, ...]


def read_probes(folder: Path, names: Names | None = None) -> RecordedProbes:
    """The recorded probes of every model; ``names`` overrides what the data sets are called.

    Raises :class:`~backend.errors.InputError` for a folder without any, and for a file that is
    not of this form.
    """
    sources = [_sources(path, names) for path in sorted(folder.glob(f"*/*{SOURCES}"))]
    continued = [_continuations(path) for path in sorted(folder.glob(f"*/*{CONTINUATIONS}"))]
    if not sources and not continued:
        raise InputError(
            f"{folder} holds no recorded probes: there is no <model>/<data set>{SOURCES} or "
            f"<model>/<data set>{CONTINUATIONS} in it."
        )
    return RecordedProbes(tuple(sources), tuple(continued))


def _sources(path: Path, names: Names | None) -> RecordedSources:
    dataset = path.name.removesuffix(SOURCES)
    called = names or names_of(dataset)
    try:
        answers = [
            str(answer)
            for repetition in _json(path)
            for group in repetition.values()
            for answer in group.values()
        ]
    except (AttributeError, TypeError) as error:
        raise _not_probes(path) from error
    naming = Counter(called.in_answer(answer) for answer in answers)
    return RecordedSources(path.parent.name, dataset, len(answers), naming)


def _continuations(path: Path) -> RecordedContinuations:
    try:
        items = [
            (str(item["reference_text"]), str(item["answer"])) for item in _json(path).values()
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise _not_probes(path) from error
    scores = tuple(continuation_score(reference, answer) for reference, answer in items)
    return RecordedContinuations(path.parent.name, path.name.removesuffix(CONTINUATIONS), scores)


def names_of(dataset: str) -> Names:
    """What a data set is called, from the start of its name; at worst by that name alone."""
    for known, names in KNOWN_NAMES.items():
        if dataset.casefold().startswith(known):
            return names
    return Names((dataset,))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot read {path}: {error}.") from error


def _not_probes(path: Path) -> InputError:
    return InputError(f"{path} is not a recording of probes of the expected form.")
