import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.claim_trust import NOTHING, Claim, ClaimTrust, claims_of
from backend.domain import Span

CLAIMS = st.builds(
    Claim,
    st.sampled_from(["zul", "bam", ""]),
    st.sampled_from(["PER", "DATE", NOTHING]),
    st.none() | st.floats(0, 1),
)


@given(st.lists(st.tuples(CLAIMS, st.booleans()), max_size=30), st.lists(CLAIMS, max_size=5))
def test_every_claim_gets_a_probability_whatever_was_checked(checked, asked):
    trust = ClaimTrust.fitted([claim for claim, _ in checked], [right for _, right in checked])

    likely = trust(asked)

    assert likely.shape == (len(asked),)
    assert ((likely > 0) & (likely < 1)).all()


def test_nothing_checked_means_even_chances():
    assert ClaimTrust.fitted([], [])([Claim("zul", "PER", 0.99)]).tolist() == [0.5]


@pytest.mark.parametrize(("right", "expected"), [(True, 9 / 10), (False, 1 / 10)])
def test_if_all_went_one_way_the_rule_of_succession_speaks(right, expected):
    trust = ClaimTrust.fitted([Claim("zul", "PER", 0.9)] * 8, [right] * 8)

    assert trust([Claim("bam", "ORG", 0.1)]) == pytest.approx([expected])


def test_a_label_that_is_often_wrong_is_trusted_less_at_the_same_confidence():
    claims = [Claim("zul", "PER", 0.9)] * 50 + [Claim("zul", "DATE", 0.9)] * 50
    trust = ClaimTrust.fitted(claims, [True] * 47 + [False] * 3 + [True] * 15 + [False] * 35)

    person, date = trust([Claim("zul", "PER", 0.9), Claim("zul", "DATE", 0.9)])

    assert person == pytest.approx(0.94, abs=0.06)
    assert date == pytest.approx(0.30, abs=0.06)


def test_a_cell_with_one_claim_stays_near_its_neighbours():
    claims = [Claim("zul", "PER", 0.9)] * 60 + [Claim("bam", "PER", 0.9)]
    trust = ClaimTrust.fitted(claims, [True] * 54 + [False] * 6 + [False])

    assert trust([Claim("bam", "PER", 0.9)])[0] > 0.5


def test_overconfidence_is_taken_back():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.5, 1, size=600)
    right = rng.random(600) < scores - 0.3
    trust = ClaimTrust.fitted([Claim("zul", "PER", s) for s in scores], right.tolist())

    assert trust([Claim("zul", "PER", 0.95)])[0] == pytest.approx(0.65, abs=0.1)


def test_an_empty_answer_claims_that_there_is_nothing():
    assert claims_of([], "zul", 0.8) == [Claim("zul", NOTHING, 0.8)]
    assert claims_of([Span(0, 1, "PER", 0.7)], None, 0.8) == [Claim("", "PER", 0.7)]
