"""Training again and again on parts of the labels, as cross-fitting and cross-validation do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.domain import Example, LabelScheme
from backend.protocols import FloatArray, Progress, Revising, Tagger, TaggerFamily, silent

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trainer:
    """Everything that trainings have in common.

    ``progress`` hears of each training's own steps, and may raise to interrupt it. ``start`` is a
    tagger that the last training may go on from.
    """

    family: TaggerFamily
    scheme: LabelScheme
    rng: np.random.Generator
    progress: Progress = silent
    start: Tagger | None = None

    def train(self, examples: Sequence[Example]) -> Tagger:
        """The tagger that all this is for.

        Raises :class:`~backend.errors.InputError` where they hold no span to learn from.
        """
        return self.family.train(examples, self.scheme, self.rng, self.progress, self.start)

    def train_apart(self, examples: Sequence[Example]) -> Tagger | None:
        """A tagger that knows these examples and nothing else, to judge others by.

        So it never goes on from ``start``, which may have learnt what is judged. ``None`` where the
        examples hold no span to learn from.
        """
        if hold_a_span(examples, self.scheme):
            return self.family.train(examples, self.scheme, self.rng, self.progress)
        return None

    def revise(
        self, right: Sequence[Example], given: Sequence[Example], asked: Sequence[Example]
    ) -> list[FloatArray] | None:
        """What the family makes of ``asked``, knowing where ``given`` was wrong.

        See :class:`~backend.protocols.Revising`. ``None`` where the family does not do that, or
        ``right`` holds no span to learn from.
        """
        if isinstance(self.family, Revising) and hold_a_span(right, self.scheme):
            return self.family.revise(right, given, asked, self.scheme, self.progress)
        return None


def hold_a_span(examples: Iterable[Example], scheme: LabelScheme) -> bool:
    """Whether there is anything to learn from: a label of the scheme in a text that counts."""
    counting = (example for example in examples if example.copies > 0)
    return any(span.label in scheme for example in counting for span in example.spans)


def folds_of(texts: Sequence[str], folds: int, rng: np.random.Generator) -> IntArray:
    """(n_texts,): the fold of each text, drawn evenly; copies of a text share theirs."""
    distinct = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    drawn = rng.permutation(len(distinct)) % folds
    return np.array([drawn[distinct[text]] for text in texts], dtype=np.int64)
