import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.llm.parsing import LONGEST_ANSWER, InvalidAnswer, ParsedAnswer, parse_answer
from backend.text.spans import Mention

ANSWER = (
    '{"entities": [{"mention": "Lagos", "label": "LOC", "occurrence": 2, "confidence": 0.7}], '
    '"confidence": 0.8}'
)
BROKEN = ANSWER.replace("Lagos", 'La"gos')
LAGOS = Mention("Lagos", "LOC", 2, 0.7)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text() | st.sampled_from(["entities", "mention", "label", "occurrence"]), inner
        )
    ),
    max_leaves=20,
)


def parsed(raw: str) -> ParsedAnswer:
    answer = parse_answer(raw)
    assert isinstance(answer, ParsedAnswer), answer
    return answer


def test_the_answer_asked_for_is_read_in_full():
    assert parsed(ANSWER) == ParsedAnswer((LAGOS,), (), 0.8)


def test_no_entities_is_an_answer():
    assert parsed('{"entities": [], "confidence": 0.9}') == ParsedAnswer((), (), 0.9)


@pytest.mark.parametrize(
    "raw",
    [
        f"```json\n{ANSWER}\n```",
        f"Sure! Here are [some] entities {{found}}:\n{ANSWER}\nAnything else?",
        f"\ufeff{ANSWER}",
        ANSWER.removesuffix("}"),
    ],
)
def test_what_stands_around_the_json_is_forgiven(raw: str):
    assert parsed(raw).mentions == (LAGOS,)


def test_a_bare_list_of_entities_is_forgiven():
    assert parsed('[{"mention": "Ada", "label": "PER"}]').mentions == (Mention("Ada", "PER"),)


@pytest.mark.parametrize(
    "raw",
    [
        BROKEN,
        BROKEN.replace("}], ", "},], "),
        BROKEN.removesuffix("}"),
        BROKEN.replace("[{", "[").replace("}]", "]"),
        f"Sure:\n```json\n{BROKEN}\n```",
        ANSWER.replace('"', "'").replace("Lagos", 'La"gos'),
    ],
)
def test_broken_json_is_read(raw: str):
    assert parsed(raw) == ParsedAnswer((Mention('La"gos', "LOC", 2, 0.7),), (), 0.8)


def test_an_answer_that_was_cut_off_keeps_its_whole_mentions():
    answer = parsed(ANSWER.replace('}], "confidence": 0.8}', '}, {"mention": "Abuja", "lab'))
    assert answer.mentions == (LAGOS,)
    assert [rejection.mention for rejection in answer.malformed] == ["Abuja"]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "I cannot see any names, see [1] and [].",
        "{}",
        "[]",
        "null",
        '{"entities": null}',
        '{"entities": "none"}',
        '{"confidence": 1}',
        '{"entities": [{"mention": "Lag',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"entities": [], "confidence": ' + "9" * 5000 + "}",
    ],
)
def test_anything_else_is_invalid_and_never_an_empty_list(raw: str):
    assert isinstance(parse_answer(raw), InvalidAnswer)


def test_an_endless_answer_is_invalid():
    assert isinstance(parse_answer(" " * LONGEST_ANSWER + ANSWER), InvalidAnswer)


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ("Lagos", "Lagos"),
        (["Lagos", "LOC"], "(list)"),
        ({"mention": "Lagos"}, "Lagos"),
        ({"mention": 7, "label": "LOC"}, "(int)"),
        ({"mention": " ", "label": "LOC"}, " "),
        (None, "(NoneType)"),
    ],
)
def test_an_item_that_is_no_labelled_mention_is_kept_as_such(item, shown):
    answer = parsed(json.dumps({"entities": [item, {"mention": "Ada", "label": "PER"}]}))
    assert answer.mentions == (Mention("Ada", "PER"),)
    assert [rejection.mention for rejection in answer.malformed] == [shown]


@pytest.mark.parametrize("occurrence", [0, -1, 1.5, "2", True, None, [1]])
def test_an_occurrence_that_cannot_be_is_left_out(occurrence):
    item = {"mention": "Ada", "label": "PER", "occurrence": occurrence}
    assert parsed(json.dumps({"entities": [item]})).mentions == (Mention("Ada", "PER"),)


@pytest.mark.parametrize(
    "confidence", ["high", 95, -0.1, True, float("nan"), float("inf"), 10**400]
)
def test_a_confidence_that_cannot_be_is_left_out(confidence):
    item = {"mention": "Ada", "label": "PER", "confidence": confidence}
    answer = parsed(json.dumps({"entities": [item], "confidence": confidence}))
    assert answer == ParsedAnswer((Mention("Ada", "PER"),), (), None)


def test_what_databases_refuse_is_replaced():
    answer = parsed(r'{"entities": [{"mention": "A\ud800\u0000", "label": "PER"}]}')
    assert answer.mentions[0].text == "A?\ufffd"


@given(st.text() | JSON.map(json.dumps) | JSON.map(lambda value: json.dumps({"entities": value})))
def test_no_answer_raises(raw):
    assert isinstance(parse_answer(raw), ParsedAnswer | InvalidAnswer)


@given(st.integers(0, len(ANSWER) - 1), st.characters())
def test_a_damaged_answer_gives_true_mentions_or_a_reason(at, character):
    answer = parse_answer(ANSWER[:at] + character + ANSWER[at + 1 :])
    if isinstance(answer, ParsedAnswer):
        assert len(answer.mentions) + len(answer.malformed) <= 1
    else:
        assert answer.reason
