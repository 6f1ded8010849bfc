"""Are later texts unlike earlier ones? Distances between what their characters are made of.

Characters need no tokeniser and see through rich morphology; another dialect, source or script, or
a broken encoding, changes them first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.protocols import FloatArray

PERMUTATIONS = 199
MOST_TEXTS = 400
"""Texts of a side that are looked at, drawn at random from more."""
_MOST_PAIRS = 2_000
_BEGIN = "\x02"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two sets of texts are apart.

    ``value``: Jensen-Shannon distance (Lin, 1991) of their pairs of characters, in [0, 1];
    ``chance``: what it is on average if texts change sides at random; ``p_value`` in (0, 1]: how
    often chance makes it as large.
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
    counts = _pair_counts([text for side in sides for text in side])
    first, total = len(sides[0]), counts.sum(axis=0)
    seen = _jensen_shannon(part := counts[:first].sum(axis=0), total - part)
    drawn = []
    for _ in range(permutations):
        part = counts[rng.permutation(len(counts))[:first]].sum(axis=0)
        drawn.append(_jensen_shannon(part, total - part))
    as_large = sum(value >= seen - 1e-12 for value in drawn)
    return Distance(seen, float(np.mean(drawn)), (as_large + 1) / (permutations + 1))


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
