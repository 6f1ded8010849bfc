"""What a CRF sees of a word that another labeller has labelled already.

With the labeller's tags beside the text, a CRF that learns from people's labels learns at once
what names look like and where the labeller errs: which words it leaves out at the edge of a name,
what it takes for a name and is none (stacking: Wolpert, 1992). How it labelled the same word
elsewhere is seen as well, because a name that is missed in one text is found in another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from backend.domain import Example, LabelScheme
from backend.protocols import FloatArray
from backend.tagger.crf_features import Features, words_of
from backend.text.bio import OUTSIDE, tag_names, to_bio
from backend.text.tokens import tokenise

_EDGE = "edge"
_LEVELS = 4
"""Steps in which the share of a word's labels is told."""


class Answers:
    """A labeller's ``examples`` as a CRF sees them. Labels outside ``scheme`` are passed over."""

    def __init__(self, examples: Iterable[Example], scheme: LabelScheme) -> None:
        self._scheme = scheme
        self._names = tag_names(scheme.labels)
        self._habits = self._counted(examples)

    def features(self, example: Example) -> list[Features]:
        """Of each token: its tag, those beside it, and the tags its word has in all examples."""
        words, tags = self._read(example)
        padded = [_EDGE, *tags, _EDGE]
        return [
            [
                feature.encode()
                for feature in (
                    f"said={tag}",
                    f"said-={before}",
                    f"said+={after}",
                    f"said-0={before}|{tag}",
                    f"said0+={tag}|{after}",
                    f"saidw={tag}|{word}",
                    *self._habit(word),
                )
            ]
            for word, before, tag, after in zip(words, padded, tags, padded[2:], strict=False)
        ]

    def _read(self, example: Example) -> tuple[list[str], list[str]]:
        tokens = tokenise(example.text)
        spans = [span for span in example.spans if span.label in self._scheme]
        return [word.lower() for word in words_of(example.text, tokens)], to_bio(tokens, spans)[0]

    def _counted(self, examples: Iterable[Example]) -> dict[str, FloatArray]:
        """(n_tags,) how often each word has each tag."""
        columns = {tag: column for column, tag in enumerate(self._names)}
        counts: dict[str, FloatArray] = {}
        for example in examples:
            for word, tag in zip(*self._read(example), strict=True):
                if word not in counts:
                    counts[word] = np.zeros(len(columns))
                counts[word][columns[tag]] += 1
        return counts

    def _habit(self, word: str) -> Sequence[str]:
        """Shares of the word's tags in steps, those next to nothing left out.

        One more occurrence without any tag is assumed, so that a single one is no certainty.
        """
        if (counts := self._habits.get(word)) is None:
            return ()
        levels = np.rint(_LEVELS * counts / (counts.sum() + 1)).astype(int)
        return [
            f"habit={tag}:{level}"
            for tag, level in zip(self._names, levels.tolist(), strict=True)
            if level or tag == OUTSIDE
        ]
