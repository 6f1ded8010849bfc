"""Are later texts unlike earlier ones? Distances between what their characters are made of.

Characters need no tokeniser and see through rich morphology; another dialect, source or script, or
a broken encoding, changes them first. Two statistics look for different things. The Jensen-Shannon
distance of all pairs of characters sees a few texts that are quite unlike the others; the maximum
mean discrepancy (Gretton et al., 2012) of what each text is made of sees many that are a little.
Both are drawn in the same random orders, so that the smaller of their p-values has one of its own
(Tippett, 1931; by permutation, Westfall & Young, 1993).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.protocols import FloatArray

PERMUTATIONS = 499
MOST_TEXTS = 400
"""Texts of a side that are looked at, drawn at random from more."""
_MOST_PAIRS = 2_000
_BEGIN = "\x02"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two sets of texts are apart.

    ``value``: Jensen-Shannon distance (Lin, 1991) of their pairs of characters, in [0, 1];
    ``chance``: what it is on average if texts change sides at random; ``p_value`` in (0, 1]: how
    often chance makes the sides as unlike, by this or by the maximum mean discrepancy.
    """

    value: float
    chance: float
    p_value: float


def distance(
    earlier: Sequence[str],
    later: Sequence[str],
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Distance | None:
    """How far later texts are from earlier ones; ``None`` where a side has none."""
    if not earlier or not later:
        return None
    sides = [_some(earlier, rng), _some(later, rng)]
    texts = [text for side in sides for text in side]
    # Who stands on the first side: as it is, then in random orders.
    seen = np.arange(len(texts)) < len(sides[0])
    members = np.vstack([seen, *(rng.permutation(seen) for _ in range(permutations))])
    counts = _pair_counts(texts)
    parts = members.astype(np.float64) @ counts
    drawn = np.array([_jensen_shannon(part, counts.sum(axis=0) - part) for part in parts])
    both = np.minimum(_upper_shares(drawn), _upper_shares(_discrepancies(texts, members)))
    p_value = np.count_nonzero(both <= both[0] + 1e-12) / len(both)
    return Distance(float(drawn[0]), float(drawn[1:].mean()), p_value)


def _upper_shares(drawn: FloatArray) -> FloatArray:
    """(n,), the share of the values that are as large as each of them."""
    ordered = np.sort(drawn)
    return 1 - np.searchsorted(ordered, drawn - 1e-12, side="left") / len(drawn)


def _discrepancies(texts: Sequence[str], members: npt.NDArray[np.bool_]) -> FloatArray:
    """(n_orders,) maximum mean discrepancy between the sides, but for what no order changes.

    ``members``: (n_orders, n_texts), who stands on the first side. The kernel is the cosine of
    weighted counts of one to three characters.
    """
    vectors = _vectors(texts)
    kernel = (vectors @ vectors.T).toarray()
    np.fill_diagonal(kernel, 0.0)
    first = members.astype(np.float64)
    within, across = first @ kernel, (1 - first) @ kernel
    mine, theirs = first.sum(axis=1), (1 - first).sum(axis=1)
    return np.asarray(
        (within * first).sum(axis=1) / np.maximum(1, mine * (mine - 1))
        + (across * (1 - first)).sum(axis=1) / np.maximum(1, theirs * (theirs - 1))
        - 2 * (within * (1 - first)).sum(axis=1) / (mine * theirs),
        dtype=np.float64,
    )


def _vectors(texts: Sequence[str]) -> Any:
    """(n_texts, n_grams), sparse, rows of length 1 or 0."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - slow to load

    # A sign before each text, so that there is a gram even where no text holds anything.
    grams = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 3), sublinear_tf=True, lowercase=False, norm="l2"
    )
    return grams.fit_transform([_BEGIN + text for text in texts])


class Surprise:
    """How strange a text's characters are to somebody who has read some texts.

    Bits a character, of a model of three characters with interpolated counts (Jelinek & Mercer,
    1980). Made for texts that it has not read: those it has are less strange to it.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts: Counter[str] = Counter()
        self._contexts: Counter[str] = Counter()
        for text in texts:
            for gram in _grams(text):
                for size in (1, 2, 3):
                    self._counts[gram[-size:]] += 1
                    self._contexts[gram[-size:-1]] += 1
        self._characters = sum(len(gram) == 1 for gram in self._counts) + 1

    def of(self, text: str) -> float:
        """Bits a character, at least 0; 0 for an empty text."""
        bits = [-math.log2(self._probability(gram)) for gram in _grams(text)]
        return sum(bits) / len(bits) if bits else 0.0

    def _probability(self, gram: str) -> float:
        probability = 1 / self._characters
        for size in (1, 2, 3):
            part = gram[-size:]
            probability = (self._counts[part] + probability) / (self._contexts[part[:-1]] + 1)
        return probability


def _grams(text: str) -> list[str]:
    padded = _BEGIN * 2 + text
    return [padded[at : at + 3] for at in range(len(text))]


def _some(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    if len(texts) <= MOST_TEXTS:
        return list(texts)
    return [texts[at] for at in rng.choice(len(texts), MOST_TEXTS, replace=False)]


def _pair_counts(texts: Sequence[str]) -> FloatArray:
    """(n_texts, n_pairs), how often each pair of characters is in each text; rare ones as one."""
    counted = [Counter(map("".join, zip(_BEGIN + text, text, strict=False))) for text in texts]
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    columns = {pair: at for at, (pair, _) in enumerate(total.most_common(_MOST_PAIRS))}
    counts = np.zeros((len(texts), len(columns) + 1))
    for row, each in zip(counts, counted, strict=True):
        for pair, count in each.items():
            row[columns.get(pair, -1)] += count
    return counts


def _jensen_shannon(first: FloatArray, second: FloatArray) -> float:
    if not first.sum() or not second.sum():
        return 0.0 if first.sum() == second.sum() else 1.0
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return math.sqrt(max(0.0, divergence))


def _relative_entropy(p: FloatArray, q: FloatArray) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())
