"""Has a model seen these texts before? Statistics of probes, on members and on control texts.

A member is a text of the published data set, a control one of the same language that the model
cannot have seen. Whatever a model does for both alike (guessing a data set's name from the
language, going on fluently) is no sign of leakage; only what it does better for members is. So
every test compares the two, by permutation, which keeps its rate of false alarms however few texts
there are (Golchin & Surdeanu, 2024, for guided instruction; Oren et al., 2024, for exchangeability
as the ground of a test).
"""

from __future__ import annotations

import enum
import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import LCSseq
from scipy.stats import hypergeom

from backend.errors import InputError
from backend.protocols import FloatArray
from backend.quality.intervals import LEVEL, RESAMPLES, Interval, percentile_interval, wilson

PERMUTATIONS = 9999
_DRAWS_AT_ONCE = 2_000_000

NEAR_EXACT = 0.9
"""The share of a text's rest that has to come back, in order, to count as known by heart."""


class Naming(enum.StrEnum):
    """How an answer names a data set."""

    EXACT = "with its version"
    FAMILY = "without its version"
    NONE = "not"


@dataclass(frozen=True, slots=True)
class Names:
    """How a data set is called: exactly, and by its family's name, which leaves the version open.

    Compared by letters and digits alone, so that "Masakhane NER" is "masakhaner" misspelt neither
    in case nor by a space; a family has as many names as people give it.
    """

    exact: tuple[str, ...]
    family: tuple[str, ...] = ()

    def in_answer(self, answer: str) -> Naming:
        """What an answer says; a refusal names nothing."""
        squashed = _squashed(answer)
        if any(_squashed(name) in squashed for name in self.exact):
            return Naming.EXACT
        if any(_squashed(name) in squashed for name in self.family):
            return Naming.FAMILY
        return Naming.NONE


def _squashed(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def continuation_score(reference: str, answer: str) -> float:
    """The share of the reference's words that the answer gives in their order, in [0, 1].

    Recall of the longest common subsequence (ROUGE-L; Lin, 2004), without regard to case, normal
    form and punctuation; 0 for a reference without words.
    """
    wanted, given = _words(reference), _words(answer)
    return LCSseq.similarity(wanted, given) / len(wanted) if wanted else 0.0


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFC", text).casefold()
    kept = ("".join(char for char in word if not _is_sign(char)) for word in plain.split())
    return [word for word in kept if word]


def _is_sign(char: str) -> bool:
    return unicodedata.category(char).startswith(("P", "S"))


@dataclass(frozen=True, slots=True)
class Gap:
    """How much more often, or better, a model does something for members than for controls.

    ``p_value`` in (0, 1] is one-sided: how likely a gap at least as large is without leakage.
    """

    members: Interval
    controls: Interval
    difference: Interval
    p_value: float

    def is_found(self, at: float = 1 - LEVEL) -> bool:
        """Whether chance is a bad explanation."""
        return self.p_value < at


def share_gap(
    members: int, of_members: int, controls: int, of_controls: int, level: float = LEVEL
) -> Gap:
    """The gap between two shares.

    Its p-value is Fisher's exact one (1935), its interval Newcombe's hybrid of Wilson's (1998).
    Raises :class:`~backend.errors.InputError` where either side has no text.
    """
    if not of_members or not of_controls:
        raise _nothing_to_compare()
    one, other = wilson(members, of_members, level), wilson(controls, of_controls, level)
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    texts, hits = of_members + of_controls, members + controls
    p_value = float(hypergeom.sf(members - 1, texts, hits, of_members))
    return Gap(one, other, Interval(value, low, high, level), min(1.0, p_value))


def score_gap(
    members: Sequence[float],
    controls: Sequence[float],
    rng: np.random.Generator,
    *,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
) -> Gap:
    """The gap between two means of scores in [0, 1].

    Permutes which texts are members (Fisher, 1935; Phipson & Smyth, 2010, for the p-value of
    random permutations); intervals by bootstrap over texts.
    """
    if not len(members) or not len(controls):
        raise _nothing_to_compare()
    ours, theirs = np.asarray(members, float), np.asarray(controls, float)
    pooled = np.concatenate([ours, theirs])
    seen = ours.mean() - theirs.mean()
    as_large = sum(
        int((_permuted_gaps(pooled, len(ours), some, rng) >= seen - 1e-12).sum())
        for some in _portions(permutations, max(1, _DRAWS_AT_ONCE // len(pooled)))
    )
    one, other = _resampled(ours, rng), _resampled(theirs, rng)
    return Gap(
        percentile_interval(float(ours.mean()), one, level),
        percentile_interval(float(theirs.mean()), other, level),
        percentile_interval(float(seen), one - other, level),
        (1 + as_large) / (1 + permutations),
    )


def gain(
    guided: Sequence[float],
    unguided: Sequence[float],
    rng: np.random.Generator,
    *,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
) -> Gap:
    """How much better the same texts are continued when the data set is named.

    ``members`` of the result are the guided scores, ``controls`` the unguided ones. Swaps the two
    of a text at random.
    """
    if not len(guided):
        raise _nothing_to_compare()
    one, other = np.asarray(guided, float), np.asarray(unguided, float)
    differences = one - other
    signs = rng.choice([-1.0, 1.0], size=(permutations, len(differences)))
    as_large = int((signs @ differences / len(differences) >= differences.mean() - 1e-12).sum())
    draws = rng.integers(len(one), size=(RESAMPLES, len(one)))
    return Gap(
        percentile_interval(float(one.mean()), one[draws].mean(axis=1), level),
        percentile_interval(float(other.mean()), other[draws].mean(axis=1), level),
        percentile_interval(float(differences.mean()), differences[draws].mean(axis=1), level),
        (1 + as_large) / (1 + permutations),
    )


def _permuted_gaps(
    pooled: FloatArray, members: int, permutations: int, rng: np.random.Generator
) -> FloatArray:
    """Differences of means (permutations,) with other texts as members each time."""
    drawn = rng.permuted(np.broadcast_to(pooled, (permutations, len(pooled))), axis=1)
    gaps: FloatArray = drawn[:, :members].mean(axis=1) - drawn[:, members:].mean(axis=1)
    return gaps


def _portions(whole: int, at_once: int) -> Iterator[int]:
    for done in range(0, whole, at_once):
        yield min(at_once, whole - done)


def _resampled(scores: FloatArray, rng: np.random.Generator) -> FloatArray:
    draws = rng.integers(len(scores), size=(RESAMPLES, len(scores)))
    means: FloatArray = scores[draws].mean(axis=1)
    return means


def _nothing_to_compare() -> InputError:
    return InputError(
        "A leakage test compares texts of the data set with texts of the same language that the "
        "model cannot have seen, and one of the two has none. Give both."
    )
