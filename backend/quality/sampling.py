"""Which texts to evaluate annotators on.

Without gold: a random draw is the only one whose score is that of the whole collection without
further thought; stratified and clustered draws come closer to it with the same number of texts,
where the strata have to do with the score. The rule of Kholodna et al. (2024) looks at gold
labels, prefers texts of middling density and so estimates another quantity: it is here to repeat
what they did.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from backend.domain import Span
from backend.errors import InputError
from backend.protocols import FloatArray

LEAST_SHARE, MOST_SHARE = 0.05, 0.5
LENGTH_STRATA = 5
TEXTS_PER_CLUSTER = 10


def draw_random(texts: int, count: int, rng: np.random.Generator) -> list[int]:
    """Positions of ``count`` of so many texts, each as likely as another, in order."""
    _check(texts, count)
    return sorted(map(int, rng.choice(texts, size=count, replace=False)))


def draw_stratified(strata: Sequence[Hashable], count: int, rng: np.random.Generator) -> list[int]:
    """Positions of ``count`` texts, of each stratum in proportion to its size, in order.

    What does not divide goes to the largest remainders, of equal ones at random.
    """
    _check(len(strata), count)
    members: dict[Hashable, list[int]] = {}
    for at, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(at)
    groups = list(members.values())
    exact = np.array([count * len(group) / len(strata) for group in groups])
    shares = np.floor(exact + 1e-9).astype(int)
    by_remainder = np.lexsort((rng.random(len(groups)), -(exact - shares).round(9)))
    shares[by_remainder[: count - int(shares.sum())]] += 1
    drawn = [
        int(at)
        for group, share in zip(groups, shares, strict=True)
        for at in rng.choice(group, size=share, replace=False)
    ]
    return sorted(drawn)


def length_strata(texts: Sequence[str], strata: int = LENGTH_STRATA) -> list[int]:
    """For each text its fifth by length in characters: 0 for the shortest, equally many in each."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    ranks = np.empty(len(texts), dtype=int)
    ranks[order] = np.arange(len(texts))
    return [int(rank * strata // len(texts)) for rank in ranks]


def text_clusters(texts: Sequence[str], clusters: int, rng: np.random.Generator) -> list[int]:
    """For each text the number of its cluster, by character n-grams: any script, no tokeniser."""
    # Here, because it takes seconds to import and most processes never need it.
    from sklearn.cluster import MiniBatchKMeans  # noqa: PLC0415
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    if not any(text.strip() for text in texts) or clusters < 2:
        return [0] * len(texts)
    vectors = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), max_features=2**14, sublinear_tf=True
    ).fit_transform(texts)
    seed = int(rng.integers(2**31))
    means = MiniBatchKMeans(n_clusters=min(clusters, len(texts)), n_init=1, random_state=seed)
    return [int(cluster) for cluster in means.fit_predict(vectors)]


def draw_clustered(texts: Sequence[str], count: int, rng: np.random.Generator) -> list[int]:
    """Positions of ``count`` texts, of each cluster of like texts in proportion to its size."""
    _check(len(texts), count)
    clusters = text_clusters(texts, max(2, count // TEXTS_PER_CLUSTER), rng)
    return draw_stratified(clusters, count, rng)


def draw_by_gold(
    gold: Sequence[tuple[str, Sequence[Span]]], count: int, rng: np.random.Generator
) -> list[int]:
    """Draw by the rule of Kholodna et al. (2024): by how many of a text's tokens are entities.

    ``gold``: texts of tokens joined by single spaces, with their spans. Texts with an entity
    share of at most 5% or at least 50% are out; of the others, a text is drawn without
    replacement with a weight that is the normal density of its number of entity tokens, at the
    mean and deviation of these numbers.
    """
    lengths = np.array([text.count(" ") + 1 for text, _ in gold])
    inside = np.array(
        [sum(text[s.start : s.end].count(" ") + 1 for s in spans) for text, spans in gold]
    )
    share = inside / lengths
    eligible = np.flatnonzero((share > LEAST_SHARE) & (share < MOST_SHARE))
    if len(eligible) < count:
        raise InputError(
            f"{len(eligible)} texts have an entity share between {LEAST_SHARE:.0%} and "
            f"{MOST_SHARE:.0%}, and {count} are asked for. Ask for fewer, or use another rule."
        )
    _check(len(gold), count)
    weights = _normal_density(inside[eligible].astype(np.float64))
    chosen = rng.choice(eligible, size=count, replace=False, p=weights / weights.sum())
    return sorted(map(int, chosen))


def _normal_density(values: FloatArray) -> FloatArray:
    """Up to a factor, and never so small that a text could not be drawn at all."""
    deviation = float(values.std())
    if not deviation:
        return np.ones_like(values)
    density: FloatArray = np.exp(-0.5 * ((values - values.mean()) / deviation) ** 2)
    return np.maximum(density, 1e-12)


def _check(texts: int, count: int) -> None:
    if not 0 < count <= texts:
        raise InputError(f"Cannot draw {count} of {texts} texts. Give a number from 1 to {texts}.")
