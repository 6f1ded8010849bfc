import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import LabelScheme
from backend.llm.parsing import LONGEST_ANSWER, InvalidAnswer
from backend.llm.token_labels import Fate, Repair, TokenLabels
from backend.llm.token_lists import (
    align_token_lists,
    align_tokens,
    parse_token_lists,
    token_lists_in,
)

SCHEME = LabelScheme(("PER", "LOC"))
TEXT = ["Ada", "Obi", "saw", '""""', "Lagos", '""""', "."]
TAGS = ["B-PER", "I-PER", "O", "O", "B-LOC", "O", "O"]
PAIRS = [list(pair) for pair in zip(TEXT, TAGS, strict=True)]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TEXT),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def read(raw: str, *texts: list[str]) -> list[TokenLabels]:
    return align_token_lists(parse_token_lists(raw), texts or (TEXT,), SCHEME)


def tags(items: list[object], text: list[str] = TEXT) -> list[str]:
    return list(align_tokens(items, text, SCHEME).tags)


def without(*places: int) -> list[object]:
    return [pair for at, pair in enumerate(PAIRS) if at not in places]


class TestTheFormAskedFor:
    @pytest.mark.parametrize("value", [PAIRS, {"output": PAIRS}, {"output": {"record_0": PAIRS}}])
    def test_it_is_exact(self, value):
        (labels,) = read(json.dumps(value))
        assert (labels.fate, list(labels.tags), labels.repairs) == (Fate.EXACT, TAGS, {})

    def test_an_answer_to_two_texts_is_two_answers(self):
        raw = json.dumps({"output": {"record_1": PAIRS, "record_2": [["Lagos", "B-LOC"]]}})
        first, second = read(raw, TEXT, ["Lagos"])
        assert (list(first.tags), list(second.tags)) == (TAGS, ["B-LOC"])

    def test_two_lists_without_names_are_two_answers(self):
        first, second = read(json.dumps([PAIRS, [["Lagos", "B-LOC"]]]), TEXT, ["Lagos"])
        assert (list(first.tags), list(second.tags)) == (TAGS, ["B-LOC"])

    def test_an_answer_to_one_of_two_texts_costs_only_the_other(self):
        first, second = read(json.dumps({"output": {"record_1": PAIRS}}), ["Abuja"], TEXT)
        assert (first.fate, list(second.tags)) == (Fate.REJECTED, TAGS)

    def test_a_list_that_comes_twice_is_read_once(self):
        assert list(read(json.dumps({"output": PAIRS, "again": PAIRS}))[0].tags) == TAGS

    def test_no_tokens_is_no_answer(self):
        labels = align_tokens([], TEXT, SCHEME)
        assert (labels.fate, labels.reason) == (Fate.REJECTED, "the list is empty")
        assert set(labels.tags) == {"O"}


class TestBrokenJson:
    @pytest.mark.parametrize(
        "raw",
        [
            f"Here is the output:\n```json\n{json.dumps({'output': PAIRS})}\n```\nNote: [sic].",
            '{"output": [["Ada","B-PER"],["Obi","I-PER"],["saw","O"],["""""","O"],'
            '["Lagos","B-LOC"],["""""","O"],[".","O"]]}',
            '{"output": [["Ada","B-PER"],["Obi","I-PER"],["saw","O"],[""","O"],'
            '["Lagos","B-LOC"],[\'"\',"O"],[".","O"],]',
            str({"output": [tuple(pair) for pair in PAIRS]}),
            json.dumps({"output": PAIRS}).removesuffix("]}"),
            json.dumps(PAIRS).replace('], ["saw"', ', ["saw"'),
            json.dumps(PAIRS).replace('["saw"', '"saw"'),
            json.dumps(PAIRS).replace('"saw", ', '"saw" '),
            json.dumps(PAIRS).replace('"Obi", ', '"Obi, '),
            json.dumps(PAIRS).replace('"O"', "O").replace('"B-LOC"', "'B-LOC'"),
        ],
    )
    def test_it_is_read_in_full_and_counted(self, raw):
        (labels,) = read(raw)
        assert list(labels.tags) == TAGS
        assert labels.fate is Fate.REPAIRED
        assert labels.repairs[Repair.SYNTAX] == 1
        assert Repair.MISSING not in labels.repairs

    @pytest.mark.parametrize("between", [" ", "\t", "/", ": "])
    @pytest.mark.parametrize("after", ["\n", " ", ", "])
    def test_words_and_tags_without_any_json_are_read(self, between, after):
        (labels,) = read("Here:\n" + after.join(f"{token}{between}{tag}" for token, tag in PAIRS))
        assert list(labels.tags) == TAGS

    def test_an_answer_that_was_cut_off_keeps_what_it_has(self):
        raw = json.dumps(PAIRS)
        (labels,) = read(raw[: raw.index('"Lagos"') + 12])
        assert list(labels.tags) == ["B-PER", "I-PER", "O", "O", "O", "O", "O"]

    @pytest.mark.parametrize("raw", ["", "no names here", "{}", "null", "7", '"[["', "[" * 99_999])
    def test_anything_else_is_rejected_with_a_reason(self, raw):
        assert isinstance(parse_token_lists(raw), InvalidAnswer) or read(raw)[0].reason

    @pytest.mark.parametrize("depth", [15, 100, 900])
    def test_lists_in_lists_in_lists_are_read_or_rejected(self, depth):
        nested = "[" * depth + json.dumps(PAIRS) + "]" * depth
        for raw in (nested, f'["Ada", {nested}]'):
            for labels in read(raw):
                check(labels, TEXT)

    def test_an_endless_answer_is_rejected(self):
        assert isinstance(parse_token_lists(" " * LONGEST_ANSWER + "[]"), InvalidAnswer)


class TestItems:
    @pytest.mark.parametrize(
        "items",
        [
            [{"token": token, "label": tag} for token, tag in zip(TEXT, TAGS, strict=True)],
            [f"{token} {tag}" for token, tag in zip(TEXT, TAGS, strict=True)],
            [f"{token}/{tag}" for token, tag in zip(TEXT, TAGS, strict=True)],
            [[tag, token] for token, tag in zip(TEXT, TAGS, strict=True)],
            [[[token, tag]] for token, tag in zip(TEXT, TAGS, strict=True)],
            [[token, [tag]] for token, tag in zip(TEXT, TAGS, strict=True)],
            [value for pair in PAIRS for value in pair],
            TAGS,
        ],
    )
    def test_pairs_in_another_form_are_read(self, items):
        labels = align_tokens(items, TEXT, SCHEME)
        assert (list(labels.tags), labels.fate) == (TAGS, Fate.REPAIRED)

    def test_a_list_of_three_gives_its_label_to_both_tokens(self):
        text = ["Su", "Hainan", ",", "spoke"]
        assert tags([["Su", "Hainan", "B-PER"], [",", "O"], ["spoke", "O"]], text) == [
            "B-PER", "I-PER", "O", "O",
        ]  # fmt: skip

    def test_a_number_is_a_token(self):
        assert tags([["in", "O"], [2018, "B-LOC"]], ["in", "2018"]) == ["O", "B-LOC"]

    def test_a_bare_string_is_a_token_without_a_label(self):
        labels = align_tokens([*PAIRS[:4], "Lagos", *PAIRS[5:]], TEXT, SCHEME)
        assert labels.tags[4] == "O"
        assert labels.repairs[Repair.SHAPE] == 1

    def test_the_word_o_is_a_token_where_the_text_has_it(self):
        assert tags([["o", "O"], ["O", "B-PER"], ["Ada", "I-PER"]], ["o", "O", "Ada"]) == [
            "O", "B-PER", "I-PER",
        ]  # fmt: skip


class TestTokens:
    def test_a_missing_token_stays_outside(self):
        labels = align_tokens(without(1), TEXT, SCHEME)
        assert list(labels.tags) == ["B-PER", "O", *TAGS[2:]]
        assert labels.repairs == {Repair.MISSING: 1}

    def test_an_invented_token_labels_nothing(self):
        labels = align_tokens([["Mr", "B-PER"], *PAIRS], TEXT, SCHEME)
        assert (list(labels.tags), labels.repairs) == (TAGS, {Repair.EXTRA: 1})

    def test_a_merged_token_labels_all_its_parts(self):
        labels = align_tokens([["Ada Obi", "B-PER"], *PAIRS[2:]], TEXT, SCHEME)
        assert (list(labels.tags), labels.repairs) == (TAGS, {Repair.PIECES: 1})

    def test_punctuation_in_a_merged_token_stays_outside(self):
        assert tags([["Lagos,", "B-LOC"], ["Ada", "O"]], ["Lagos", ",", "Ada"]) == [
            "B-LOC",
            "O",
            "O",
        ]

    def test_a_split_token_is_labelled_if_one_of_its_parts_is(self):
        split = [["Lag", "B-LOC"], ["os", "O"]]
        assert tags([*PAIRS[:4], *split, *PAIRS[5:]]) == TAGS

    def test_a_split_token_with_two_labels_has_none(self):
        split = [["Lag", "B-LOC"], ["os", "B-PER"]]
        labels = align_tokens([*PAIRS[:4], *split, *PAIRS[5:]], TEXT, SCHEME)
        assert labels.tags[4] == "O"
        assert [rejection.mention for rejection in labels.rejected] == ["Lagos"]

    def test_an_altered_token_keeps_its_label(self):
        labels = align_tokens([*PAIRS[:4], ["Lagoos", "B-LOC"], *PAIRS[5:]], TEXT, SCHEME)
        assert (list(labels.tags), labels.repairs) == (TAGS, {Repair.ALTERED: 1})

    def test_another_word_in_the_place_of_a_token_does_not_label_it(self):
        labels = align_tokens([*PAIRS[:4], ["Kumasi", "B-LOC"], *PAIRS[5:]], TEXT, SCHEME)
        assert labels.tags[4] == "O"

    def test_an_answer_about_another_text_is_rejected(self):
        labels = align_tokens([["Kofi", "B-PER"], ["rests", "O"], [".", "O"]], TEXT, SCHEME)
        assert labels.reason == "labels only 1 of the text's 7 tokens"


class TestLabels:
    def test_a_label_outside_the_scheme_is_rejected_and_the_rest_is_kept(self):
        labels = align_tokens([*PAIRS[:4], ["Lagos", "B-CITY"], *PAIRS[5:]], TEXT, SCHEME)
        assert list(labels.tags) == ["B-PER", "I-PER", "O", "O", "O", "O", "O"]
        assert [(item.mention, item.label) for item in labels.rejected] == [("Lagos", "B-CITY")]
        assert labels.repairs == {Repair.LABEL_UNKNOWN: 1}

    def test_labels_in_another_form_are_counted(self):
        given_tags = ["b-per", "I-Person", "O", "O", "LOC", "O", "O"]
        labels = align_tokens(list(zip(TEXT, given_tags, strict=True)), TEXT, SCHEME)
        assert list(labels.tags) == TAGS
        assert labels.repairs[Repair.LABEL_FORM] == 3

    def test_an_i_that_follows_nothing_opens_a_span(self):
        labels = align_tokens([["Ada", "I-PER"]], ["Ada"], SCHEME)
        assert (labels.tags, labels.repairs) == (("B-PER",), {Repair.TAG_ORDER: 1})


def check(labels: TokenLabels, text: list[str]) -> None:
    """One legal tag for each token, of the scheme only; all O where there is a reason."""
    assert len(labels.tags) == len(text)
    assert set(labels.tags) <= {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}
    assert labels.fate is not Fate.REJECTED or set(labels.tags) <= {"O"}
    before = "O"
    for tag in labels.tags:
        assert tag[:1] != "I" or before[2:] == tag[2:]
        before = tag


@given(st.text() | JSON.map(json.dumps))
def test_no_answer_raises(raw):
    check(read(raw)[0], TEXT)


@given(JSON)
def test_no_json_value_raises(value):
    for labels in align_token_lists(token_lists_in(value), [TEXT], SCHEME):
        check(labels, TEXT)


ODD_TEXTS = st.text(
    st.sampled_from("aAáÁọ\u0323\u0301\u200b\u00ad\"'“”’ \\[],{}:-.1OBI\U0001f600"), max_size=30
)


@given(ODD_TEXTS.map(str.split), st.randoms(use_true_random=False))
def test_any_text_is_read_back_exactly_from_sound_json(text, random):
    wanted = [random.choice(["O", "B-PER", "B-LOC"]) for _ in text]
    raw = json.dumps({"output": list(zip(text, wanted, strict=True))})
    (labels,) = read(raw, text)
    assert list(labels.tags) == wanted
    assert labels.fate is Fate.EXACT or not text


SIGNS = ['"', "'", "[", "]", "{", "}", ",", ":", "\\", "\n", "\u200b", "“", "7", ""]


def damaged(raw: str, random: Random) -> str:
    """A sign or nothing in the place of up to ten characters, once or twice."""
    for _ in range(random.randint(1, 2)):
        at = random.randrange(len(raw))
        raw = raw[:at] + random.choice(SIGNS) + raw[at + random.choice([0, 1, 3, 10]) :]
    return raw


def test_a_damaged_answer_labels_nothing_that_it_did_not_label_before():
    random = Random(7)
    sound = json.dumps({"output": PAIRS})
    rejected = 0
    for _ in range(2000):
        raw = damaged(sound, random)
        (labels,) = read(raw)
        check(labels, TEXT)
        new = [a for a, b in zip(labels.tags, TAGS, strict=True) if a != "O" and a[2:] != b[2:]]
        assert new == [], raw
        rejected += labels.fate is Fate.REJECTED
    assert rejected < 200
