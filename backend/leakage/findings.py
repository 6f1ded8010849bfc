"""What probes of a model found, for members of a data set and for control texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.quality.leakage import (
    NEAR_EXACT,
    Gap,
    Naming,
    continuation_score,
    gain,
    score_gap,
    share_gap,
)

SPLIT_AT = 0.5
"""Where a text is cut: the model sees this share of its words."""
FEWEST_WORDS = 6


@dataclass(frozen=True, slots=True)
class Probed:
    """One text and what the model made of it; ``None`` where it gave no answer.

    ``naming``: of the data set; ``rest``: how the text really goes on.
    """

    rest: str
    naming: Naming | None
    guided: str | None
    unguided: str | None


@dataclass(frozen=True, slots=True)
class Findings:
    """The gaps between members and controls that each probe shows.

    ``exact`` and ``family``: who names the data set with its version, or in any form.
    ``continued``: how much of a text's rest comes back, the better of both questions counting.
    ``by_heart``: how many texts come back nearly whole. ``guidance``: what naming the data set
    adds for members. ``unanswered``: questions without an answer, which count for neither side.
    """

    members: int
    controls: int
    unanswered: int
    exact: Gap
    family: Gap
    continued: Gap
    by_heart: Gap
    guidance: Gap

    @property
    def tests(self) -> dict[str, Gap]:
        """The tests that compare members and controls, in words."""
        return {
            "names the data set": self.family,
            "continues the text": self.continued,
            "knows the text by heart": self.by_heart,
        }

    @property
    def is_leaked(self) -> bool:
        """Whether any of the three is found, at 5 % for all three together (Bonferroni)."""
        return any(gap.is_found(0.05 / len(self.tests)) for gap in self.tests.values())

    def as_json(self) -> dict[str, Any]:
        """Everything by name."""
        return asdict(self) | {"is_leaked": self.is_leaked}


def cut(text: str) -> tuple[str, str] | None:
    """A text's beginning and its rest, ``None`` where it has too few words for both."""
    words = text.split()
    if len(words) < FEWEST_WORDS:
        return None
    at = round(len(words) * SPLIT_AT)
    return " ".join(words[:at]), " ".join(words[at:])


def findings(
    members: Sequence[Probed], controls: Sequence[Probed], rng: np.random.Generator
) -> Findings:
    """Compare the two. Raises :class:`~backend.errors.InputError` where one has no answers."""
    guided, unguided = _both(members)
    return Findings(
        members=len(members),
        controls=len(controls),
        unanswered=sum(
            answer is None
            for probed in (*members, *controls)
            for answer in (probed.naming, probed.guided, probed.unguided)
        ),
        exact=_naming_gap(members, controls, {Naming.EXACT}),
        family=_naming_gap(members, controls, {Naming.EXACT, Naming.FAMILY}),
        continued=score_gap(_scores(members), _scores(controls), rng),
        by_heart=_by_heart_gap(_scores(members), _scores(controls)),
        guidance=gain(guided, unguided, rng),
    )


def _naming_gap(members: Sequence[Probed], controls: Sequence[Probed], wanted: set[Naming]) -> Gap:
    ours, theirs = _namings(members), _namings(controls)
    hits = [sum(naming in wanted for naming in side) for side in (ours, theirs)]
    return share_gap(hits[0], len(ours), hits[1], len(theirs))


def _namings(texts: Sequence[Probed]) -> list[Naming]:
    return [probed.naming for probed in texts if probed.naming is not None]


def _scores(texts: Sequence[Probed]) -> list[float]:
    """How much of each text's rest came back, where either question was answered."""
    return [
        max(continuation_score(probed.rest, answer) for answer in answers)
        for probed in texts
        if (answers := [it for it in (probed.guided, probed.unguided) if it is not None])
    ]


def _both(texts: Sequence[Probed]) -> tuple[list[float], list[float]]:
    pairs = [
        (continuation_score(probed.rest, guided), continuation_score(probed.rest, unguided))
        for probed in texts
        if (guided := probed.guided) is not None and (unguided := probed.unguided) is not None
    ]
    return [guided for guided, _ in pairs], [unguided for _, unguided in pairs]


def _by_heart_gap(members: Sequence[float], controls: Sequence[float]) -> Gap:
    hits = [sum(score >= NEAR_EXACT for score in side) for side in (members, controls)]
    return share_gap(hits[0], len(members), hits[1], len(controls))
