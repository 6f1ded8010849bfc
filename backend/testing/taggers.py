"""A tagger that learns by heart: no library, no randomness, instant.

It tags the words it saw in training spans wherever they come back, is sure of known words and
doubtful of capitalised unknown ones, and remembers what it was asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError, ModelStoreError
from backend.protocols import FloatArray, Progress, Tagger, Tagging, silent
from backend.text.bio import tag_names
from backend.text.tokens import tokenise

KIND = "fake"
_FILE = "fake.json"
_KNOWN, _UNKNOWN, _CAPITALISED = 0.9, 0.95, 0.6


class FakeTagger:
    """Tags the words of ``lexicon`` (word to label). ``asked`` holds every text it tagged."""

    kind = KIND

    def __init__(self, lexicon: Mapping[str, str], labels: Sequence[str]) -> None:
        self.lexicon = dict(lexicon)
        self.labels = tuple(labels)
        self.asked: list[str] = []

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """One tagging per text, in order; every known word is a span of its own."""
        self.asked.extend(texts)
        progress(len(texts), len(texts), "texts")
        return [self._tag(text) for text in texts]

    def save(self, folder: Path) -> None:
        """Write the lexicon as JSON."""
        content = {"lexicon": self.lexicon, "labels": self.labels}
        (folder / _FILE).write_text(json.dumps(content), encoding="utf-8")

    def _tag(self, text: str) -> Tagging:
        offsets = tokenise(text)
        spans = tuple(
            Span(start, end, self.lexicon[text[start:end]], _KNOWN)
            for start, end in offsets
            if text[start:end] in self.lexicon
        )
        rows = [self._row(text[start:end]) for start, end in offsets]
        probabilities = np.array(rows).reshape(len(rows), len(tag_names(self.labels)))
        return Tagging(spans, probabilities)

    def _row(self, word: str) -> FloatArray:
        """(n_tags,): most on the word's tag, the rest shared evenly."""
        tags = tag_names(self.labels)
        label = self.lexicon.get(word)
        doubtful = _CAPITALISED if word[:1].isupper() else _UNKNOWN
        sure = _KNOWN if label else doubtful
        row = np.full(len(tags), (1 - sure) / (len(tags) - 1))
        row[tags.index(f"B-{label}" if label else "O")] = sure
        return row


class FakeTaggerFamily:
    """Trains by learning mentions by heart. ``trained_on`` holds the examples of each training."""

    kind = KIND

    def __init__(self) -> None:
        self.trained_on: list[tuple[Example, ...]] = []

    def train(
        self,
        examples: Sequence[Example],
        scheme: LabelScheme,
        rng: np.random.Generator,
        progress: Progress = silent,
        start: Tagger | None = None,
    ) -> FakeTagger:
        """Remember the label of each word inside a span; the last example wins."""
        self.trained_on.append(tuple(examples))
        lexicon: dict[str, str] = {}
        for done, example in enumerate(examples, start=1):
            for span in example.spans:
                mention = example.text[span.start : span.end]
                if span.label in scheme:
                    lexicon |= {mention[start:end]: span.label for start, end in tokenise(mention)}
            progress(done, len(examples), "examples")
        if not lexicon:
            raise InputError("The examples hold no span of the scheme to learn from.")
        return FakeTagger(lexicon, scheme.labels)

    def load(self, folder: Path) -> FakeTagger:
        """The tagger that :meth:`FakeTagger.save` wrote."""
        try:
            content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            return FakeTagger(content["lexicon"], content["labels"])
        except (OSError, ValueError, KeyError) as error:
            raise ModelStoreError(f"There is no fake tagger in {folder}: {error!r}.") from error
