import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.llm.json_repair import Mark, Value, lenient_lists, lenient_objects, lexemes

SCALARS = st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=8)
NEARLY_JSON = st.text(st.sampled_from("[](){}\"'“”\\,: \nOB-PERa1`"), max_size=60)


def rows(raw: str) -> list[object]:
    (items,) = lenient_lists(raw)
    return items


class TestStrings:
    @pytest.mark.parametrize(
        ("written", "token"),
        [
            ('"Ada"', "Ada"),
            ("'Ada'", "Ada"),
            ("“Ada”", "Ada"),
            ('"""', '"'),
            ('""""', '""'),
            ('""""""', '""""'),
            ("'\"'", '"'),
            ('"\'"', "'"),
            ('"\\""', '"'),
            ('"say "Ada""', 'say "Ada"'),
            ("'k'a'", "k'a"),
            ("'gbogbo''", "gbogbo'"),
            ('","', ","),
            ('":"', ":"),
            ('"]"', "]"),
            ('"["', "["),
            ('"W\\u1ecd\\n"', "Wọ\n"),
        ],
    )
    @pytest.mark.parametrize("label", ['"O"', "'O'", "O"])
    @pytest.mark.parametrize("gap", ["", " ", "\n  "])
    def test_a_string_ends_where_json_can_go_on(self, written, token, label, gap):
        assert rows(f"[[{written},{gap}{label}]") == [[token, "O"]]

    def test_a_string_that_lost_its_end_takes_only_its_line(self):
        assert rows('[["Ada, O],\n["saw", "O"]]') == [["Ada, O"], ["saw", "O"]]

    def test_a_string_that_never_ends_is_left_out(self):
        assert rows('[["Ada", "B-PER"], ["La') == [["Ada", "B-PER"]]

    def test_a_mention_with_quotes_and_commas_in_it_is_read_whole(self):
        raw = '[{"mention": "The "Star", Lagos", "label": "ORG"}'
        assert lenient_objects(raw) == [{"mention": 'The "Star", Lagos', "label": "ORG"}]

    def test_half_of_a_surrogate_pair_is_replaced_and_a_whole_one_is_read(self):
        assert rows(r'[["\ud800", "\ud83d\ude00"]') == [["\ufffd", "😀"]]


class TestRows:
    def test_tuples_are_rows(self):
        assert rows("[('Ada', 'B-PER'), ('saw', 'O')]") == [["Ada", "B-PER"], ["saw", "O"]]

    def test_a_missing_bracket_costs_no_token(self):
        raw = '[["Ada", "B-PER"], "saw", "O"], ["Lagos", "B-LOC"]]'
        assert rows(raw) == [["Ada", "B-PER"], "saw", "O", ["Lagos", "B-LOC"]]

    def test_a_row_without_its_end_ends_at_the_next(self):
        assert rows('[["Ada", "B-PER", ["saw", "O"]') == [["Ada", "B-PER"], ["saw", "O"]]

    def test_trailing_commas_are_nothing(self):
        assert rows('[["Ada", "B-PER",],]') == [["Ada", "B-PER"]]

    def test_each_key_of_a_list_begins_a_list(self):
        raw = '{"output": {"record_1": [["Ada", "O"],], "record_2": [["Abuja", "B-LOC"]]}}'
        assert lenient_lists(raw) == [[["Ada", "O"]], [["Abuja", "B-LOC"]]]

    def test_objects_are_rows_of_their_values(self):
        raw = "[{'token': 'Ada', 'label': 'B-PER'}, {'token': 'saw', 'label': 'O',}"
        assert rows(raw) == [["Ada", "B-PER"], ["saw", "O"]]

    def test_an_object_of_tokens_and_labels_is_one_row(self):
        assert rows("{'Ada': 'B-PER', 'saw': 'O'") == [["Ada", "B-PER", "saw", "O"]]

    def test_numbers_and_words_without_quotes_are_values(self):
        assert rows("[[2018, O], [3.5, None], [Ada, B-PER]") == [
            [2018, "O"],
            [3.5, None],
            ["Ada", "B-PER"],
        ]

    def test_prose_and_fences_before_the_first_bracket_are_not_read(self):
        raw = 'Here, as you asked, is "it" [sic]:\n```json\n[["Ada", "B-PER",]]\n```'
        assert rows(raw)[-1] == ["Ada", "B-PER"]

    def test_no_brackets_no_rows(self):
        assert lenient_lists('I am sorry, but "Ada" is nobody.') == []


class TestObjects:
    def test_a_key_that_comes_twice_begins_the_next_object(self):
        raw = '[{"mention": "Ada", "label": "PER", "mention": "Lagos", "label": "LOC"}'
        assert [item["mention"] for item in lenient_objects(raw)] == ["Ada", "Lagos"]

    def test_what_an_object_holds_around_others_is_an_object_of_its_own(self):
        raw = "{'entities': [{'mention': 'Ada', 'label': 'PER'}], 'confidence': 0.5"
        assert lenient_objects(raw)[-1] == {"confidence": 0.5}


@given(st.text() | NEARLY_JSON)
def test_any_text_is_read_without_an_error(raw):
    assert all(isinstance(lexeme, Mark | Value) for lexeme in lexemes(raw))
    assert all(lenient_lists(raw))
    assert all(lenient_objects(raw))


@given(st.lists(st.lists(SCALARS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_sound_json_is_read_as_it_is(items):
    marks_in_strings = any("“" in v or '"' in v for row in items for v in row if type(v) is str)
    if not marks_in_strings:
        assert lenient_lists(json.dumps(items)) == [items]


@given(st.integers(1, 3), st.integers(0, 400))
def test_the_time_to_read_does_not_explode(kind, size):
    raw = {1: '["' * size, 2: "[[" + '", ' * size, 3: '"' * size + " " * size}[kind] * 20
    assert isinstance(lenient_lists(raw), list)
