"""One tagger from human and LLM labels: what of the LLM enters is decided on human labels.

An LLM's labels can help a tagger or hurt it, and nobody knows before. So each way of using them is
tried in cross-validation on the human labels (Stone, 1974): left out, corrected (see
:mod:`backend.active_learning.correction`), a share of the corrected ones, the surest, or as they
are; a human label weighs three of them. The way with the best strict span F1 trains the tagger
(:mod:`backend.active_learning.ways` has the exact rule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from backend.active_learning.correction import Corrected, confusion, corrected
from backend.active_learning.label_loss import HUMAN_WEIGHT
from backend.active_learning.trainer import Trainer, folds_of
from backend.active_learning.ways import AS_GIVEN, CORRECTED, NONE, Mix, Way, preferred
from backend.domain import Example, SpanScores
from backend.protocols import Tagger
from backend.quality.span_f1 import SpanPair, span_scores

BoolArray = npt.NDArray[np.bool_]

FOLDS = 3
SHARES = (1.0, 0.75, 0.5, 0.25)
"""Of the corrected labels, tried in this order as long as fewer do better."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A tagger, and what it was made of.

    ``llm_texts``: LLM-labelled texts that it learnt from, ``changed`` of them corrected;
    ``human_weight``: what a human label weighed, where an LLM label weighed 1. ``scores``: strict
    span counts of each way that was tried in cross-validation, empty where nothing was compared.
    """

    tagger: Tagger
    way: Way
    llm_texts: int
    changed: int
    human_weight: int
    reason: str
    scores: Mapping[Way, SpanScores] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def mix(self) -> Mix:
        """How the LLM's labels were used, whatever share of them."""
        return self.way.mix

    @property
    def summary(self) -> str:
        """What of the LLM entered, and why, for a person."""
        surest = "" if self.way.share == 1 else f", the surest {self.way.share:.0%},"
        used = f"{self.llm_texts} LLM labels{surest} {self.mix.value}"
        if self.mix is Mix.NONE:
            used = "no LLM labels"
        elif self.mix is Mix.CORRECTED:
            used += f" ({self.changed} of them changed)"
        return f"{used}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Labels:
    """All labels there are, by what they are good for.

    ``answers``: the LLM's labels of texts that humans labelled too, by text; ``unchecked``: its
    labels of all others.
    """

    human: Sequence[Example]
    answers: Mapping[str, Example]
    unchecked: Sequence[Example]

    @classmethod
    def sorted_out(cls, human: Sequence[Example], llm: Sequence[Example]) -> Labels:
        """Of human labels, and of an LLM's that may be of the same texts; in their order."""
        labelled = {example.text for example in human}
        return cls(
            human=human,
            answers={example.text: example for example in llm if example.text in labelled},
            unchecked=[example for example in llm if example.text not in labelled],
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known without a part of the human labels, and ``inside``, that part."""

    labels: Labels
    inside: Sequence[Example]
    base: Tagger | None
    better: Sequence[Corrected]


def learn_from_both(
    human: Sequence[Example],
    llm: Sequence[Example],
    trainer: Trainer,
    mix: Mix | None = None,
    folds: int = FOLDS,
) -> Mixture:
    """Train on human labels and on as much of the LLM's as helps.

    ``llm`` may hold texts that humans labelled as well: they are never learnt from, and tell how
    the LLM errs. ``mix`` forces a way; ``None`` chooses by cross-validation in ``folds`` folds,
    which trains up to ``4 * folds + 1`` taggers more; where a share of the LLM's labels does better
    than all, up to ``6 * folds + 1``. Uncorrected labels are not tried where human labels show the
    LLM to be worse than a tagger that learnt from these alone. Weights of the examples count in
    every way.

    Raises :class:`~backend.errors.InputError` where the labels hold no span to learn from.
    """
    labels = Labels.sorted_out(human, llm)
    if not labels.unchecked:
        return _learnt(labels, NONE, trainer, "there are none beside the human ones")
    if mix is not None:
        return _learnt(labels, Way(mix), trainer, "as the settings say")
    judges = {example.text for example in human if example.spans}
    if len(judges) < folds:
        reason = f"{len(judges)} human labels with a span are too few to judge the LLM's by"
        return _learnt(labels, AS_GIVEN, trainer, reason)
    pairs = cross_validate(labels, trainer, folds)
    scores = {way: span_scores(found) for way, found in pairs.items()}
    best = preferred(pairs, trainer.rng)
    found = ", ".join(f"{way} {100 * counts.f1:.1f}" for way, counts in scores.items())
    mixture = _learnt(labels, best, trainer, f"cross-validated F1: {found}")
    return replace(mixture, scores=MappingProxyType(scores))


def cross_validate(labels: Labels, trainer: Trainer, folds: int) -> dict[Way, list[SpanPair]]:
    """Human and found spans of human-labelled texts, in each way that has not seen them.

    Copies of a text share a fold, and no label of a held-out text takes part in anything.
    """
    fold = folds_of([example.text for example in labels.human], folds, trainer.rng)
    parts = [_part(labels, fold != number, trainer) for number in range(folds)]

    def found(way: Way) -> list[SpanPair]:
        pairs = []
        for part in parts:
            examples = training_set(part.labels, way, part.better)
            tagger = part.base if way == NONE else trainer.train_apart(examples)
            pairs += _found(tagger, part.inside)
        return pairs

    tried = {way: found(way) for way in (NONE, CORRECTED)}
    if _may_stand(labels, span_scores(tried[NONE]).f1):
        tried[AS_GIVEN] = found(AS_GIVEN)
    best = span_scores(tried[CORRECTED]).f1
    for share in SHARES[1:]:
        way = Way(Mix.CORRECTED, share)
        tried[way] = found(way)
        before, best = best, span_scores(tried[way]).f1
        if best <= before:
            break
    return tried


def _may_stand(labels: Labels, f1: float) -> bool:
    """Whether the LLM's labels as they are may do: where it is better than a tagger of ``f1``.

    So it has to be tried where nobody knows, because no text has both its label and a human's.
    """
    known = [example for example in labels.human if example.text in labels.answers]
    answered = [(example.spans, labels.answers[example.text].spans) for example in known]
    return not answered or span_scores(answered).f1 > f1


def _part(labels: Labels, seen: BoolArray, trainer: Trainer) -> _Part:
    """``seen``: (n_human,), which human labels are known."""
    known = [labels.human[place] for place in np.flatnonzero(seen).tolist()]
    inside = [labels.human[place] for place in np.flatnonzero(~seen).tolist()]
    rest = replace(labels, human=known)
    base = trainer.train_apart(known)
    return _Part(rest, inside, base, correct(rest, base, trainer))


def correct(labels: Labels, base: Tagger | None, trainer: Trainer) -> list[Corrected]:
    """The unchecked labels, corrected by what the human ones teach, in the same order.

    ``base`` learnt from the human labels alone, ``None`` where these hold no span; nothing is
    changed then.
    """
    if base is None:
        return [Corrected(example, 0.0) for example in labels.unchecked]
    checked = [example for example in labels.human if example.text in labels.answers]
    answers = [labels.answers[example.text] for example in checked]
    taggings = base.tag([example.text for example in labels.unchecked])
    table = confusion(checked, answers, taggings, labels.unchecked, trainer.scheme)
    revised = trainer.revise(checked, answers, labels.unchecked)
    return corrected(taggings, labels.unchecked, table, trainer.scheme, revised)


def training_set(labels: Labels, way: Way, better: Sequence[Corrected]) -> list[Example]:
    """What a tagger learns from in each way: human labels, then the LLM's, in their order.

    ``better``: the unchecked labels after correction, needed for corrected ones only.
    """
    if way.mix is Mix.NONE:
        return list(labels.human)
    weighty = [replace(example, weight=HUMAN_WEIGHT * example.weight) for example in labels.human]
    if way.mix is Mix.AS_GIVEN:
        return [*weighty, *labels.unchecked]
    return [*weighty, *(better[place].example for place in _surest(better, way.share))]


def _surest(better: Sequence[Corrected], share: float) -> list[int]:
    """Places of the surest labels, at least one, in the order of the labels."""
    order = np.argsort([item.loss for item in better], kind="stable")
    return sorted(order[: max(1, round(share * len(order)))].tolist())


def _learnt(labels: Labels, way: Way, trainer: Trainer, reason: str) -> Mixture:
    better: list[Corrected] = []
    if way.mix is Mix.CORRECTED:
        better = correct(labels, trainer.train_apart(labels.human), trainer)
    examples = training_set(labels, way, better)
    used = _surest(better, way.share) if better else []
    return Mixture(
        tagger=trainer.train(examples),
        way=way,
        llm_texts=len(examples) - len(labels.human),
        changed=sum(better[place].example.spans != labels.unchecked[place].spans for place in used),
        human_weight=1 if way.mix is Mix.NONE else HUMAN_WEIGHT,
        reason=reason,
    )


def _found(tagger: Tagger | None, examples: Sequence[Example]) -> list[SpanPair]:
    """Human and found spans of each text; no tagger finds none."""
    if tagger is None:
        return [(example.spans, ()) for example in examples]
    taggings = tagger.tag([example.text for example in examples])
    return [
        (example.spans, tagging.spans) for example, tagging in zip(examples, taggings, strict=True)
    ]
