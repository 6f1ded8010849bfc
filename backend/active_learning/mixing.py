"""One tagger from human and LLM labels: what of the LLM enters is decided on human labels.

An LLM's labels can help a tagger or hurt it, and nobody knows before. So each way of using them is
tried in cross-validation on the human labels (Stone, 1974): left out, corrected (see
:mod:`backend.active_learning.correction`), or as they are; a human label weighs three of them. The
way with the best strict span F1 trains the tagger; at equal F1 the one that uses the LLM less.
Labels as they are have to be better than corrected ones by more than a standard error (Breiman et
al., 1984): a mistake there costs more than it can bring.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from backend.active_learning.correction import confusion, corrected
from backend.active_learning.label_loss import HUMAN_WEIGHT
from backend.active_learning.trainer import Trainer, folds_of
from backend.domain import Example, LabelScheme, SpanScores
from backend.protocols import Tagger
from backend.quality.intervals import f1_of, resampled_sums
from backend.quality.span_f1 import SpanPair, span_scores

FOLDS = 3
RESAMPLES = 500


class Mix(enum.StrEnum):
    """A way of using LLM labels beside human ones, from the least to the most trusting."""

    NONE = "none"
    CORRECTED = "corrected"
    AS_GIVEN = "as-given"


@dataclass(frozen=True, slots=True)
class Mixture:
    """A tagger, and what it was made of.

    ``llm_texts``: LLM-labelled texts that it learnt from, ``changed`` of them corrected;
    ``human_weight``: what a human label weighed, where an LLM label weighed 1. ``scores``: strict
    span counts of each way in cross-validation, empty where nothing was compared.
    """

    tagger: Tagger
    mix: Mix
    llm_texts: int
    changed: int
    human_weight: int
    reason: str
    scores: Mapping[Mix, SpanScores] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def summary(self) -> str:
        """What of the LLM entered, and why, for a person."""
        used = f"{self.llm_texts} LLM labels {self.mix.value}"
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
    which trains ``3 * folds`` taggers more. Weights of the examples count in every way.

    Raises :class:`~backend.errors.InputError` where the labels hold no span to learn from.
    """
    labels = _sorted_out(human, llm)
    if not labels.unchecked:
        return _learnt(labels, Mix.NONE, trainer, "there are none beside the human ones")
    if mix is not None:
        return _learnt(labels, mix, trainer, "as the settings say")
    judges = {example.text for example in human if example.spans}
    if len(judges) < folds:
        reason = f"{len(judges)} human labels with a span are too few to judge the LLM's by"
        return _learnt(labels, Mix.AS_GIVEN, trainer, reason)
    pairs = cross_validate(labels, trainer, folds)
    scores = {way: span_scores(found) for way, found in pairs.items()}
    best = preferred(pairs, trainer.rng)
    found = ", ".join(f"{way.value} {100 * scores[way].f1:.1f}" for way in Mix)
    mixture = _learnt(labels, best, trainer, f"cross-validated F1: {found}")
    return replace(mixture, scores=MappingProxyType(scores))


def preferred(pairs: Mapping[Mix, Sequence[SpanPair]], rng: np.random.Generator) -> Mix:
    """The way to take, by the human and found spans of the same texts in each way."""
    f1 = {way: span_scores(found).f1 for way, found in pairs.items()}
    modest = Mix.CORRECTED if f1[Mix.CORRECTED] > f1[Mix.NONE] else Mix.NONE
    gain = f1[Mix.AS_GIVEN] - f1[modest]
    if gain > 0 and gain > _standard_error(pairs[Mix.AS_GIVEN], pairs[modest], rng):
        return Mix.AS_GIVEN
    return modest


def _standard_error(
    one: Sequence[SpanPair], other: Sequence[SpanPair], rng: np.random.Generator
) -> float:
    """Of the difference between two F1 on the same texts, by bootstrap over these."""
    counts = np.array([[*_counts(a), *_counts(b)] for a, b in zip(one, other, strict=True)])
    sums = resampled_sums(counts, rng, RESAMPLES)
    return float(np.std(f1_of(sums[:, :3]) - f1_of(sums[:, 3:])))


def _counts(pair: SpanPair) -> tuple[int, int, int]:
    scores = span_scores([pair])
    return scores.true_positives, scores.false_positives, scores.false_negatives


def cross_validate(labels: Labels, trainer: Trainer, folds: int) -> dict[Mix, list[SpanPair]]:
    """Human and found spans of human-labelled texts, in each way that has not seen them.

    Copies of a text share a fold, and no label of a held-out text takes part in anything.
    """
    fold = folds_of([example.text for example in labels.human], folds, trainer.rng)
    pairs: dict[Mix, list[SpanPair]] = {way: [] for way in Mix}
    for number in range(folds):
        inside = [item for item, of in zip(labels.human, fold, strict=True) if of == number]
        seen = replace(
            labels,
            human=[item for item, of in zip(labels.human, fold, strict=True) if of != number],
        )
        base = trainer.train_apart(seen.human)
        for way in Mix:
            examples = training_set(seen, way, base, trainer.scheme)
            tagger = base if way is Mix.NONE else trainer.train_apart(examples)
            pairs[way] += _found(tagger, inside)
    return pairs


def training_set(
    labels: Labels, way: Mix, base: Tagger | None, scheme: LabelScheme
) -> list[Example]:
    """What a tagger learns from in each way.

    ``base`` learnt from the human labels alone, ``None`` where these hold no span; nothing can be
    corrected then.
    """
    if way is Mix.NONE:
        return list(labels.human)
    weighty = [replace(example, weight=HUMAN_WEIGHT * example.weight) for example in labels.human]
    if way is Mix.AS_GIVEN or base is None:
        return [*weighty, *labels.unchecked]
    checked = [example for example in labels.human if example.text in labels.answers]
    answers = [labels.answers[example.text] for example in checked]
    taggings = base.tag([example.text for example in labels.unchecked])
    table = confusion(checked, answers, taggings, labels.unchecked, scheme)
    better = corrected(taggings, labels.unchecked, table, scheme)
    return [*weighty, *(item.example for item in better)]


def _learnt(labels: Labels, way: Mix, trainer: Trainer, reason: str) -> Mixture:
    base = trainer.train_apart(labels.human) if way is Mix.CORRECTED else None
    examples = training_set(labels, way, base, trainer.scheme)
    from_llm = examples[len(labels.human) :]
    pairs = zip(from_llm, labels.unchecked, strict=False)
    return Mixture(
        tagger=trainer.train(examples),
        mix=way,
        llm_texts=len(from_llm),
        changed=sum(used.spans != given.spans for used, given in pairs),
        human_weight=HUMAN_WEIGHT if from_llm else 1,
        reason=reason,
    )


def _sorted_out(human: Sequence[Example], llm: Sequence[Example]) -> Labels:
    labelled = {example.text for example in human}
    return Labels(
        human=human,
        answers={example.text: example for example in llm if example.text in labelled},
        unchecked=[example for example in llm if example.text not in labelled],
    )


def _found(tagger: Tagger | None, examples: Sequence[Example]) -> list[SpanPair]:
    """Human and found spans of each text; no tagger finds none."""
    if tagger is None:
        return [(example.spans, ()) for example in examples]
    taggings = tagger.tag([example.text for example in examples])
    return [
        (example.spans, tagging.spans) for example, tagging in zip(examples, taggings, strict=True)
    ]
