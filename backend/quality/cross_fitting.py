"""What a tagger makes of texts that it has not learnt from, also where it learns from all of them.

Training is repeated without one part of the texts at a time, and each text is tagged by the tagger
that never saw it. Parts are drawn by the text itself, so copies of a text stay together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Example, LabelScheme
from backend.protocols import Progress, TaggerFamily, Tagging, silent
from backend.quality.holdout import lot

FOLDS = 2
_FOLD_LOT = 2


def fold_of(text: str, folds: int) -> int:
    """The part, from 0 to ``folds - 1``, that a text belongs to."""
    return int(lot(text, _FOLD_LOT) * folds)


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Repeated training of ``family`` on a scheme, each time without one of ``folds`` parts."""

    family: TaggerFamily
    scheme: LabelScheme
    folds: int = FOLDS

    def is_possible(self, examples: Sequence[Example], at_least: int) -> bool:
        """Whether without any of the parts there are enough examples, some of them with spans."""
        rests = [self._without(fold, examples) for fold in range(self.folds)]
        return all(
            len(rest) >= at_least and any(example.spans for example in rest) for rest in rests
        )

    def tag(
        self,
        examples: Sequence[Example],
        texts: Sequence[str],
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> Iterator[tuple[int, Tagging]]:
        """Yield (place in ``texts``, tagging) for each text, part by part.

        Raises :class:`~backend.errors.InputError` where the rest of the examples holds no span to
        learn from: see :meth:`is_possible`.
        """
        parts = [fold_of(text, self.folds) for text in texts]
        for fold in range(self.folds):
            progress(fold, self.folds, "training without a part")
            tagger = self.family.train(self._without(fold, examples), self.scheme, rng)
            places = [at for at, part in enumerate(parts) if part == fold]
            yield from zip(places, tagger.tag([texts[at] for at in places]), strict=True)
        progress(self.folds, self.folds, "training without a part")

    def _without(self, fold: int, examples: Sequence[Example]) -> list[Example]:
        return [example for example in examples if fold_of(example.text, self.folds) != fold]
