"""The method against a second, plain implementation of its paper, and in its limits."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.errors import InputError
from backend.quality.dawid_skene import (
    Priors,
    Votes,
    dawid_skene,
    vote_shares,
)

CLASSES, ANNOTATORS = 3, 4


def votes_of(rows, items, annotators=ANNOTATORS, classes=CLASSES):
    item, annotator, said = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Votes(item, annotator, said, np.ones(items), annotators, classes)


def priors_of(confusion, shares):
    return Priors(np.full((CLASSES, CLASSES), confusion), np.full(CLASSES, shares))


def plain_em(rows, items, pseudo, rounds):
    """Dawid & Skene's equations 2.3 to 2.5, one number at a time."""
    of_item = defaultdict(list)
    for item, annotator, said in rows:
        of_item[item].append((annotator, said))
    belief = []
    for item in range(items):
        said = [vote for _, vote in of_item[item]]
        belief.append([said.count(j) / len(said) for j in range(CLASSES)])
    for _ in range(rounds):
        matrix = [[[pseudo] * CLASSES for _ in range(CLASSES)] for _ in range(ANNOTATORS)]
        for item, annotator, said in rows:
            for true in range(CLASSES):
                matrix[annotator][true][said] += belief[item][true]
        for annotator in range(ANNOTATORS):
            for true in range(CLASSES):
                total = sum(matrix[annotator][true])
                matrix[annotator][true] = [value / total for value in matrix[annotator][true]]
        shares = [pseudo + sum(row[j] for row in belief) for j in range(CLASSES)]
        shares = [share / sum(shares) for share in shares]
        for item in range(items):
            joint = [
                shares[true] * math.prod(matrix[a][true][said] for a, said in of_item[item])
                for true in range(CLASSES)
            ]
            belief[item] = [value / sum(joint) for value in joint]
    return np.array(belief), np.array(matrix), np.array(shares)


@st.composite
def ballots(draw):
    items = draw(st.integers(1, 6))
    rows = [
        (item, annotator, draw(st.integers(0, CLASSES - 1)))
        for item in range(items)
        for annotator in draw(st.sets(st.integers(0, ANNOTATORS - 1), min_size=1))
    ]
    return rows, items


@given(ballots(), st.sampled_from([0.1, 1.0]), st.integers(1, 8))
def test_it_equals_a_plain_implementation_of_the_paper(ballot, pseudo, rounds):
    rows, items = ballot

    truth = dawid_skene(votes_of(rows, items), priors_of(pseudo, pseudo), rounds=rounds)

    assume(len(truth.objective) == rounds)
    belief, matrix, shares = plain_em(rows, items, pseudo, rounds)
    assert truth.classes == pytest.approx(belief, abs=1e-9)
    assert truth.confusion == pytest.approx(matrix, abs=1e-9)
    assert truth.shares == pytest.approx(shares, abs=1e-9)


@given(ballots(), st.sampled_from([0.0, 0.5, 2.0]))
def test_the_objective_never_falls(ballot, pseudo):
    rows, items = ballot

    objective = dawid_skene(votes_of(rows, items), priors_of(pseudo, pseudo)).objective

    assert (np.diff(objective) > -1e-9).all()


@given(ballots())
def test_everything_that_comes_out_is_a_probability(ballot):
    rows, items = ballot

    truth = dawid_skene(votes_of(rows, items), priors_of(0.0, 0.0))

    for array in (truth.classes, truth.confusion, truth.shares):
        assert array.sum(axis=-1) == pytest.approx(1.0)
        assert (array >= 0).all()


def test_an_item_of_weight_three_is_three_items():
    rows = [(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 1)]
    thrice = [(0, 0, 1), (0, 1, 1), *[(at, who, who) for at in (1, 2, 3) for who in (0, 1)]]
    heavy = Votes(*np.array(rows).T, np.array([1.0, 3.0]), ANNOTATORS, CLASSES)

    one = dawid_skene(heavy, priors_of(0.5, 0.5), rounds=5)
    other = dawid_skene(votes_of(thrice, 4), priors_of(0.5, 0.5), rounds=5)

    assert one.confusion == pytest.approx(other.confusion)


def test_known_annotators_are_found_out():
    rng = np.random.default_rng(0)
    skill = [0.95, 0.8, 0.6, 0.4]
    true = rng.integers(0, CLASSES, 3000)
    rows = [
        (item, who, int(true[item] if rng.random() < skill[who] else rng.integers(0, CLASSES)))
        for item in range(3000)
        for who in range(ANNOTATORS)
    ]

    truth = dawid_skene(votes_of(rows, 3000), priors_of(0.1, 1.0))

    expected = [one + (1 - one) / CLASSES for one in skill]
    diagonals = truth.confusion.diagonal(axis1=1, axis2=2).mean(axis=1)
    assert diagonals == pytest.approx(expected, abs=0.03)
    shares = vote_shares(votes_of(rows, 3000)).argmax(axis=1)
    assert (truth.classes.argmax(axis=1) == true).mean() > (shares == true).mean() + 0.02


@given(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=8))
def test_where_all_agree_they_are_believed(said):
    rows = [(item, who, vote) for item, vote in enumerate(said) for who in range(ANNOTATORS)]

    truth = dawid_skene(votes_of(rows, len(said)), priors_of(0.0, 0.0))

    assert truth.classes.argmax(axis=1).tolist() == said
    assert truth.classes.max(axis=1) == pytest.approx(1.0)


@given(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=8))
def test_one_annotator_is_believed(said):
    rows = [(item, 0, vote) for item, vote in enumerate(said)]

    truth = dawid_skene(votes_of(rows, len(said), annotators=1), priors_of(0.0, 0.0))

    assert truth.classes.argmax(axis=1).tolist() == said


@given(st.integers(1, 5))
def test_with_one_class_there_is_nothing_to_doubt(items):
    rows = [(item, who, 0) for item in range(items) for who in range(ANNOTATORS)]
    votes = votes_of(rows, items, classes=1)

    truth = dawid_skene(votes, Priors(np.ones((1, 1)), np.ones(1)))

    assert truth.classes == pytest.approx(np.ones((items, 1)))
    assert truth.confusion == pytest.approx(np.ones((ANNOTATORS, 1, 1)))


def test_an_item_that_nobody_voted_on_is_what_items_are():
    rows = [(item, who, 0) for item in range(3) for who in range(ANNOTATORS)]

    truth = dawid_skene(votes_of(rows, 4), priors_of(0.5, 0.5))

    assert truth.classes[3] == pytest.approx(truth.shares, abs=1e-3)


def test_no_vote_is_nothing_to_aggregate():
    with pytest.raises(InputError, match="Nobody voted"):
        dawid_skene(votes_of([], 0), priors_of(1.0, 1.0))
