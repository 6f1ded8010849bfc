"""Labels of related languages beside a project's own, as far as these say that they help.

With few labels of its own a tagger learns much from a related language: names, affixes, where names
stand. With many, or from a language that is not related, it loses. Nobody knows before, so
each training asks: taggers with and without the others' labels are compared on the project's own
labels in cross-validation (Stone, 1974), on the same texts, and the others' enter the training
only where that is better, and not by luck.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import structlog

from backend.active_learning.trainer import Trainer, folds_of
from backend.domain import Example, LabelScheme
from backend.protocols import (
    Explained,
    FloatArray,
    Progress,
    Revising,
    SamplingTagger,
    Tagger,
    TaggerFamily,
    Tagging,
    reading,
    silent,
)
from backend.quality.evaluation import counts_by_text
from backend.quality.intervals import f1_of, resampled_sums
from backend.text.conll import read_conll, to_text

log = structlog.get_logger(__name__)

FOLDS = 3
OWN_WEIGHT = 3
"""What a label of one's own counts, where one of another language counts 1."""

ENOUGH = 0.8
"""In how many of the resampled sets of texts the others' labels must help to be accepted."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether labels of other languages entered a training, and why.

    ``texts``: how many of theirs were at hand. ``without`` and ``with_them``: strict span F1 in
    cross-validation, ``None`` where nothing was compared; ``chance``: the share of resampled sets
    of own texts on which they helped.
    """

    sources: tuple[str, ...]
    texts: int
    accepted: bool
    reason: str
    without: float | None = None
    with_them: float | None = None
    chance: float | None = None

    def as_json(self) -> dict[str, object]:
        """The form in which it is kept with the model."""
        return {
            "sources": list(self.sources),
            "texts": self.texts,
            "accepted": self.accepted,
            "cross_validated_f1": {"without": self.without, "with": self.with_them},
            "chance": self.chance,
            "reason": self.reason,
        }


class TaggerWithHistory:
    """A tagger that tells what its family decided (see :class:`~backend.protocols.Explained`)."""

    def __init__(self, tagger: Tagger, decision: Decision) -> None:
        self.kind = tagger.kind
        self.tagger = tagger
        self.decision = decision

    @property
    def history(self) -> Mapping[str, object]:
        """What was decided, and what the tagger tells itself, for the model's manifest."""
        told = self.tagger.history if isinstance(self.tagger, Explained) else {}
        return {**told, "auxiliary": self.decision.as_json()}

    @property
    def remark(self) -> str:
        """The same in a line, for the round's report."""
        told = [self.tagger.remark] if isinstance(self.tagger, Explained) else []
        return "; ".join([*told, self.decision.reason])

    def tag(self, texts: Sequence[str], progress: Progress = silent) -> list[Tagging]:
        """As the tagger itself."""
        return self.tagger.tag(texts, progress)

    def save(self, folder: Path) -> None:
        """As the tagger itself."""
        self.tagger.save(folder)


class SamplingTaggerWithHistory(TaggerWithHistory):
    """The same of a tagger with dropout (see :class:`~backend.protocols.SamplingTagger`)."""

    def __init__(self, tagger: Tagger, decision: Decision, doubtful: SamplingTagger) -> None:
        super().__init__(tagger, decision)
        self._doubtful = doubtful

    def sample(
        self, texts: Sequence[str], passes: int, rng: np.random.Generator
    ) -> list[list[Tagging]]:
        """As the tagger itself."""
        return self._doubtful.sample(texts, passes, rng)


class AuxiliaryFamily:
    """Trains taggers of ``family`` with the labels of other languages where these help.

    ``sources``: labelled texts by the name of where they come from; at most ``most_texts`` of each,
    drawn anew in each training, take part. It trains ``2 * FOLDS + 1`` taggers where ``family``
    trains one.
    """

    def __init__(
        self,
        family: TaggerFamily,
        sources: Mapping[str, Sequence[Example]],
        most_texts: int = 1000,
    ) -> None:
        self.kind = family.kind
        self._family = family
        self._sources = sources
        self._most = most_texts

    def with_texts(self, texts: Sequence[str]) -> AuxiliaryFamily:
        """The same, of the family that has read these texts, where it can."""
        return AuxiliaryFamily(reading(self._family, texts), self._sources, self._most)

    def train(
        self,
        examples: Sequence[Example],
        scheme: LabelScheme,
        rng: np.random.Generator,
        progress: Progress = silent,
        start: Tagger | None = None,
    ) -> TaggerWithHistory:
        """A tagger of the examples and, where they help, of the others' labels.

        ``start`` is passed on for the last training only: it may know the texts that are held out
        in cross-validation.
        """
        before = start.tagger if isinstance(start, TaggerWithHistory) else start
        trainer = Trainer(self._family, scheme, rng, progress, before)
        others = self._others(examples, scheme, rng)
        decision = self._decide(examples, others, trainer)
        log.info("labels of other languages", **decision.as_json())
        tagger = trainer.train(_together(examples, others) if decision.accepted else examples)
        if isinstance(tagger, SamplingTagger):
            return SamplingTaggerWithHistory(tagger, decision, tagger)
        return TaggerWithHistory(tagger, decision)

    def revise(
        self,
        right: Sequence[Example],
        given: Sequence[Example],
        asked: Sequence[Example],
        scheme: LabelScheme,
        progress: Progress = silent,
    ) -> list[FloatArray] | None:
        """As ``family`` does, if it does: others' texts have no labels of the same labeller."""
        if not isinstance(self._family, Revising):
            return None
        return self._family.revise(right, given, asked, scheme, progress)

    def load(self, folder: Path) -> Tagger:
        """As ``family`` does: what a tagger learnt from is no part of it."""
        return self._family.load(folder)

    def _others(
        self, examples: Sequence[Example], scheme: LabelScheme, rng: np.random.Generator
    ) -> list[Example]:
        """Others' texts with the scheme's labels; none that is also among the examples."""
        own = {example.text for example in examples}
        chosen: list[Example] = []
        for texts in self._sources.values():
            usable = [example for example in texts if example.text not in own]
            drawn = rng.permutation(len(usable))[: self._most]
            chosen += (_within(usable[place], scheme) for place in sorted(drawn))
        return chosen

    def _decide(
        self, examples: Sequence[Example], others: Sequence[Example], trainer: Trainer
    ) -> Decision:
        names, size = tuple(self._sources), len(others)
        if not any(example.spans for example in others):
            reason = "no text of the other languages has a label of this project"
            return Decision(names, size, accepted=False, reason=reason)
        if len({example.text for example in examples if example.spans}) < FOLDS:
            reason = "too few labels of this project to judge those of other languages by"
            return Decision(names, size, accepted=False, reason=reason)
        counts = np.hstack(cross_validate(examples, others, trainer))
        without, with_them = _f1_of_both(counts.sum(axis=0))
        drawn = _f1_of_both(resampled_sums(counts, trainer.rng))
        chance = float((drawn[1] > drawn[0]).mean())
        accepted = bool(with_them > without) and chance >= ENOUGH
        reason = (
            f"labels of other languages {'used' if accepted else 'left out'}: "
            f"cross-validated F1 {without:.3f} without, {with_them:.3f} with them"
        )
        return Decision(
            names, size, accepted, reason, float(without), float(with_them), round(chance, 3)
        )


def cross_validate(
    examples: Sequence[Example], others: Sequence[Example], trainer: Trainer
) -> tuple[FloatArray, FloatArray]:
    """Right, spurious and missed spans (n_examples, 3) of each text, by taggers that held it out.

    Of taggers without the others' labels, and of those with them. Copies of a text share a fold.
    """
    fold = folds_of([example.text for example in examples], FOLDS, trainer.rng)
    counts = np.zeros((len(examples), 3)), np.zeros((len(examples), 3))
    for number, with_them in product(range(FOLDS), (False, True)):
        steps = _StandingStill(trainer.progress, 2 * number + with_them, 2 * FOLDS)
        seen = [examples[place] for place in np.flatnonzero(fold != number).tolist()]
        held_out = np.flatnonzero(fold == number).tolist()
        tagger = replace(trainer, progress=steps).train_apart(
            _together(seen, others) if with_them else seen
        )
        counts[with_them][held_out] = counts_by_text(
            tagger, [examples[place] for place in held_out]
        )
    return counts


def _f1_of_both(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """F1 without the others' labels and with them, of added counts (..., 6)."""
    return f1_of(counts[..., :3]), f1_of(counts[..., 3:])


@dataclass(frozen=True, slots=True)
class _StandingStill:
    """Tells how many trainings are finished, whatever the one under way tells of itself."""

    progress: Progress
    finished: int
    trainings: int

    def __call__(self, done: int, total: int, what: str = "") -> None:
        self.progress(self.finished, self.trainings, "trying labels of other languages")


class Files(Mapping[str, Sequence[Example]]):
    """CoNLL files as sources, read when they are needed.

    Looking one up raises :class:`~backend.errors.CorpusError` if it cannot be read.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = {str(path): path for path in paths}

    def __getitem__(self, name: str) -> Sequence[Example]:
        texts = (to_text(sentence) for sentence in read_conll(self._paths[name]))
        return [Example(f"{name}:{n}", text, spans) for n, (text, spans) in enumerate(texts)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _together(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    return [*(replace(one, weight=OWN_WEIGHT * one.weight) for one in examples), *others]


def _within(example: Example, scheme: LabelScheme) -> Example:
    return replace(example, spans=tuple(span for span in example.spans if span.label in scheme))
