"""What a tagger or a set of suggestions is worth on labelled texts, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from backend.domain import Example, SourceKind, Span, SpanScores, Suggestion
from backend.protocols import FloatArray, Tagger
from backend.quality.span_f1 import span_scores


def tagger_scores(tagger: Tagger, examples: Sequence[Example]) -> SpanScores | None:
    """Strict span scores of a tagger, ``None`` where there is no gold span to find."""
    taggings = tagger.tag([example.text for example in examples])
    found = {
        example.task_id: tagging.spans for example, tagging in zip(examples, taggings, strict=True)
    }
    return _scores(examples, lambda example: found[example.task_id])


def counts_by_text(tagger: Tagger | None, examples: Sequence[Example]) -> FloatArray:
    """Right, spurious and missed spans (n_examples, 3) of each text; no tagger finds none."""
    if tagger is None:
        found: list[Sequence[Span]] = [()] * len(examples)
    else:
        found = [one.spans for one in tagger.tag([example.text for example in examples])]
    scores = [span_scores([pair]) for pair in zip((e.spans for e in examples), found, strict=True)]
    return np.array(
        [(one.true_positives, one.false_positives, one.false_negatives) for one in scores],
        dtype=np.float64,
    ).reshape(-1, 3)


def suggestion_scores(
    examples: Sequence[Example], suggestions: Mapping[str, Suggestion]
) -> SpanScores | None:
    """Strict span scores of suggestions by task id, ``None`` where there is no gold span."""
    return _scores(examples, lambda example: suggestions[example.task_id].spans)


def _scores(
    examples: Sequence[Example], spans_of: Callable[[Example], Iterable[Span]]
) -> SpanScores | None:
    if not any(example.spans for example in examples):
        return None
    return span_scores((example.spans, spans_of(example)) for example in examples)


def is_promoted(
    new: SpanScores | None, previous: SpanScores | None, tolerance: float
) -> tuple[bool, str]:
    """Whether a new tagger takes the place of the one that serves, and why.

    Both were scored on the same held-out texts. It does unless its F1 is lower by more than
    ``tolerance``, or where there is nothing to compare.
    """
    if previous is None:
        return True, "first tagger"
    if new is None:
        return True, "no held-out labels to compare on"
    if new.f1 >= previous.f1 - tolerance:
        return True, f"held-out F1 {previous.f1:.3f} -> {new.f1:.3f}"
    return False, f"held-out F1 would fall from {previous.f1:.3f} to {new.f1:.3f}"


def better_source(llm: SpanScores | None, tagger: SpanScores | None) -> SourceKind:
    """Whose spans to show where both have an answer, scored on the same texts.

    The tagger, unless the LLM is measurably better or there is no tagger.
    """
    if tagger is None or (llm is not None and llm.f1 > tagger.f1):
        return SourceKind.LLM
    return SourceKind.TAGGER
