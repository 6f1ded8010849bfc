"""How likely what an LLM claims is right, learnt from claims that people checked.

An LLM's own confidence is too high, and wrong in another way for each language and label. With few
checked claims each cell alone says little, so all share one curve over the confidence, and
languages, labels and their pairs only shift it, as far as their own claims insist: a logistic
regression with a penalty (Platt, 1999, for the curve; partial pooling as in Gelman & Hill, 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from backend.domain import Span
from backend.protocols import FloatArray

NOTHING = ""
"""The label of the claim that a text holds no mention."""

_UNSAID = 0.5
_EDGE = 0.01


@dataclass(frozen=True, slots=True)
class Claim:
    """A span that an LLM gives, or (label :data:`NOTHING`) that there is none.

    ``score``: its confidence in [0, 1], ``None`` where it gave none.
    """

    language: str
    label: str
    score: float | None


def claims_of(spans: Sequence[Span], language: str | None, confidence: float) -> list[Claim]:
    """What an answer claims: each of its spans, or that there is nothing."""
    if not spans:
        return [Claim(language or "", NOTHING, confidence)]
    return [Claim(language or "", span.label, span.score) for span in spans]


class ClaimTrust:
    """Probabilities that claims are right."""

    def __init__(self, model: Any, cells: Sequence[str], constant: float) -> None:
        self._model = model
        self._cells = {cell: column for column, cell in enumerate(cells, start=1)}
        self._constant = constant

    @classmethod
    def fitted(cls, claims: Sequence[Claim], right: Sequence[bool]) -> Self:
        """Learn from checked claims; ``right`` says of each whether it was.

        Where all were right, or all wrong, every claim is as likely right as by Laplace's rule.
        """
        # Here, because it takes seconds to import and most processes never need it.
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

        constant = (sum(right) + 1) / (len(claims) + 2)
        if len(set(right)) < 2:
            return cls(None, [], constant)
        trust = cls(None, sorted({cell for claim in claims for cell in _cells(claim)}), constant)
        trust._model = LogisticRegression(max_iter=500).fit(trust._features(claims), right)
        return trust

    def __call__(self, claims: Sequence[Claim]) -> FloatArray:
        """(n_claims,) in [0, 1]: how likely each is right."""
        if self._model is None or not claims:
            return np.full(len(claims), self._constant)
        return np.asarray(self._model.predict_proba(self._features(claims))[:, 1], np.float64)

    def _features(self, claims: Sequence[Claim]) -> FloatArray:
        """(n_claims, 1 + n_cells): log-odds of the confidence, then which cells it lies in."""
        table = np.zeros((len(claims), 1 + len(self._cells)))
        for row, claim in enumerate(claims):
            score = _UNSAID if claim.score is None else claim.score
            score = min(max(score, _EDGE), 1 - _EDGE)
            table[row, 0] = np.log(score / (1 - score))
            for cell in _cells(claim):
                if cell in self._cells:
                    table[row, self._cells[cell]] = 1.0
        return table


def _cells(claim: Claim) -> tuple[str, str, str]:
    return f"language {claim.language}", f"label {claim.label}", f"{claim.language}\t{claim.label}"
