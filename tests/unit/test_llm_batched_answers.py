import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.llm.batched_answers import numbered_parts, recorded_parts
from backend.llm.parsing import ParsedAnswer, parse_answer
from backend.text.spans import Mention

ADA = {"m": "Ada", "l": "PER", "n": 1, "c": 90}
JOS = {"m": "Jos", "l": "LOC", "n": 2, "c": 40}


def item(number: object, *entities: object, sure: object = 80) -> dict[str, object]:
    return {"i": number, "e": list(entities), "c": sure}


def answer(*items: object) -> str:
    return json.dumps({"s": items})


def mentions(part: str) -> list[str]:
    parsed = parse_answer(part)
    assert isinstance(parsed, ParsedAnswer)
    return [mention.text for mention in parsed.mentions]


class TestNumberedParts:
    def test_a_part_is_an_answer_to_one_text(self):
        parsed = parse_answer(numbered_parts(answer(item(1, ADA), item(2, JOS)), 2)[1])
        assert parsed.mentions == (Mention("Jos", "LOC", 2, 0.4),)
        assert parsed.confidence == 0.8

    def test_a_part_can_be_taken_for_the_answer_to_its_text(self):
        part = numbered_parts(answer(item(1, ADA), item(2, JOS)), 2)[1]
        assert numbered_parts(part, 1) == {0: part}

    def test_parts_are_found_by_number_not_by_order(self):
        parts = numbered_parts(answer(item(2, JOS), item(1, ADA)), 2)
        assert [mentions(parts[at]) for at in range(2)] == [["Ada"], ["Jos"]]

    def test_a_text_without_mentions_has_a_part(self):
        assert mentions(numbered_parts(answer(item(1), item(2)), 2)[0]) == []

    def test_what_is_left_out_has_none(self):
        assert set(numbered_parts(answer(item(1, ADA), item(3)), 3)) == {0, 2}

    def test_what_is_there_twice_has_none(self):
        assert set(numbered_parts(answer(item(1, ADA), item(1), item(2)), 2)) == {1}

    @pytest.mark.parametrize("number", [0, 4, -1, "one", None, True, 1.5, "99999999999", {}])
    def test_a_number_of_no_text_is_passed_over(self, number):
        assert set(numbered_parts(answer(item(number, ADA), item(2)), 3)) == {1}

    @pytest.mark.parametrize(
        "form",
        [
            "```json\n{}\n```",
            "Here you are [2 texts]: {}",
            "{}\nAnything else?",
        ],
    )
    def test_prose_and_fences_around_it_are_forgiven(self, form):
        raw = form.replace("{}", answer(item(1, ADA), item(2)))
        assert set(numbered_parts(raw, 2)) == {0, 1}

    def test_a_bare_list_of_items_is_forgiven(self):
        assert set(numbered_parts(json.dumps([item(1, ADA), item("2")]), 2)) == {0, 1}

    def test_an_item_that_is_broken_costs_itself_only(self):
        raw = answer(item(1, ADA), item(2, JOS), item(3)).replace('"Jos"', '"J"os"')
        assert set(numbered_parts(raw, 3)) == {0, 2}

    def test_an_answer_that_is_cut_off_costs_what_is_missing(self):
        raw = answer(item(1, ADA), item(2, JOS), item(3, ADA))
        for end in range(raw.index('{"i": 3'), len(raw) - 2):
            assert set(numbered_parts(raw[:end], 3)) == {0, 1}

    def test_confidences_may_be_shares_instead_of_per_cents(self):
        raw = answer(item(1, ADA | {"c": 0.9}, sure=1))
        parsed = parse_answer(numbered_parts(raw, 1)[0])
        assert (parsed.mentions[0].confidence, parsed.confidence) == (0.9, 1)

    @pytest.mark.parametrize("sure", ["high", None, -5, 101, 10**400, True])
    def test_a_confidence_that_is_none_costs_nothing_else(self, sure):
        parsed = parse_answer(numbered_parts(answer(item(1, ADA | {"c": sure})), 1)[0])
        assert parsed.mentions == (Mention("Ada", "PER", 1, None),)

    def test_one_text_needs_no_number(self):
        assert mentions(numbered_parts(json.dumps({"e": [ADA]}), 1)[0]) == ["Ada"]

    def test_several_texts_need_numbers(self):
        assert numbered_parts(json.dumps({"s": [{"e": [ADA]}, {"e": [JOS]}]}), 2) == {}

    def test_a_mention_may_look_like_an_item(self):
        quoting = ADA | {"m": '{"i": 2, "e": []}'}
        parts = numbered_parts(answer(item(1, quoting), item(2, JOS)), 2)
        assert mentions(parts[1]) == ["Jos"]

    def test_nesting_without_end_is_no_answer(self):
        assert numbered_parts('{"s":' * 100_000, 2) == {}
        assert numbered_parts("[" * 100_000, 2) == {}


class TestRecordedParts:
    def test_each_record_is_a_part(self):
        raw = '{"output": {"record_0": [["Ada", "B-PER"]], "record_1": [["Jos", "O"]]}}'
        assert recorded_parts(raw, 2) == {0: '[["Ada", "B-PER"]]', 1: '[["Jos", "O"]]'}

    def test_a_record_that_is_broken_twice_there_or_of_no_text_is_left_out(self):
        raw = (
            '{"record_0": [["A"d", "O"]], "record_1": [["Jos", "O"]], "record_2": [],'
            '"record_2": [], "record_7": [["Ada", "O"]]'
        )
        assert recorded_parts(raw, 3) == {1: '[["Jos", "O"]]'}


@given(st.text(alphabet='{}[]":,isemlnc0123 \\"record_output', max_size=200), st.integers(1, 5))
def test_any_answer_has_parts_of_asked_texts_only(raw, texts):
    for take_apart in (numbered_parts, recorded_parts):
        assert set(take_apart(raw, texts)) <= set(range(texts))


def test_a_mutated_answer_is_never_an_error():
    rng = random.Random(3)
    raw = answer(*(item(number, ADA, JOS) for number in range(1, 6)))
    for _ in range(1000):
        letters = list(raw)
        for _ in range(rng.randint(1, 5)):
            letters[rng.randrange(len(letters))] = rng.choice('{}[]":,\\1a ')
        for part in numbered_parts("".join(letters), 5).values():
            parse_answer(part)
