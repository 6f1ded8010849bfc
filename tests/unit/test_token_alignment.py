import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.text.token_alignment import MOST_CELLS, Likeness, align_sequences, similarity

WORDS = st.lists(
    st.sampled_from(["a", "A", "ba", "á", "ab", "aba", '"', '""', "", "."]), max_size=9
)


def links(given: str, source: str) -> list[tuple[str, str, str]]:
    """The links between words, as text: how alike, the given words, the text's words."""
    ours, theirs = given.split(), source.split()
    return [
        (
            link.likeness.name,
            " ".join(ours[link.given_start : link.given_stop]),
            " ".join(theirs[link.start : link.stop]),
        )
        for link in align_sequences(ours, theirs) or []
    ]


def linked_places(given: str, source: str) -> list[int]:
    return [link.start for link in align_sequences(given.split(), source.split()) or []]


def test_a_token_left_out_costs_its_own_link_only():
    assert linked_places("Ada Lagos today .", "Ada saw Lagos today .") == [0, 2, 3, 4]


def test_an_invented_token_is_linked_to_nothing():
    assert linked_places("Ada really saw Lagos", "Ada saw Lagos") == [0, 1, 2]


def test_a_repeated_token_is_linked_in_order():
    assert linked_places("na Ada na Obi", "na Ada , na Obi") == [0, 1, 3, 4]


def test_two_sequences_with_nothing_in_common_have_no_links():
    assert links("x y z", "Ada saw Lagos") == []


@pytest.mark.parametrize(
    ("given_word", "word", "likeness"),
    [
        ("Ada", "Ada", "SAME"),
        ("Ìbàdàn", unicodedata.normalize("NFD", "Ìbàdàn"), "SPELLING"),
        ("e\u00adThekwini", "eThekwini", "SPELLING"),
        ("Ng'ombe", "Ng’ombe", "SPELLING"),
        ('"', '""""', "SPELLING"),
        ('"""', '""""', "SPELLING"),
        ("“", '""""', "SPELLING"),
        ('\\"', '"', "SPELLING"),
        ("LAGOS", "Lagos", "CASE"),
        ("Ibadan", "Ìbàdàn", "ALTERED"),
        ("kokebaga", "kokɛbagaba", "ALTERED"),
    ],
)
def test_a_changed_token_is_recognised(given_word, word, likeness):
    assert links(f"x {given_word} y", f"x {word} y")[1] == (likeness, given_word, word)


def test_several_given_tokens_may_be_one_of_the_text():
    assert ("PIECES", "co - op", "co-op") in links("the co - op said", "the co-op said")


def test_one_given_token_may_be_several_of_the_text():
    given, source = ["Nelson Mandela", "said"], ["Nelson", "Mandela", "said"]
    first = align_sequences(given, source)[0]
    assert (first.likeness, first.start, first.stop) == (Likeness.PIECES, 0, 2)


def test_what_is_too_much_to_compare_is_not_compared():
    size = int(MOST_CELLS**0.5) + 1
    assert align_sequences(["a"] * size, ["b"] * size) is None


def test_equal_ends_count_for_nothing_in_the_size():
    size = MOST_CELLS
    assert len(align_sequences(["a"] * size + ["x"], ["a"] * size + ["y"])) == size


@given(WORDS, WORDS)
def test_links_go_forward_and_never_share_a_token(given_words, source):
    end = given_end = 0
    for link in align_sequences(given_words, source):
        assert link.start >= end
        assert link.given_start >= given_end
        assert 1 in {link.stop - link.start, link.given_stop - link.given_start}
        end, given_end = link.stop, link.given_stop
        assert given_end <= len(given_words)
        assert end <= len(source)


@given(WORDS)
def test_every_token_is_linked_to_itself(words):
    assert [(k.given_start, k.start) for k in align_sequences(words, words)] == [
        (at, at) for at in range(len(words))
    ]


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_similarity_is_symmetric_and_one_only_for_equal_words(one, other):
    assert similarity(one, other) == similarity(other, one)
    assert (similarity(one, other) == 1) == (one == other)
