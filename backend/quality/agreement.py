"""How far several annotators, or several answers of one, say the same.

Chance-corrected coefficients need a number of things to classify, so they are taken over tokens
(``O`` included, which makes them look good, as most tokens are) or over places that anybody
marked. Pairwise F1 needs no such number and is what Hripcsak & Rothschild (2005) recommend for
spans.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from backend.domain import Span
from backend.protocols import FloatArray

UNMARKED = ""
"""The category of a place where an annotator marked nothing."""


def rating_counts(items: Iterable[Sequence[Hashable | None]]) -> FloatArray:
    """How often each item got each category, (n_items, n_categories).

    An item is what each rater said of it, ``None`` where one said nothing. Categories are in order
    of first use.
    """
    tallies = [Counter(said for said in item if said is not None) for item in items]
    columns = {name: at for at, name in enumerate(dict.fromkeys(c for t in tallies for c in t))}
    counts = np.zeros((len(tallies), len(columns)))
    for row, tally in zip(counts, tallies, strict=True):
        for name, count in tally.items():
            row[columns[name]] = count
    return counts


def fleiss_kappa(counts: npt.ArrayLike) -> float:
    """Fleiss' kappa (1971) of counts (n_items, n_categories); at most 1, and 0 is chance.

    Items with fewer than two ratings say nothing and are left out; where numbers of ratings
    differ, each item weighs the same and chance is that of all ratings. NaN where chance alone
    would agree always: one category, or nothing rated twice.
    """
    rated = _rated_twice(counts)
    if not rated.size:
        return math.nan
    raters = rated.sum(axis=1)
    observed = float(np.mean((rated * (rated - 1)).sum(axis=1) / (raters * (raters - 1))))
    shares = rated.sum(axis=0) / rated.sum()
    expected = float((shares**2).sum())
    return math.nan if math.isclose(expected, 1) else (observed - expected) / (1 - expected)


def krippendorff_alpha(counts: npt.ArrayLike) -> float:
    """Krippendorff's alpha (2004) for names, of counts (n_items, n_categories); missing allowed.

    At most 1, and 0 is chance. NaN where nobody could disagree: one category, or nothing rated
    twice.
    """
    rated = _rated_twice(counts)
    if not rated.size:
        return math.nan
    raters = rated.sum(axis=1)
    total = rated.sum()
    by_category = rated.sum(axis=0)
    expected = (total**2 - (by_category**2).sum()) / (total - 1)
    if not expected:
        return math.nan
    observed = float(((raters**2 - (rated**2).sum(axis=1)) / (raters - 1)).sum())
    return 1 - observed / float(expected)


def span_ratings(answers: Sequence[Collection[Span]]) -> list[list[str]]:
    """What each answer says of every place in one text that any of them marks.

    One list of labels a place, :data:`UNMARKED` where an answer leaves it: items for
    :func:`rating_counts`. Places that nobody marked are without number and take no part.
    """
    marked = [{(span.start, span.end): span.label for span in answer} for answer in answers]
    places = sorted({place for answer in marked for place in answer})
    return [[answer.get(place, UNMARKED) for answer in marked] for place in places]


def pairwise_f1(texts: Iterable[Sequence[Collection[Span]]]) -> float:
    """Strict span F1 in [0, 1] between every two answers to the same text, micro-averaged.

    ``texts``: for each, what every answer marks. The same whichever of two answers is taken for
    gold. NaN where no answer that has another beside it marks anything.
    """
    common = given = 0
    for answers in texts:
        votes = Counter(span for answer in answers for span in set(answer))
        common += sum(count * (count - 1) for count in votes.values())
        given += (len(answers) - 1) * votes.total()
    return common / given if given else math.nan


def pairwise_token_agreement(counts: npt.ArrayLike) -> float:
    """Share of pairs of ratings of one item that are equal, all pairs of all items alike.

    ``counts``: (n_items, n_categories). NaN where nothing is rated twice.
    """
    rated = _rated_twice(counts)
    pairs = (rated.sum(axis=1) * (rated.sum(axis=1) - 1)).sum()
    return float((rated * (rated - 1)).sum() / pairs) if pairs else math.nan


def _rated_twice(counts: npt.ArrayLike) -> FloatArray:
    table: FloatArray = np.asarray(counts, dtype=np.float64)
    if not table.size:
        return np.empty((0, 0))
    kept: FloatArray = table[table.sum(axis=1) >= 2]
    return kept
