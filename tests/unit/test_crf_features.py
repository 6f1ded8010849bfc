import pytest

from backend.tagger.crf_features import (
    MAX_WORD,
    sentence_features,
    shape,
    split_inner_capital,
    words_of,
)
from backend.text.tokens import tokenise


def features_of(text):
    return [
        {feature.decode() for feature in features}
        for features in sentence_features(words_of(text, tokenise(text)))
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("Lagos", "Xx"), ("eGoli", "xXx"), ("ANC", "X"), ("2024", "d"), ("Ẹ̀kọ́", "Xx"), ("", "")],
)
def test_a_shape_tells_capitals_small_letters_and_digits(word, expected):
    assert shape(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("eGoli", ("e", "Goli")), ("kwaZulu", ("kwa", "Zulu")), ("Goli", ("", "Goli"))],
)
def test_an_inner_capital_parts_prefix_and_name(word, expected):
    assert split_inner_capital(word) == expected


def test_a_prefixed_name_shows_its_stem():
    assert {"ip=e", "is=goli"} <= features_of("eGoli")[0]


def test_a_word_shows_its_first_signs_and_its_trigrams():
    assert {"h=Xxxx", "n=lag", "n=ago", "n=gos"} <= features_of("Lagos")[0]
    assert {"h=Xx", "h=dddd"} <= features_of("La")[0] | features_of("2024")[0]


@pytest.mark.parametrize("word", ["Lagos", "eGoli", "ANC"])
def test_a_capital_is_one_wherever_it_stands(word):
    assert "capital" in features_of(word)[0]


def test_a_number_shows_its_length_and_how_it_begins():
    assert {"d=19", "digits=4"} <= features_of("1999")[0]
    assert not any(name.startswith("d") for name in features_of("Lagos")[0])


def test_a_capital_at_the_beginning_is_told_from_one_inside():
    first, second = features_of("Now Lagos")

    assert "first=Xx" in first
    assert "inner=Xx" in second


def test_a_trigram_counts_once_however_often_it_occurs():
    (features,) = sentence_features(["nananana"])

    assert len(features) == len(set(features))


def test_a_word_sees_its_neighbours_and_the_edges():
    middle = features_of("in Old Lagos city now")[2]

    assert {"w=lagos", "-1w=old", "+1w=city", "-2w=in", "+2w=now"} <= middle
    assert {"-1edge", "-2edge"} <= features_of("in Lagos")[0]


def test_a_word_sees_the_shapes_around_it():
    assert {"ss=Xx|Xx", "sss=Xx|Xx|x"} <= features_of("in Old Lagos city now")[2]


def test_an_endless_word_is_looked_at_only_so_far():
    features = features_of("a" * 100_000)[0]

    assert max(map(len, features)) <= MAX_WORD + len("-1w=")


def test_half_a_surrogate_pair_has_features_too():
    assert "w=\ufffd" in features_of("\ud800")[0]


def test_a_zero_byte_ends_no_feature():
    assert words_of("a\0b", [(0, 3)]) == ["a\ufffdb"]
