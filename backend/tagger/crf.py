"""A linear-chain conditional random field (Lafferty, McCallum & Pereira, 2001) on crfsuite.

The embedded default: it trains in seconds on a CPU, learns from few labels, and gives true
sequence probabilities and marginals.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from math import ceil, prod
from pathlib import Path

import numpy as np
import pycrfsuite

from backend.domain import Example, LabelScheme
from backend.errors import ModelStoreError
from backend.protocols import FloatArray, Progress, Tagger, Tagging, silent
from backend.tagger.crf_emissions import Emissions
from backend.tagger.crf_features import Features, Reader, words_of
from backend.tagger.crf_guesses import FOLDS, fold_of, folds, guesses, unlabelled
from backend.tagger.crf_lattice import IntArray, Lattice
from backend.tagger.crf_lexicon import NO_LEXICON, Lexicon, lexicon_of
from backend.tagger.crf_model import read_weights
from backend.tagger.crf_revision import Answers
from backend.tagger.training_set import TaggedText, tagged_texts
from backend.tagger.windows import Window, windows
from backend.text.bio import from_bio, tag_names
from backend.text.tokens import TokenOffsets, tokenise

KIND = "crf"
FORMAT = 3
"""With a lexicon that may hold guesses; formats 1, without one, and 2 are read as well."""

DESCRIPTION_FILE = "crf.json"
MODEL_FILE = "model.crfsuite"
LEXICON_FILE = "lexicon.json"

_LEXICON_SEED = 0  # equal texts, equal lexicon: rounds and simulations can be compared
_WINDOW_TOKENS = 1024
_OVERLAP_TOKENS = 64
_BATCH_TOKENS = 2**15
_ITERATION = re.compile(r"Iteration #(\d+)")


class CrfFamily:
    """Trains and loads CRF taggers.

    ``l1`` and ``l2`` are the coefficients of the regularisation, ``iterations`` the most steps
    of L-BFGS; the defaults held on MasakhaNER 2.0 from 100 to 5,000 sentences. ``lexicon``: what
    is known of words beside the labels; ``texts``: the texts without labels that it is made from.
    With ``second_look``, while labels are few, what first taggers take words for in these texts is
    known of them as well (:mod:`backend.tagger.crf_guesses`).
    """

    kind = KIND

    def __init__(
        self,
        l1: float = 0.05,
        l2: float = 0.05,
        iterations: int = 60,
        lexicon: Lexicon = NO_LEXICON,
        *,
        second_look: bool = True,
    ) -> None:
        self.parameters: Mapping[str, float] = {"c1": l1, "c2": l2, "max_iterations": iterations}
        self.lexicon = lexicon
        self.texts: tuple[str, ...] = ()
        self.second_look = second_look

    def with_texts(self, texts: Iterable[str]) -> CrfFamily:
        """The same, its lexicon made from these texts (see :class:`backend.protocols.Reading`)."""
        reading = copy(self)
        reading.texts = tuple(sorted(texts))
        sentences = [words_of(text, tokenise(text)) for text in reading.texts]
        reading.lexicon = lexicon_of(sentences, np.random.default_rng(_LEXICON_SEED))
        return reading

    def train(
        self,
        examples: Sequence[Example],
        scheme: LabelScheme,
        rng: np.random.Generator,
        progress: Progress = silent,
        start: Tagger | None = None,
    ) -> CrfTagger:
        """Fit a CRF. L-BFGS has no randomness, so ``rng`` is left alone.

        ``progress`` counts the iterations of each of the trainings that it takes; what it raises
        stops them.
        """
        texts = list(unlabelled(self.texts, examples)) if self.second_look else []
        rests = folds(examples, scheme) if texts else []
        plain = [Reader(self.lexicon)] * (FOLDS + 1)
        if not rests:
            return _fitted(examples, scheme, self.parameters, plain, progress)
        quick = {**self.parameters, "max_iterations": ceil(self.parameters["max_iterations"] / 2)}
        sentences = [words_of(text, tokenise(text)) for text in texts]
        informed = []
        for part in (*rests, examples):
            taggings = _fitted(part, scheme, quick, plain, progress).tag(texts)
            found = guesses(sentences, [tagging.probabilities for tagging in taggings])
            informed.append(Reader(replace(self.lexicon, guesses=found)))
        return _fitted(examples, scheme, self.parameters, informed, progress)

    def revise(
        self,
        right: Sequence[Example],
        given: Sequence[Example],
        asked: Sequence[Example],
        scheme: LabelScheme,
        progress: Progress = silent,
    ) -> list[FloatArray]:
        """As :class:`backend.protocols.Revising` has it: a CRF that sees the answers too."""
        answers = Answers([*given, *asked], scheme)
        said = {example.text: answers.features(example) for example in given}
        trainer = _Trainer(self.parameters, progress)
        reader = Reader(self.lexicon)
        for example in tagged_texts(right, scheme):
            _append(trainer, example, reader, said[example.text])
        reviser = CrfTagger(trainer.finished(), scheme.labels, self.lexicon)
        texts = [example.text for example in asked]
        return [
            tagging.probabilities
            for tagging in reviser.tag_beside(texts, map(answers.features, asked))
        ]

    def load(self, folder: Path) -> CrfTagger:
        """The tagger in ``folder``, which :meth:`CrfTagger.save` wrote."""
        try:
            about = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            model = (folder / MODEL_FILE).read_bytes()
            if about["format"] not in {1, 2, FORMAT}:
                raise ModelStoreError(
                    f"The CRF in {folder} has format {about['format']}, this version of harambee "
                    f"reads formats up to {FORMAT}. Train again, or install the one that wrote it."
                )
            lexicon = NO_LEXICON
            if about["format"] > 1:
                content = (folder / LEXICON_FILE).read_text(encoding="utf-8")
                lexicon = Lexicon.from_json(content)
            return CrfTagger(model, tuple(map(str, about["labels"])), lexicon)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelStoreError(
                f"There is no usable CRF in {folder} ({error!r}): it is incomplete or damaged. "
                f"Train again, or restore the folder from a backup."
            ) from error


class CrfTagger:
    """A trained CRF. ``model`` is crfsuite's file content, ``labels`` those of the scheme.

    ``lexicon`` is the one that it was trained with. Raises ``ValueError`` for bytes that are not
    such a file.
    """

    kind = KIND

    def __init__(self, model: bytes, labels: Sequence[str], lexicon: Lexicon = NO_LEXICON) -> None:
        self.model = model
        self.lexicon = lexicon
        self._labels = tuple(labels)
        self._tags = tag_names(labels)
        self._weights = read_weights(model, self._tags)
        known = self._weights.tags
        self._columns = [self._tags.index(tag) for tag in known]
        self._lattice = Lattice(np.zeros(len(known)), self._weights.transitions)

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """One tagging per text, in order; probabilities are the CRF's marginals."""
        return self.tag_beside(texts, repeat(()), progress)

    def tag_beside(
        self,
        texts: Sequence[str],
        beside: Iterable[Sequence[Features]],
        progress: Progress = silent,
    ) -> list[Tagging]:
        """As :meth:`tag`, with further features of each text's tokens; none, or one list each."""
        emissions = Emissions(self._weights, self.lexicon)
        taggings: list[Tagging] = []
        for batch in _batches(zip(texts, beside, strict=False)):
            taggings += self._tag(batch, emissions)
            progress(len(taggings), len(texts), "texts")
        return taggings

    def save(self, folder: Path) -> None:
        """Write the description and the lexicon (JSON), and crfsuite's own model file."""
        about = {"format": FORMAT, "labels": self._labels}
        content = json.dumps(about, ensure_ascii=False, indent=2)
        (folder / DESCRIPTION_FILE).write_text(content, encoding="utf-8")
        (folder / LEXICON_FILE).write_text(self.lexicon.to_json(), encoding="utf-8")
        (folder / MODEL_FILE).write_bytes(self.model)

    def _tag(self, batch: Sequence[_Text], emissions: Emissions) -> Iterator[Tagging]:
        pieces = [text.words[part.start : part.stop] for text in batch for part in text.parts]
        scores = emissions.scores(pieces)
        beside = [text.beside[part.start : part.stop] for text in batch for part in text.parts]
        if any(beside):
            scores += emissions.of_features(list(chain.from_iterable(beside)))
        decoded = self._lattice.decode(scores, list(map(len, pieces)))
        kept = _kept([part for text in batch for part in text.parts])
        best = decoded.best[kept]
        marginals = decoded.marginals[kept]
        tags = [self._weights.tags[number] for number in best.tolist()]
        sure = np.take_along_axis(marginals, best[:, None], axis=1)[:, 0].tolist()
        of_parts = iter(decoded.probabilities.tolist())
        stop = 0
        for text in batch:
            start, stop = stop, stop + len(text.tokens)
            probabilities = np.zeros((len(text.tokens), len(self._tags)))
            probabilities[:, self._columns] = marginals[start:stop]
            spans = from_bio(text.tokens, tags[start:stop], sure[start:stop])
            yield Tagging(tuple(spans), probabilities, prod(islice(of_parts, len(text.parts))))


@dataclass(frozen=True, slots=True)
class _Text:
    """A text as tokens and words, equally many, and the parts in which it is decoded.

    ``beside``: further features of each token, or none.
    """

    tokens: list[TokenOffsets]
    words: list[str]
    parts: list[Window]
    beside: Sequence[Features]


def _batches(texts: Iterable[tuple[str, Sequence[Features]]]) -> Iterator[list[_Text]]:
    """The texts, cut where a batch has enough words, so that memory stays bounded."""
    batch: list[_Text] = []
    size = 0
    for text, beside in texts:
        tokens = tokenise(text)
        parts = windows([1] * len(tokens), _WINDOW_TOKENS, _OVERLAP_TOKENS)
        batch.append(_Text(tokens, words_of(text, tokens), list(parts), beside))
        size += len(tokens)
        if size >= _BATCH_TOKENS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _kept(parts: Iterable[Window]) -> IntArray:
    """Which of the parts' tokens, counted from the first part on, are kept."""
    kept = [np.empty(0, dtype=np.intp)]
    begin = 0
    for part in parts:
        kept.append(np.arange(begin + part.kept.start, begin + part.kept.stop))
        begin += part.stop - part.start
    return np.concatenate(kept)


class _Trainer(pycrfsuite.Trainer):  # type: ignore[misc]  # a compiled class without types
    """L-BFGS that reports its iterations."""

    def __init__(self, parameters: Mapping[str, float], progress: Progress) -> None:
        super().__init__("lbfgs", dict(parameters), verbose=False)
        self._progress = progress
        self._iterations = int(parameters["max_iterations"])

    def message(self, message: str) -> None:
        """Called by crfsuite with each line of its log."""
        if found := _ITERATION.search(message):
            self._progress(int(found[1]), self._iterations, "iterations")

    def finished(self) -> bytes:
        """Train, and give the content of crfsuite's model file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL_FILE
            self.train(str(path))
            return path.read_bytes()


def _fitted(
    examples: Sequence[Example],
    scheme: LabelScheme,
    parameters: Mapping[str, float],
    readers: Sequence[Reader],
    progress: Progress,
) -> CrfTagger:
    """A CRF of the examples. Each is read by the reader of its fold, other texts by the last."""
    trainer = _Trainer(parameters, progress)
    for example in tagged_texts(examples, scheme):
        _append(trainer, example, readers[fold_of(example.text)])
    return CrfTagger(trainer.finished(), scheme.labels, readers[-1].lexicon)


def _append(
    trainer: _Trainer, example: TaggedText, reader: Reader, beside: Sequence[Features] = ()
) -> None:
    """``beside``: further features of each token, or none."""
    words = words_of(example.text, example.tokens)
    for part in windows([1] * len(words), _WINDOW_TOKENS, overlap=0):
        seen = reader.features(words[part.start : part.stop])
        more = beside[part.start : part.stop] or [[]] * len(seen)
        both = [own + added for own, added in zip(seen, more, strict=True)]
        features = pycrfsuite.ItemSequence(both)
        for _ in range(example.copies):
            trainer.append(features, example.tags[part.start : part.stop])
