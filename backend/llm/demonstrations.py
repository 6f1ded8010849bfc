"""Accepted labels as examples in the question: the same for all texts, or the nearest to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from backend.domain import Annotation, Example, LabelScheme, Task
from backend.quality.holdout import is_held_out
from backend.text.spans import valid_spans

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

LONGEST_EXAMPLE = 600
"""Characters of a text that is still shown: longer ones cost more than they teach."""

CHARACTER_NGRAMS = (2, 4)
CANDIDATES = 5
"""Nearest examples that are looked at for each one that is shown."""


class Demonstrations(Protocol):
    """A choice of examples. Safe to share between threads."""

    @property
    def fixed(self) -> bool:
        """Whether every text gets the same ones, which a provider can then cache."""

    def examples_for(self, text: str) -> tuple[Example, ...]:
        """The examples to show with a text."""


class NoDemonstrations:
    """Shows nothing."""

    fixed = True

    def examples_for(self, text: str) -> tuple[Example, ...]:
        """None."""
        return ()


class StaticDemonstrations:
    """The same examples for every text: the oldest ones that show every label.

    Examples come oldest first, and the choice prefers them in that order, so that it stays what it
    is while labels are added: each change of it is a new question, whose answer is paid again.
    """

    fixed = True

    def __init__(self, examples: Sequence[Example], count: int) -> None:
        self._chosen = covering(usable(examples), count)

    def examples_for(self, text: str) -> tuple[Example, ...]:
        """The chosen examples."""
        return self._chosen


class NearestDemonstrations:
    """For each text the examples most like it, as far as they also show different labels.

    Likeness is the cosine of TF-IDF vectors of character n-grams, which need no tokeniser and see
    through inflection; nearest examples were the best choice for LLM annotation in LLMaAA (Zhang
    et al., 2023). Whatever is most like a text also stands closest to it: last.
    """

    fixed = False

    def __init__(self, examples: Sequence[Example], count: int) -> None:
        self._examples = usable(examples)
        self._count = count

    def examples_for(self, text: str) -> tuple[Example, ...]:
        """The chosen examples, the nearest one last."""
        if not self._examples or not self._count:
            return ()
        vectorizer, matrix = self._index
        likeness = (matrix @ vectorizer.transform([text]).T).toarray().ravel()
        order = sorted(range(len(self._examples)), key=lambda at: (-likeness[at], at))
        nearest = [self._examples[at] for at in order[: self._count * CANDIDATES]]
        return covering(nearest, self._count)[::-1]

    @cached_property
    def _index(self) -> tuple[TfidfVectorizer, Any]:
        from sklearn.feature_extraction.text import (  # noqa: PLC0415 - takes a second to import
            TfidfVectorizer,
        )

        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=CHARACTER_NGRAMS)
        return vectorizer, vectorizer.fit_transform([example.text for example in self._examples])


def showable(
    labelled: Iterable[tuple[Task, Annotation]], scheme: LabelScheme, held_out_share: float
) -> list[Example]:
    """Accepted labels that an LLM may see, oldest first.

    Not those that it is measured on, nor any with a span that cannot be right.
    """
    examples: list[Example] = []
    for task, annotation in sorted(labelled, key=lambda pair: pair[1].updated_at):
        spans, problems = valid_spans(task.text, annotation.spans, scheme)
        if not problems and not is_held_out(task.text, held_out_share):
            examples.append(Example(task.id, task.text, spans))
    return examples


def usable(examples: Sequence[Example]) -> list[Example]:
    """Examples that are short enough and not blank, each text once."""
    first: dict[str, Example] = {}
    for example in examples:
        if example.text.strip() and len(example.text) <= LONGEST_EXAMPLE:
            first.setdefault(example.text, example)
    return list(first.values())


def covering(examples: Sequence[Example], count: int) -> tuple[Example, ...]:
    """At most ``count`` of the examples, which show as many labels as can be, in their order.

    Greedy: each next one is the first of those that add most labels; a text without a span adds
    one as well, that there may be nothing to find.
    """
    chosen: list[Example] = []
    left = list(examples)
    seen: set[str | None] = set()
    while left and len(chosen) < count:
        best = max(left, key=lambda example: len(shown_by(example) - seen))
        left.remove(best)
        chosen.append(best)
        seen |= shown_by(best)
    order = {id(example): at for at, example in enumerate(examples)}
    return tuple(sorted(chosen, key=lambda example: order[id(example)]))


def shown_by(example: Example) -> frozenset[str | None]:
    """The labels in an example, ``None`` for none."""
    return frozenset(span.label for span in example.spans) or frozenset({None})
