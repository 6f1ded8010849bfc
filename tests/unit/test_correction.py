import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.active_learning.correction import confusion, corrected
from backend.domain import Example, LabelScheme, Span
from backend.protocols import Tagging

SCHEME = LabelScheme(("PER", "LOC"))
O, B_PER, I_PER, B_LOC, I_LOC = range(5)  # noqa: E741 - the tag's own name
NAME = (Span(0, 5, "PER"),)
PLACE = (Span(0, 5, "LOC"),)
LABELLINGS = st.sampled_from([NAME, PLACE, ()])


def row(**chances):
    """Probabilities of the tags named; the rest shares what is left."""
    names = ("O", "B_PER", "I_PER", "B_LOC", "I_LOC")
    left = (1 - sum(chances.values())) / (5 - len(chances))
    return [chances.get(name, left) for name in names]


def tagging(*rows):
    return Tagging((), np.array(rows, dtype=float).reshape(len(rows), 5))


def pairs(n, right, given):
    """The same ``n`` texts as a human and as the LLM labelled them."""
    return (
        [Example(str(i), "Amina went", right) for i in range(n)],
        [Example(str(i), "Amina went", given) for i in range(n)],
    )


class TestConfusion:
    @given(
        st.integers(0, 30), st.sampled_from([NAME, PLACE, ()]), st.sampled_from([NAME, PLACE, ()])
    )
    def test_rows_are_probabilities_however_little_was_seen(self, n, right, said):
        human, llm = pairs(n, right, said)

        table = confusion(human, llm, [], [], SCHEME)

        assert (table > 0).all()
        assert table.sum(axis=1) == pytest.approx(1)

    def test_it_counts_what_the_llm_says_where_a_human_knows_better(self):
        table = confusion(*pairs(100, PLACE, NAME), [], [], SCHEME)

        assert table[B_LOC].argmax() == B_PER
        assert table[B_LOC, B_PER] > 0.9

    def test_what_was_never_seen_is_taken_for_half_right(self):
        table = confusion([], [], [], [], SCHEME)

        assert table[B_PER].argmax() == B_PER
        assert 0.4 < table[B_PER, B_PER] < 0.7

    def test_without_gold_it_learns_from_what_a_sure_tagger_finds(self):
        unchecked = [Example(str(i), "Amina went", NAME) for i in range(200)]
        taggings = [tagging(row(B_LOC=0.999), row(O=0.99))] * 200

        table = confusion([], [], taggings, unchecked, SCHEME)

        assert table[B_LOC, B_PER] > 2 * confusion([], [], [], [], SCHEME)[B_LOC, B_PER]


class TestCorrecting:
    reliable = confusion(*pairs(200, NAME, NAME), [], [], SCHEME)
    mistaken = confusion(*pairs(200, PLACE, NAME), [], [], SCHEME)

    def correct(self, seen, spans, table):
        (result,) = corrected([seen], [Example("1", "Amina went", spans)], table, SCHEME)
        return result

    def test_a_reliable_llm_is_believed_where_the_tagger_doubts(self):
        result = self.correct(tagging(row(O=0.6, B_PER=0.3), row(O=0.99)), NAME, self.reliable)

        assert result.example.spans == NAME

    def test_a_sure_tagger_is_believed_where_the_llm_is_known_to_err(self):
        result = self.correct(tagging(row(B_LOC=0.7, B_PER=0.2), row(O=0.99)), NAME, self.mistaken)

        assert result.example.spans == PLACE

    def test_an_llm_that_says_the_same_whatever_is_right_changes_nothing(self):
        useless = np.full((5, 5), 0.2)

        result = self.correct(tagging(row(B_LOC=0.5), row(O=0.9)), NAME, useless)

        assert result.example.spans == PLACE

    def test_agreement_is_surer_than_either(self):
        doubtful, sure = tagging(row(B_PER=0.5), row(O=0.9)), tagging(row(B_PER=0.99), row(O=0.99))

        assert (
            self.correct(sure, NAME, self.reliable).loss
            < self.correct(doubtful, NAME, self.reliable).loss
        )

    def test_two_views_are_joined_as_equals(self):
        """One says person with 0.8 to 0.1, the other place with 0.95 to 0.01: that is surer."""
        seen = tagging(row(B_PER=0.8, B_LOC=0.1), row(O=0.96))
        revised = [np.array([row(B_LOC=0.95, B_PER=0.01), row(O=0.96)])]
        example = Example("1", "Amina went", ())
        useless = np.full((5, 5), 0.2)

        (alone,) = corrected([seen], [example], useless, SCHEME)
        (joined,) = corrected([seen], [example], useless, SCHEME, revised)
        (agreed,) = corrected([seen], [example], useless, SCHEME, [seen.probabilities])

        assert (alone.example.spans, joined.example.spans) == (NAME, PLACE)
        assert (agreed.example, agreed.loss) == (alone.example, pytest.approx(alone.loss))

    def test_the_loss_of_a_long_text_is_comparable_with_that_of_a_short_one(self):
        short, long = tagging(row(O=0.9)), tagging(*[row(O=0.9)] * 50)
        useless = np.full((5, 5), 0.2)

        one, other = corrected(
            [short, long],
            [Example("1", "a", ()), Example("2", " ".join("a" * 50), ())],
            useless,
            SCHEME,
        )

        assert one.loss == pytest.approx(other.loss)

    def test_weight_and_text_stay(self):
        given_label = Example("7", "Amina went", NAME, weight=2.0)

        (result,) = corrected(
            [tagging(row(O=0.9), row(O=0.9))], [given_label], self.reliable, SCHEME
        )

        assert (result.example.task_id, result.example.text, result.example.weight) == (
            "7", "Amina went", 2.0,
        )  # fmt: skip

    @pytest.mark.parametrize("text", ["", "  ", "x", "word " * 1000])
    def test_empty_short_and_long_texts(self, text):
        n_tokens = len(text.split())
        seen = Tagging((), np.full((n_tokens, 5), 0.2))

        (result,) = corrected([seen], [Example("1", text, ())], self.reliable, SCHEME)

        assert np.isfinite(result.loss)
        assert result.example.text == text

    def test_nothing_stays_nothing(self):
        assert corrected([], [], self.reliable, SCHEME) == []

    @given(st.integers(0, 2**32 - 1), st.integers(1, 6))
    def test_spans_are_sorted_apart_and_inside_the_text(self, seed, n_tokens):
        rng = np.random.default_rng(seed)
        text = " ".join("abcdef"[:n_tokens])
        seen = Tagging((), rng.dirichlet(np.full(5, 0.3), size=n_tokens))

        (result,) = corrected(
            [seen], [Example("1", text, (Span(0, 1, "PER"),))], self.reliable, SCHEME
        )

        ends = [0, *(span.end for span in result.example.spans)]
        assert all(span.start >= end for span, end in zip(result.example.spans, ends, strict=False))
        assert all(span.end <= len(text) and 0 < span.score <= 1 for span in result.example.spans)
