import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.risk_control import CheckedAnswer, Goal, evidence, safe_doubt
from backend.errors import InputError

GOAL = Goal(wrong=0.05, risk=0.1)
MOST = 4
ANSWERS = st.integers(1, MOST).flatmap(
    lambda claims: st.builds(
        CheckedAnswer, st.floats(0, 1), st.just(claims), st.integers(0, claims)
    )
)


def answers(rng, n, error_rate):
    """Answers whose claims are wrong together, more often the larger the doubt."""
    doubts = rng.uniform(0, 1, n)
    claims = rng.integers(1, MOST + 1, n)
    all_wrong = rng.random(n) < error_rate(doubts)
    return [
        CheckedAnswer(doubt, int(count), int(count) * int(bad))
        for doubt, count, bad in zip(doubts, claims, all_wrong, strict=True)
    ]


def share_wrong(items, limit):
    accepted = [item for item in items if item.doubt <= limit]
    return sum(item.wrong for item in accepted) / sum(item.claims for item in accepted)


@pytest.mark.parametrize(
    "error_rate",
    [
        lambda doubt: 0.2 * doubt,
        lambda doubt: 0.0501 + 0 * doubt,
        lambda doubt: np.where(doubt < 0.3, 0.02, 0.2),
        lambda doubt: np.where(doubt < 0.1, 0.10, 0.02),
    ],
    ids=["rising", "just too high everywhere", "a step", "doubt that misleads"],
)
def test_the_share_of_wrong_claims_stays_below_the_target_as_often_as_promised(error_rate):
    rng = np.random.default_rng(1)
    everything = answers(rng, 100_000, error_rate)
    candidates = np.linspace(0.05, 1, 20).tolist()
    real = {limit: share_wrong(everything, limit) for limit in candidates}
    broken = 0
    for _ in range(100):
        limit = safe_doubt(answers(rng, 300, error_rate), candidates, GOAL, MOST)
        broken += limit is not None and real[limit] > GOAL.wrong

    assert broken / 100 <= GOAL.risk


def test_good_answers_are_let_through_and_bad_ones_are_not():
    rng = np.random.default_rng(2)
    checked = answers(rng, 3000, lambda doubt: np.where(doubt < 0.5, 0.005, 0.4))

    limit = safe_doubt(checked, np.linspace(0.1, 1, 10).tolist(), GOAL, MOST)

    assert limit == pytest.approx(0.5)


@given(st.lists(ANSWERS, max_size=40), st.lists(st.floats(0, 1), max_size=8))
def test_the_limit_is_one_of_the_candidates_or_none(checked, candidates):
    assert safe_doubt(checked, candidates, GOAL, MOST) in [*candidates, None]


@given(st.lists(ANSWERS, min_size=1, max_size=40))
def test_an_answer_found_wrong_is_evidence_against_letting_it_through(checked):
    better = [CheckedAnswer(item.doubt, item.claims, 0) for item in checked]

    assert evidence(checked, GOAL.wrong, MOST) <= evidence(better, GOAL.wrong, MOST)


@given(st.lists(ANSWERS, max_size=30))
def test_the_wealth_of_the_bet_never_falls_below_nothing(checked):
    assert np.isfinite(evidence(checked, GOAL.wrong, MOST))
    assert evidence(checked, GOAL.wrong, MOST) > 0


class TestLimits:
    def test_nothing_checked_lets_nothing_through(self):
        assert safe_doubt([], [0.1, 0.9], GOAL, MOST) is None

    def test_one_right_answer_proves_nothing(self):
        assert safe_doubt([CheckedAnswer(0.0, 1, 0)], [1.0], GOAL, MOST) is None

    def test_no_candidates_no_limit(self):
        assert safe_doubt([CheckedAnswer(0.0, 1, 0)] * 500, [], GOAL, MOST) is None

    def test_certain_and_right_everywhere_lets_everything_through(self):
        assert safe_doubt([CheckedAnswer(0.0, 1, 0)] * 500, [0.0], GOAL, 1) == 0.0

    def test_it_takes_75_right_answers_of_one_claim_to_prove_5_percent(self):
        """By the binomial distribution 45 would do, if one planned for no wrong answer at all."""
        enough = [
            n
            for n in range(100)
            if safe_doubt([CheckedAnswer(0.0, 1, 0)] * n, [0.0], GOAL, 1) is not None
        ]

        assert min(enough) == 75

    def test_all_wrong_lets_nothing_through(self):
        assert safe_doubt([CheckedAnswer(0.0, 1, 1)] * 500, [0.0, 1.0], GOAL, 1) is None

    @pytest.mark.parametrize(("wrong", "risk"), [(0, 0.1), (1, 0.1), (0.05, 0), (0.05, 1)])
    def test_a_target_that_is_no_share_is_refused(self, wrong, risk):
        with pytest.raises(InputError, match="shares between 0 and 1"):
            Goal(wrong, risk)
