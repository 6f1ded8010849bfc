"""Strict span scores: a span counts only with the exact bounds and the exact label.

The measure of CoNLL-2003 (Tjong Kim Sang & De Meulder, 2003), as ``seqeval`` computes it in
strict IOB2 mode; here on spans with offsets, so that no tokenisation stands between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from backend.domain import Span, SpanScores

SpanPair = tuple[Iterable[Span], Iterable[Span]]
"""Gold and predicted spans of one text."""


def span_scores(pairs: Iterable[SpanPair]) -> SpanScores:
    """Micro-averaged counts over all texts and labels; ``.f1`` is the strict span F1 in [0, 1]."""
    by_label = span_scores_by_label(pairs).values()
    return SpanScores(
        sum(scores.true_positives for scores in by_label),
        sum(scores.false_positives for scores in by_label),
        sum(scores.false_negatives for scores in by_label),
    )


def span_scores_by_label(pairs: Iterable[SpanPair]) -> dict[str, SpanScores]:
    """Counts for each label that occurs in gold or predicted spans, sorted by label."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for gold_spans, predicted_spans in pairs:
        gold, predicted = set(gold_spans), set(predicted_spans)
        right.update(span.label for span in gold & predicted)
        wrong.update(span.label for span in predicted - gold)
        missed.update(span.label for span in gold - predicted)
    return {
        label: SpanScores(right[label], wrong[label], missed[label])
        for label in sorted(right | wrong | missed)
    }
