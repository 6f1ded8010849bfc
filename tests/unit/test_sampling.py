from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Span
from backend.errors import InputError
from backend.quality.sampling import (
    draw_by_gold,
    draw_clustered,
    draw_random,
    draw_stratified,
    length_strata,
)

TEXTS = [
    f"{word} " * (1 + at % 7) for at, word in enumerate(["taxi", "market", "xolo", "ŋgap"] * 9)
]


def gold_of(tokens, entity_tokens):
    """A text of one-letter tokens of which the first ones are entities."""
    return " ".join("a" * tokens), [Span(2 * at, 2 * at + 1, "PER") for at in range(entity_tokens)]


GOLD = [gold_of(20, count) for count in (0, 1, 2, 3, 4, 5, 9, 10, 20)] * 10
RULES = {
    "random": lambda count, rng: draw_random(len(TEXTS), count, rng),
    "length": lambda count, rng: draw_stratified(length_strata(TEXTS), count, rng),
    "clusters": lambda count, rng: draw_clustered(TEXTS, count, rng),
    "gold": lambda count, rng: draw_by_gold(GOLD, count, rng),
}


@pytest.mark.parametrize("rule", RULES)
class TestEveryRule:
    def test_it_draws_so_many_different_texts_in_order(self, rule):
        drawn = RULES[rule](12, np.random.default_rng(0))
        assert len(drawn) == 12
        assert drawn == sorted(set(drawn))

    def test_equal_seeds_draw_equal_texts(self, rule):
        drawn = [RULES[rule](10, np.random.default_rng(seed)) for seed in (1, 1, 2)]
        assert drawn[0] == drawn[1] != drawn[2]

    @pytest.mark.parametrize("count", [0, 1000])
    def test_more_than_there_is_cannot_be_drawn(self, rule, count):
        with pytest.raises(InputError):
            RULES[rule](count, np.random.default_rng(0))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.data(), st.integers(0, 9))
def test_each_stratum_has_its_share_to_the_next_text(strata, data, seed):
    count = data.draw(st.integers(1, len(strata)))
    drawn = draw_stratified(strata, count, np.random.default_rng(seed))
    assert len(drawn) == count
    got = Counter(strata[at] for at in drawn)
    for stratum, size in Counter(strata).items():
        assert abs(got[stratum] - count * size / len(strata)) < 1


def test_strata_by_length_are_equally_large_and_in_order():
    strata = length_strata(["a" * length for length in range(25)])
    assert strata == sorted(strata)
    assert set(Counter(strata).values()) == {5}


class TestThePapersRule:
    def test_texts_with_too_few_or_too_many_entities_are_never_drawn(self):
        drawn = draw_by_gold(GOLD, 50, np.random.default_rng(0))
        assert {len(GOLD[at][1]) for at in drawn} <= {2, 3, 4, 5, 9}

    def test_middling_numbers_of_entities_are_drawn_most(self):
        rng = np.random.default_rng(0)
        drawn = Counter(len(GOLD[at][1]) for _ in range(300) for at in draw_by_gold(GOLD, 5, rng))
        assert drawn[5] > drawn[2] > drawn[9]
