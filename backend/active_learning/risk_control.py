"""Which answers may stand unchecked, so that few of their claims are wrong, with a guarantee.

It holds for any number of checked answers and whatever the errors depend on. Answers with little
doubt are accepted, and the question is how little. Candidates are tested from the strictest, each
for the hypothesis "more than the target is wrong", and the first that cannot be refuted ends the
search: learn then test, with fixed-sequence testing (Angelopoulos, Bates, Candès, Jordan & Lei,
2021), a form of conformal risk control for losses that need not fall with the threshold. The test
is a bet against the hypothesis that pays off with each right claim (Waudby-Smith & Ramdas, 2024); a
draw is a whole answer, so that claims of one text may well be wrong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.errors import InputError

_STAKES = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95])
"""Shares of the wealth that are bet side by side; the mean of all is a fair bet as well."""


@dataclass(frozen=True, slots=True)
class Goal:
    """At most ``wrong`` of the accepted claims may be wrong, except with probability ``risk``."""

    wrong: float = 0.05
    risk: float = 0.10

    def __post_init__(self) -> None:
        if not (0 < self.wrong < 1 and 0 < self.risk < 1):
            raise InputError(
                f"A target of {self.wrong} wrong claims with risk {self.risk} is none: both are "
                f"shares between 0 and 1."
            )


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer to a randomly drawn text that a human labelled without seeing it.

    ``doubt``: expected share of wrong claims, from elsewhere than this check; ``claims``: how many
    it makes, at least 1; ``wrong``: how many of them are.
    """

    doubt: float
    claims: int
    wrong: int


def safe_doubt(
    checked: Sequence[CheckedAnswer], candidates: Sequence[float], goal: Goal, most_claims: int
) -> float | None:
    """The largest candidate up to which answers may be accepted, ``None`` for none.

    With probability ``1 - goal.risk`` over the draw of ``checked``, at most ``goal.wrong`` of the
    claims in answers with at most that doubt and ``most_claims`` claims are wrong. ``candidates``
    and ``most_claims`` must not depend on what was found wrong. Too few checks give ``None``.
    """
    safe = None
    for candidate in sorted(set(candidates)):
        accepted = [
            item for item in checked if item.doubt <= candidate and item.claims <= most_claims
        ]
        if safe is None and not _can_refute([item.claims for item in accepted], goal, most_claims):
            continue  # decided by how many were checked, not by what was found
        if evidence(accepted, goal.wrong, most_claims) < 1 / goal.risk:
            break
        safe = candidate
    return safe


def evidence(accepted: Sequence[CheckedAnswer], target: float, most_claims: int) -> float:
    """Evidence against "more than ``target`` of the claims are wrong": an e-value, >= 0.

    Under that hypothesis its mean is 1 at most, so it exceeds ``1 / risk`` with probability
    ``risk`` at most (Markov's inequality).
    """
    return _wealth(
        [item.claims for item in accepted], [item.wrong for item in accepted], target, most_claims
    )


def _can_refute(claims: Sequence[int], goal: Goal, most_claims: int) -> bool:
    return _wealth(claims, [0] * len(claims), goal.wrong, most_claims) >= 1 / goal.risk


def _wealth(claims: Sequence[int], wrong: Sequence[int], target: float, most_claims: int) -> float:
    """What a player owns in the end who starts with 1."""
    gains = target * np.asarray(claims, float) - np.asarray(wrong, float)  # (n_answers,)
    bets = _STAKES / (most_claims * (1 - target))  # never more than what is owned
    return float(np.exp(np.log1p(bets[:, None] * gains).sum(axis=1)).mean())
