"""How an annotator errs, learnt from recorded answers and played back on other texts.

A gold mention is found, moved, given another label, or missed; where there is no mention, one is
made up. Each has a rate for each label, shrunk towards the rate over all labels, as recordings are
small. An annotator is as systematic as it was recorded: a mention that it got wrong once it tends
to get wrong again (two mentions of one name agreed in 75 to 100% of the pairs that models of 2024
gave, when 60% would be chance), and a learner cannot average such errors out.
"""

from __future__ import annotations

import enum
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from backend.domain import Example, Span
from backend.simulation.words import free_words, places_of, words_of

T = TypeVar("T")

_MOST = 0.9
"""No word is made a mention with a higher probability."""


class Fate(enum.StrEnum):
    """What became of a gold mention."""

    RIGHT = "right"
    BOUNDARY = "boundary"
    TYPE = "type"
    BOTH = "boundary and type"
    MISSED = "missed"


MOVED = frozenset({Fate.BOUNDARY, Fate.BOTH})
RENAMED = frozenset({Fate.TYPE, Fate.BOTH})


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer to a text with gold spans; ``None``: nothing usable came. It counts ``weight``."""

    text: str
    gold: tuple[Span, ...]
    predicted: tuple[Span, ...] | None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class MadeUp:
    """Chance that a word outside of all mentions starts one.

    ``capital``: of one that is capitalised and not the text's first.
    """

    capital: float
    other: float


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """Rates of errors. All shares lie in [0, 1].

    ``fates``: label -> share of each :class:`Fate`, rows sum to 1. ``confusions``: label -> shares
    of the labels it is mistaken for. ``shifts``: words by which the start and the end of a moved
    mention are off, with their shares. ``made_up``: label -> chances for each word. ``lengths``:
    share of made-up mentions of 1, 2, ... words. ``failed``: share of texts without a usable
    answer. ``systematic``: how often a decision depends on the mention's form alone.
    ``made_up_per_mention``: made-up mentions for each gold one in the recording. ``mentions`` and
    ``texts``: what was learnt from.
    """

    fates: Mapping[str, Mapping[str, float]]
    confusions: Mapping[str, Mapping[str, float]]
    shifts: tuple[tuple[int, int, float], ...]
    made_up: Mapping[str, MadeUp]
    lengths: tuple[float, ...]
    failed: float
    systematic: float
    made_up_per_mention: float
    mentions: float
    texts: float

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it knows."""
        return tuple(self.fates)

    def scaled_to(self, examples: Iterable[Example]) -> ErrorModel:
        """The model with as many made-up mentions per gold one in ``examples`` as recorded.

        Recorded texts are seldom drawn at random: those here hold many mentions. Rates per word
        would make up far more in ordinary texts, and lower precision; this keeps precision.
        """
        expected = mentions = 0.0
        chances = list(self.made_up.values())
        capital = sum(chance.capital for chance in chances)
        other = sum(chance.other for chance in chances)
        for example in examples:
            mentions += len(example.spans)
            for place, _ in free_words(example.text, words_of(example.text), example.spans):
                expected += capital if place else other
        if not expected or not mentions:
            return self
        factor = self.made_up_per_mention * mentions / expected
        return replace(
            self,
            made_up={
                label: MadeUp(chance.capital * factor, chance.other * factor)
                for label, chance in self.made_up.items()
            },
        )

    def corrupt(
        self, text: str, gold: Sequence[Span], rng: np.random.Generator, habit: str = ""
    ) -> tuple[Span, ...]:
        """What the annotator would say of ``text``: sorted spans without overlaps.

        ``habit`` names the annotator whose systematic errors these are: with equal habits it errs
        alike on equal mentions, whatever ``rng`` draws. A label that the model does not know is
        treated as the average one.
        """
        words = words_of(text)
        draws = _Draws(rng, habit, self.systematic)
        spans: list[Span] = []
        gold = sorted(gold)
        for position, span in enumerate(gold):
            following = gold[position + 1 :]
            kept = self._kept(text, words, span, draws)
            if kept is not None and not any(kept.overlaps(other) for other in spans):
                clash = kept != span and any(kept.overlaps(other) for other in following)
                spans.append(Span(span.start, span.end, kept.label) if clash else kept)
        spans += self._invented(text, words, (*gold, *spans), draws)
        return tuple(sorted(spans))

    def _kept(self, text: str, words: Sequence[Span], span: Span, draws: _Draws) -> Span | None:
        form = f"{span.label}\t{text[span.start : span.end].lower()}"
        fates = self.fates.get(span.label) or self.fates[self.labels[0]]
        fate = draws.choice("fate", form, fates)
        if fate == Fate.MISSED:
            return None
        label = span.label
        others = self.confusions.get(span.label, {})
        if fate in RENAMED and others:
            label = draws.choice("label", form, others)
        start, end = span.start, span.end
        moves = self._possible_moves(words, span) if fate in MOVED else {}
        if moves:
            start, end = draws.choice("shift", form, moves)
        return Span(start, end, label)

    def _possible_moves(self, words: Sequence[Span], span: Span) -> dict[tuple[int, int], float]:
        """Other bounds that still meet the mention, with the shares of the shifts to them."""
        places = places_of(words, span)
        moves: dict[tuple[int, int], float] = defaultdict(float)
        for by_start, by_end, share in self.shifts:
            first, last = places[0] + by_start, places[-1] + by_end
            if 0 <= first <= last < len(words) and first <= places[-1] and last >= places[0]:
                bounds = words[first].start, words[last].end
                if bounds != (span.start, span.end):
                    moves[bounds] += share
        return moves

    def _invented(
        self, text: str, words: Sequence[Span], taken: Sequence[Span], draws: _Draws
    ) -> list[Span]:
        found: list[Span] = []
        free = free_words(text, words, taken)
        positions = {position for _, position in free}
        for capital, position in free:
            if found and words[position].start < found[-1].end:
                continue
            form = text[words[position].start : words[position].end].lower()
            chances = {
                label: min(_MOST, chance.capital if capital else chance.other)
                for label, chance in self.made_up.items()
            }
            nothing = max(0.0, 1.0 - sum(chances.values()))
            # A common word is not taken for a name wherever it stands; a capitalised one may be.
            key = form if capital else None
            label = draws.choice("made up", key, {**chances, "": nothing})
            if not label:
                continue
            length = 1 + int(draws.choice("length", key, dict(enumerate(self.lengths))))
            last = position
            while last + 1 < position + length and last + 1 in positions:
                last += 1
            found.append(Span(words[position].start, words[last].end, label))
        return found


class _Draws:
    """Choices: by chance, or by habit (from the form alone) as often as it is systematic."""

    def __init__(self, rng: np.random.Generator, habit: str, systematic: float) -> None:
        self._rng = rng
        self._habit = habit
        self._systematic = systematic

    def choice(self, what: str, form: str | None, shares: Mapping[T, float]) -> T:
        """One of the keys; ``shares`` need not sum to 1."""
        names = list(shares)
        steps = np.cumsum(list(shares.values()))
        place = float(self._rng.random())
        if form is not None and self._rng.random() < self._systematic:
            digest = hashlib.blake2b(f"{self._habit}\t{what}\t{form}".encode(), digest_size=8)
            place = int.from_bytes(digest.digest()) / 2**64
        return names[min(int(np.searchsorted(steps, place * steps[-1], "right")), len(names) - 1)]
