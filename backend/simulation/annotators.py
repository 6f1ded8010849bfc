"""Stand-ins for an LLM that know the gold labels: perfect, recorded, or wrong as one was recorded.

Each is described by a source, which a process can be handed, and made anew for each corpus and
seed. Only a source of live answers lies elsewhere: it needs a store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backend.domain import Answer, LabelScheme, Outcome, Source, SourceKind, Span, Suggestion, Task
from backend.errors import InputError
from backend.llm.recordings import Recording, read_recordings
from backend.llm.recovery import scheme_of
from backend.protocols import Annotator
from backend.simulation.corpus import Corpus
from backend.simulation.error_model import ErrorModel
from backend.simulation.plan import digest_of
from backend.simulation.recorded import as_json, fitted, load_error_model, observations

Spans = tuple[Span, ...]


class AnnotatorSource(Protocol):
    """Makes the annotator that labels instead of humans. Can be pickled."""

    def described(self, language: str) -> dict[str, Any]:
        """What its answers in a language depend on, as JSON."""

    def annotator(self, corpus: Corpus, seed: int) -> Annotator:
        """The annotator for a corpus; other seeds err elsewhere, if it errs at all."""


class KnownSpans:
    """:class:`backend.protocols.Annotator` over spans by text; other texts have no answer."""

    prompt_version = "simulated"

    def __init__(self, model: str, spans: Mapping[str, Spans | None]) -> None:
        self.model = model
        self._spans = spans

    def annotate(self, tasks: Sequence[Task], scheme: LabelScheme) -> Iterator[Answer]:
        """See :meth:`backend.protocols.Annotator.annotate`."""
        for task in tasks:
            if task.text not in self._spans:
                yield Answer(task.id, Outcome.INVALID, detail="not recorded")
            else:
                yield self._answer(task, scheme)

    def _answer(self, task: Task, scheme: LabelScheme) -> Answer:
        spans = self._spans[task.text]
        if spans is None:
            return Answer(task.id, Outcome.INVALID, detail="the answer could not be used")
        known = tuple(span for span in spans if span.label in scheme)
        source = Source(SourceKind.LLM, self.model, self.prompt_version)
        return Answer(task.id, Outcome.ANNOTATED, Suggestion(task.id, known, 1.0, source))


@dataclass(frozen=True, slots=True)
class GoldSource:
    """An annotator that is always right: what is the most that could be had?"""

    def described(self, language: str) -> dict[str, Any]:
        """See :meth:`AnnotatorSource.described`."""
        return {"kind": "gold"}

    def annotator(self, corpus: Corpus, seed: int) -> Annotator:
        """See :meth:`AnnotatorSource.annotator`."""
        return KnownSpans("gold", {example.text: example.spans for example in corpus.train})


@dataclass(frozen=True, slots=True)
class RecordedSource:
    """Recorded answers, replayed for the sentences that were recorded; others have none.

    A seed takes one of the repeated answers.
    """

    folder: Path
    model: str

    def described(self, language: str) -> dict[str, Any]:
        """See :meth:`AnnotatorSource.described`."""
        answers = [repr(found) for found in self._recordings() if found.language == language]
        content = hashlib.sha256("\n".join(answers).encode("utf-8", "surrogatepass"))
        return {"kind": "recorded", "model": self.model, "answers": content.hexdigest()[:16]}

    def annotator(self, corpus: Corpus, seed: int) -> Annotator:
        """See :meth:`AnnotatorSource.annotator`."""
        answers: dict[str, list[Spans | None]] = {}
        for recording in self._recordings():
            if recording.language == corpus.language:
                for seen in observations(recording, corpus.scheme):
                    answers.setdefault(seen.text, []).append(seen.predicted)
        return KnownSpans(
            self.model, {text: found[seed % len(found)] for text, found in answers.items()}
        )

    def _recordings(self) -> list[Recording]:
        return recordings_of(self.folder, self.model)


@dataclass(frozen=True, slots=True)
class NoisySource:
    """An annotator that errs as recorded: see :mod:`backend.simulation.error_model`.

    ``models``: an error model by language, and under ``""`` the one for all other languages.
    """

    name: str
    models: Mapping[str, ErrorModel]

    @classmethod
    def of_recordings(cls, folder: Path, model: str, languages: Sequence[str]) -> NoisySource:
        """Fitted to the recordings of ``model``, for each language to its own if there are any."""
        recordings = recordings_of(folder, model)
        scheme = scheme_of(recordings)
        models = {
            language: fitted(recordings, model, language, scheme)[0] for language in languages
        }
        return cls(model, models)

    @classmethod
    def of_file(cls, path: Path) -> NoisySource:
        """The error model in a file, for all languages."""
        return cls(path.stem, {"": load_error_model(path)})

    def described(self, language: str) -> dict[str, Any]:
        """See :meth:`AnnotatorSource.described`."""
        model = self._model(language)
        return {"kind": "noisy", "model": self.name, "error_model": digest_of(as_json(model))}

    def annotator(self, corpus: Corpus, seed: int) -> Annotator:
        """See :meth:`AnnotatorSource.annotator`."""
        scaled = self._model(corpus.language).scaled_to(corpus.train)
        habit = f"{self.name}-{seed}"
        return KnownSpans(
            self.name,
            {
                example.text: _erring(scaled, example.text, example.spans, habit)
                for example in corpus.train
            },
        )

    def _model(self, language: str) -> ErrorModel:
        return self.models.get(language) or self.models[""]


def recordings_of(folder: Path, model: str) -> list[Recording]:
    """The recordings of one model; an error that names the others if there are none."""
    recordings = read_recordings(folder)
    found = [recording for recording in recordings if recording.model == model]
    if not found:
        known = ", ".join(sorted({recording.model for recording in recordings}))
        raise InputError(
            f"There are no recordings of {model!r} in {folder}. Recorded are: {known}."
        )
    return found


def _erring(model: ErrorModel, text: str, gold: Spans, habit: str) -> Spans | None:
    """The same answer to the same text, whenever and in whatever order it is asked for."""
    digest = hashlib.sha256(f"{habit}\n{text}".encode("utf-8", "surrogatepass")).digest()
    rng = np.random.default_rng(list(digest))
    if rng.random() < model.failed:
        return None
    return model.corrupt(text, gold, rng, habit)
