import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from backend.text.normalise import normalise, verbatim

LETTERS_AND_TRAPS = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("eẹọṣÀ\u0301\u0323\u0300\u00ad\u200b\u200d\ufeffİßﬁ“”’‘\"' \t\n👩🏾‍🏫"),
    ),
    max_size=40,
)


def slice_found(text: str, wanted: str, *, fold_case: bool = False) -> list[str]:
    view = normalise(text, fold_case=fold_case)
    needle = normalise(wanted, fold_case=fold_case).value
    return [text[start:end] for start, end in view.find(needle)]


def test_a_decomposed_name_is_found_by_its_composed_form():
    text = unicodedata.normalize("NFD", "Wọ́n lọ sí Ìbàdàn lónìí")
    assert slice_found(text, "Ìbàdàn") == [unicodedata.normalize("NFD", "Ìbàdàn")]


def test_curly_and_straight_quotes_are_the_same():
    assert slice_found("Ng’ombe na “Simba”", "Ng'ombe") == ["Ng’ombe"]


def test_soft_hyphens_and_zero_width_characters_do_not_hide_a_name():
    assert slice_found("e\u00adThek\u200bwini", "eThekwini") == ["e\u00adThek\u200bwini"]


def test_a_run_of_white_space_is_one_space():
    assert slice_found("Nelson \u00a0\n Mandela", "Nelson Mandela") == ["Nelson \u00a0\n Mandela"]


@pytest.mark.parametrize("before", ["İİİ", "ßßß", "ﬁ", "ΐ", "ŉ"])
def test_letters_that_grow_when_folded_do_not_shift_what_follows(before: str):
    assert slice_found(f"{before} LAGOS", "lagos", fold_case=True) == ["LAGOS"]


def test_half_of_a_folded_letter_is_no_match():
    assert slice_found("Straße", "stras", fold_case=True) == []


def test_a_base_is_not_found_without_its_combining_marks():
    text = "Yoru\u0300ba\u0301"
    assert list(verbatim(text).find("Yoruba")) == []
    assert list(verbatim(text).find("Yoru")) == []


@given(LETTERS_AND_TRAPS, st.booleans(), st.data())
def test_every_slice_of_the_normal_form_leads_back_to_whole_graphemes(text, fold_case, data):
    view = normalise(text, fold_case=fold_case)
    if not view.value:
        return
    start = data.draw(st.integers(0, len(view.value) - 1))
    end = data.draw(st.integers(start + 1, len(view.value)))
    first, last = view.original(start, end)
    edges = {cluster.start() for cluster in regex.finditer(r"\X", text)} | {len(text)}
    assert 0 <= first < last <= len(text)
    assert {first, last} <= edges


@given(LETTERS_AND_TRAPS)
def test_the_normal_form_of_a_whole_slice_is_the_normal_slice(text):
    view = normalise(text, fold_case=True)
    for start, end in view.find(view.value[: len(view.value) // 2]):
        found = normalise(text[start:end], fold_case=True).value
        assert found == view.value[: len(view.value) // 2]
