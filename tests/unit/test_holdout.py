"""A text is held out, or it is not: in every round, on every machine, in every copy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Example
from backend.quality.holdout import is_held_out, lot, split

TEXTS = [f"Umfana {number} uye eGoli." for number in range(2000)]
HELD_OUT_OF_40 = [0, 1, 7, 9, 13, 24, 27, 37]


def examples(texts: list[str]) -> list[Example]:
    return [Example(str(number), text, ()) for number, text in enumerate(texts)]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_about_the_asked_for_share_is_held_out(share: float) -> None:
    held_out = sum(is_held_out(text, share) for text in TEXTS)

    assert held_out / len(TEXTS) == pytest.approx(share, abs=0.03)


def test_the_division_is_the_same_on_every_machine_and_forever() -> None:
    assert [number for number in range(40) if is_held_out(TEXTS[number], 0.2)] == HELD_OUT_OF_40


def test_more_texts_move_none_that_were_there() -> None:
    _, few = split(examples(TEXTS[:100]), 0.2)
    _, many = split(examples(TEXTS), 0.2)

    assert many[: len(few)] == few


def test_a_larger_share_keeps_what_a_smaller_one_held_out() -> None:
    small = {text for text in TEXTS if is_held_out(text, 0.1)}

    assert small <= {text for text in TEXTS if is_held_out(text, 0.3)}


@given(st.lists(st.text(), max_size=8))
def test_a_copy_with_other_white_space_falls_on_the_same_side(words: list[str]) -> None:
    assert is_held_out(" ".join(words), 0.5) == is_held_out("\n ".join([*words, ""]), 0.5)


def test_every_example_is_on_one_side_in_its_order() -> None:
    training, held_out = split(examples(TEXTS), 0.2)

    assert sorted(training + held_out, key=lambda item: int(item.task_id)) == examples(TEXTS)
    assert [int(item.task_id) for item in training] == sorted(int(i.task_id) for i in training)


def test_a_text_with_half_a_character_has_a_lot_like_any_other() -> None:
    assert 0 <= lot("Umfana \ud800 uye eGoli.", 3) < 1
    assert lot("Umfana \ud800 uye eGoli.", 3) != lot("Umfana \ud801 uye eGoli.", 3)
