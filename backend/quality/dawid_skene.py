"""What is true, and how good is each annotator, when all that is known is who said what.

Dawid & Skene (1979): each item has one true class, each annotator errs in a way of their own (a
confusion matrix), and annotators err independently. Expectation-maximisation takes turns between
the classes and the matrices. With priors on the matrices it finds the most probable answer (MAP)
instead of the most likely one, so that an annotator of three items is not taken for perfect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.errors import InputError
from backend.protocols import FloatArray

IntArray = npt.NDArray[np.int64]

ROUNDS = 200
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Votes:
    """Who said what of which item: three arrays (n_votes,) of numbers counted from 0.

    ``said`` is a class; an item may have any number of votes, one per annotator. ``weight``:
    (items,) how many such items there are.
    """

    item: IntArray
    annotator: IntArray
    said: IntArray
    weight: FloatArray
    annotators: int
    classes: int

    @property
    def items(self) -> int:
        """How many items there are, each counted once."""
        return len(self.weight)


@dataclass(frozen=True, slots=True)
class Priors:
    """Pseudo-counts; zeros give the original method.

    ``confusion`` (classes, classes): votes (columns) of every annotator where the row is true;
    ``shares`` (classes,): true classes.
    """

    confusion: FloatArray
    shares: FloatArray


@dataclass(frozen=True, slots=True)
class Truth:
    """What came out.

    ``classes``: (items, classes) probabilities, rows sum to 1. ``confusion``: (annotators, classes,
    classes), what an annotator says (last axis) where a class is true, sums to 1. ``shares``:
    (classes,) of the items. ``objective``: log posterior up to a constant after each round, which
    never falls.
    """

    classes: FloatArray
    confusion: FloatArray
    shares: FloatArray
    objective: tuple[float, ...]


def dawid_skene(votes: Votes, priors: Priors, rounds: int = ROUNDS) -> Truth:
    """Estimate true classes and annotators' confusion matrices together.

    Starts from the shares of the votes. Raises :class:`~backend.errors.InputError` without a vote.
    """
    if not len(votes.item):
        raise InputError("Nobody voted, so there is nothing to aggregate.")
    classes = vote_shares(votes)
    objective: list[float] = []
    for _ in range(rounds):
        confusion, shares = _maximise(votes, classes, priors)
        joint = _log_joint(votes, confusion, shares)
        total = np.logaddexp.reduce(joint, axis=1)
        classes = np.exp(joint - total[:, None])
        objective.append(float(total @ votes.weight + _log_prior(confusion, shares, priors)))
        if len(objective) > 1 and objective[-1] - objective[-2] < TOLERANCE * votes.weight.sum():
            break
    return Truth(classes, confusion, shares, tuple(objective))


def vote_shares(votes: Votes) -> FloatArray:
    """(items, classes): share of an item's votes for each class; even where it has none."""
    counts = np.zeros((votes.items, votes.classes))
    np.add.at(counts, (votes.item, votes.said), 1.0)
    totals = counts.sum(axis=1, keepdims=True)
    even = np.full_like(counts, 1 / votes.classes)
    shares: FloatArray = np.divide(counts, totals, out=even, where=totals > 0)
    return shares


def _maximise(votes: Votes, classes: FloatArray, priors: Priors) -> tuple[FloatArray, FloatArray]:
    counts = np.zeros((votes.annotators, votes.classes, votes.classes))
    # Where an annotator said a class, the item's probabilities are counted under it.
    weighted = votes.weight[:, None] * classes
    np.add.at(counts.transpose(0, 2, 1), (votes.annotator, votes.said), weighted[votes.item])
    counts += priors.confusion
    totals = counts.sum(axis=2, keepdims=True)
    even = np.full_like(counts, 1 / votes.classes)
    confusion = np.divide(counts, totals, out=even, where=totals > 0)
    shares = weighted.sum(axis=0) + priors.shares
    return confusion, shares / shares.sum()


def _log_joint(votes: Votes, confusion: FloatArray, shares: FloatArray) -> FloatArray:
    """(items, classes): log probability of a class and of all votes on the item."""
    with np.errstate(divide="ignore"):
        joint = np.tile(np.log(shares), (votes.items, 1))
        np.add.at(joint, votes.item, np.log(confusion[votes.annotator, :, votes.said]))
    return joint


def _log_prior(confusion: FloatArray, shares: FloatArray, priors: Priors) -> float:
    used, weighty = priors.confusion > 0, priors.shares > 0
    of_matrices = priors.confusion * np.log(confusion, where=used, out=np.zeros_like(confusion))
    of_shares = priors.shares[weighty] * np.log(shares[weighty])
    return float(of_matrices.sum() + of_shares.sum())
