import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from backend.text.tokens import tokenise


def words(text):
    return [text[start:end] for start, end in tokenise(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wola agbegbe náà.", ["Wola", "agbegbe", "náà", "."]),
        ("k'a ng'ombe l’école", ["k'a", "ng'ombe", "l’école"]),
        ("s'Abeokuta n’Abidjan", ["s", "'", "Abeokuta", "n", "’", "Abidjan"]),
        ("ta' 'taʼ'", ["ta", "'", "'", "taʼ", "'"]),
        ("i-ANC 12-05", ["i", "-", "ANC", "12", "-", "05"]),
        ("U.S. 1,000", ["U", ".", "S", ".", "1", ",", "000"]),
        ("ሰላም፡ነው።", ["ሰላም", "፡", "ነው", "።"]),
        ("ߒߞߏ߫ ߝߐ߫", ["ߒߞߏ߫", "ߝߐ߫"]),
        ("في القاهرة،", ["في", "القاهرة", "،"]),
        ("日本語", ["日", "本", "語"]),
    ],
)
def test_words_and_signs_part_in_any_script(text, expected):
    assert words(text) == expected


def test_letters_keep_their_combining_marks():
    text = unicodedata.normalize("NFD", "Ọ̀ṣun àti Ẹ̀kọ́")

    assert words(text) == text.split(" ")


def test_joiners_and_soft_hyphens_inside_a_word_stay_in_it():
    assert words("ab\u00adc mi\u200cx") == ["ab\u00adc", "mi\u200cx"]


def test_an_emoji_with_its_joined_parts_is_one_token():
    assert words("👩🏾‍🌾🇳🇬 1️⃣") == ["👩🏾‍🌾", "🇳🇬", "1️⃣"]


def test_offsets_count_code_points_behind_an_emoji():
    assert tokenise("👩🏾‍🌾 Lagos") == [(0, 4), (5, 10)]


@pytest.mark.parametrize("text", ["", " ", "\t\n\u00a0\u3000"])
def test_a_text_without_visible_characters_has_no_tokens(text):
    assert tokenise(text) == []


@given(st.text(alphabet=st.characters(), max_size=60))
def test_every_character_but_white_space_is_in_exactly_one_token(text):
    offsets = tokenise(text)

    covered = "".join(text[start:end] for start, end in offsets)
    assert covered == regex.sub(r"\s", "", text)
    assert offsets == sorted(offsets)
