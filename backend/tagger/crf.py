"""A linear-chain conditional random field (Lafferty, McCallum & Pereira, 2001) on crfsuite.

The embedded default: it trains in seconds on a CPU, learns from few labels, and gives true
sequence probabilities and marginals.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pycrfsuite

from backend.domain import Example, LabelScheme
from backend.errors import ModelStoreError
from backend.protocols import FloatArray, Progress, Tagging, silent
from backend.tagger.crf_features import sentence_features
from backend.tagger.training_set import TaggedText, tagged_texts
from backend.tagger.windows import windows
from backend.text.bio import from_bio, tag_names
from backend.text.tokens import TokenOffsets, tokenise

KIND = "crf"
FORMAT = 1
DESCRIPTION_FILE = "crf.json"
MODEL_FILE = "model.crfsuite"

_WINDOW_TOKENS = 1024
_OVERLAP_TOKENS = 64
_TEXTS_PER_REPORT = 100
_ITERATION = re.compile(r"Iteration #(\d+)")


class CrfFamily:
    """Trains and loads CRF taggers.

    ``l1`` and ``l2`` are the coefficients of the regularisation, ``iterations`` the most steps
    of L-BFGS; the defaults held on MasakhaNER 2.0 from 100 to 5,000 sentences.
    """

    kind = KIND

    def __init__(self, l1: float = 0.05, l2: float = 0.05, iterations: int = 60) -> None:
        self._parameters = {"c1": l1, "c2": l2, "max_iterations": iterations}

    def train(
        self,
        examples: Sequence[Example],
        scheme: LabelScheme,
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> CrfTagger:
        """Fit a CRF. L-BFGS has no randomness, so ``rng`` is left alone.

        ``progress`` counts iterations; what it raises stops the training.
        """
        trainer = _Trainer(self._parameters, progress)
        for example in tagged_texts(examples, scheme):
            _append(trainer, example)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL_FILE
            trainer.train(str(path))
            return CrfTagger(path.read_bytes(), scheme.labels)

    def load(self, folder: Path) -> CrfTagger:
        """The tagger in ``folder``, which :meth:`CrfTagger.save` wrote."""
        try:
            about = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            model = (folder / MODEL_FILE).read_bytes()
            if about["format"] != FORMAT:
                raise ModelStoreError(
                    f"The CRF in {folder} has format {about['format']}, this version of harambee "
                    f"reads format {FORMAT}. Train again, or install the version that wrote it."
                )
            return CrfTagger(model, tuple(map(str, about["labels"])))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelStoreError(
                f"There is no usable CRF in {folder} ({error!r}): it is incomplete or damaged. "
                f"Train again, or restore the folder from a backup."
            ) from error


class CrfTagger:
    """A trained CRF. ``model`` is crfsuite's file content, ``labels`` those of the scheme.

    Raises ``ValueError`` for bytes that are not such a file.
    """

    kind = KIND

    def __init__(self, model: bytes, labels: Sequence[str]) -> None:
        self._model = model  # crfsuite reads from it as long as it is open
        self._labels = tuple(labels)
        self._tags = tag_names(labels)
        self._crf = pycrfsuite.Tagger()
        self._crf.open_inmemory(model)
        known = set(self._crf.labels())
        self._columns = [(i, tag) for i, tag in enumerate(self._tags) if tag in known]
        self._lock = threading.Lock()

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """One tagging per text, in order; probabilities are the CRF's marginals."""
        taggings = []
        for done, text in enumerate(texts, start=1):
            taggings.append(self._tag(text))
            if done % _TEXTS_PER_REPORT == 0 or done == len(texts):
                progress(done, len(texts), "texts")
        return taggings

    def save(self, folder: Path) -> None:
        """Write the description (JSON) and crfsuite's own model file."""
        about = {"format": FORMAT, "labels": self._labels}
        content = json.dumps(about, ensure_ascii=False, indent=2)
        (folder / DESCRIPTION_FILE).write_text(content, encoding="utf-8")
        (folder / MODEL_FILE).write_bytes(self._model)

    def _tag(self, text: str) -> Tagging:
        tokens = tokenise(text)
        tags: list[str] = []
        probabilities = np.zeros((len(tokens), len(self._tags)))
        sequence_probability = 1.0
        for window in windows([1] * len(tokens), _WINDOW_TOKENS, _OVERLAP_TOKENS):
            best, marginals, probability = self._decode(text, tokens[window.start : window.stop])
            tags += best[window.kept]
            probabilities[window.keep_start : window.keep_stop] = marginals[window.kept]
            sequence_probability *= probability
        scores = [probabilities[i, self._tags.index(tag)] for i, tag in enumerate(tags)]
        spans = from_bio(tokens, tags, scores)
        return Tagging(tuple(spans), probabilities, min(1.0, sequence_probability))

    def _decode(
        self, text: str, tokens: Sequence[TokenOffsets]
    ) -> tuple[list[str], FloatArray, float]:
        """The best tags, the marginals (n_tokens, n_tags), and the best tags' probability."""
        features = sentence_features(text, tokens)
        marginals = np.zeros((len(tokens), len(self._tags)))
        # A pycrfsuite tagger holds one sequence at a time, so only one thread may use it.
        with self._lock:
            self._crf.set(features)
            best: list[str] = self._crf.tag()
            probability: float = self._crf.probability(best)
            marginal = self._crf.marginal
            for column, tag in self._columns:
                marginals[:, column] = [marginal(tag, place) for place in range(len(tokens))]
        marginals /= marginals.sum(axis=1, keepdims=True)
        return best, marginals, probability


class _Trainer(pycrfsuite.Trainer):  # type: ignore[misc]  # a compiled class without types
    """L-BFGS that reports its iterations."""

    def __init__(self, parameters: dict[str, Any], progress: Progress) -> None:
        super().__init__("lbfgs", parameters, verbose=False)
        self._progress = progress
        self._iterations = parameters["max_iterations"]

    def message(self, message: str) -> None:
        """Called by crfsuite with each line of its log."""
        if found := _ITERATION.search(message):
            self._progress(int(found[1]), self._iterations, "iterations")


def _append(trainer: _Trainer, example: TaggedText) -> None:
    spans_whole = windows([1] * len(example.tokens), _WINDOW_TOKENS, overlap=0)
    for window in spans_whole:
        part = slice(window.start, window.stop)
        features = pycrfsuite.ItemSequence(sentence_features(example.text, example.tokens[part]))
        for _ in range(example.copies):
            trainer.append(features, example.tags[part])
