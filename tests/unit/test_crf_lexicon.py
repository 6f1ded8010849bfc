import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import Example, LabelScheme, Span
from backend.errors import ModelStoreError
from backend.protocols import Reading, reading
from backend.tagger import crf_lexicon
from backend.tagger.auxiliary import AuxiliaryFamily
from backend.tagger.crf import DESCRIPTION_FILE, LEXICON_FILE, CrfFamily
from backend.tagger.crf_features import features_by_distance, sentence_features
from backend.tagger.crf_lexicon import CLASSES, NO_LEXICON, Lexicon, lexicon_of
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("LOC", "PER"))
LETTERS = list("abdefgiklmnostu")
WORDS = ["".join(letters) for letters in np.random.default_rng(1).choice(LETTERS, (75, 6))]
CITIES = [word.capitalize() for word in WORDS[:25]] * 2
PEOPLE = [word.capitalize() for word in WORDS[25:50]] * 2
VERBS = WORDS[50:] * 2
SENTENCES = [
    sentence
    for city, person, verb in zip(CITIES, PEOPLE, VERBS, strict=True)
    for sentence in (["we", "live", "in", city, "now"], ["madam", person, verb, "us", "today"])
]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def lexicon():
    return lexicon_of(SENTENCES, rng())


def test_words_that_stand_in_the_same_places_share_a_class(lexicon):
    cities = {lexicon.classes[city.lower()][0] for city in CITIES}
    people = {lexicon.classes[person.lower()][0] for person in PEOPLE}

    assert not cities & people
    assert len(cities) < len(set(CITIES)) / 2


def test_there_is_a_class_at_each_granularity_that_the_words_suffice_for(lexicon):
    words = len({word for sentence in SENTENCES for word in sentence})
    granularities = sum(2 * size <= words for size in CLASSES)

    assert {len(classes) for classes in lexicon.classes.values()} == {granularities}
    assert 0 < granularities < len(CLASSES)


def test_a_capital_says_more_where_the_word_is_never_written_without_one():
    known = lexicon_of([["The", "sun"], ["the", "Nile"]], rng())

    assert known.of_word("The") == (b"also small",)
    assert known.of_word("Nile") == (b"never small",)
    assert known.of_word("sun") == known.of_word("2024") == ()


def test_an_empty_lexicon_has_no_features():
    assert NO_LEXICON.of_word("Nile") == NO_LEXICON.of_neighbour("Nile") == ()


@pytest.mark.parametrize("sentences", [[], [[]], [["one"]], [["x"] * 400], [["a", "b"] * 200]])
def test_few_words_make_no_classes(sentences):
    assert lexicon_of(sentences, rng()).classes == {}


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), max_size=12)),
    st.integers(1, 40),
)
@settings(deadline=None, max_examples=40)
def test_any_words_make_a_lexicon_that_is_kept_whole(sentences, copies):
    made = lexicon_of(sentences * copies, rng(1))

    assert made == lexicon_of(sentences * copies, rng(1)) == Lexicon.from_json(made.to_json())
    for numbers in made.classes.values():
        assert all(0 <= number < size for number, size in zip(numbers, CLASSES, strict=False))


def test_texts_in_plenty_are_sampled(monkeypatch):
    monkeypatch.setattr(crf_lexicon, "MOST_TOKENS", 100)
    sentences = [[f"w{number}"] * 10 for number in range(1_000)]

    assert len(lexicon_of(sentences, rng()).small) == 10


@given(st.lists(st.sampled_from([*CITIES, "now", "We", "", "we"]), max_size=8))
@settings(deadline=None)
def test_training_and_scoring_see_the_same(lexicon, words):
    plain = [set(names) for names in sentence_features(words)]
    informed = [set(names) for names in sentence_features(words, lexicon)]
    own, beside, far = features_by_distance(words, lexicon)

    for place, (before, after) in enumerate(zip(plain, informed, strict=True)):
        expected = set(own[place])
        if place > 0:
            expected |= {b"-1" + name for name in beside[place - 1]}
        if place + 1 < len(words):
            expected |= {b"+1" + name for name in beside[place + 1]}
        assert after == before | expected
    assert [list(names) for names in far] == [
        list(names) for names in features_by_distance(words)[2]
    ]


def examples():
    labelled = [(name, "LOC") for name in CITIES[:10]] + [(name, "PER") for name in PEOPLE[:10]]
    return [Example(name, name, (Span(0, len(name), label),)) for name, label in labelled]


TEXTS = [" ".join(words) for words in SENTENCES]


def right(family):
    """Of names that have no label, out of context, the share that gets the right one."""
    tagger = family.train(examples(), SCHEME, rng())
    loc, per = 1, 3
    wanted = [(name, loc, per) for name in CITIES[10:25]]
    wanted += [(name, per, loc) for name in PEOPLE[10:25]]
    found = [tagging.probabilities[0] for tagging in tagger.tag([name for name, _, _ in wanted])]
    pairs = zip(found, wanted, strict=True)
    return np.mean([of_tag[this] > of_tag[other] for of_tag, (_, this, other) in pairs])


def test_a_name_is_told_by_its_class_where_nothing_else_tells():
    assert right(CrfFamily()) < 0.8
    assert right(CrfFamily().with_texts(TEXTS)) > 0.95


def test_reading_leaves_the_family_as_it_was():
    family = CrfFamily(iterations=7)

    informed = family.with_texts(TEXTS)

    assert family.lexicon == NO_LEXICON
    assert informed.parameters == family.parameters
    assert informed.lexicon.classes


def test_the_order_of_the_texts_does_not_matter():
    backwards = CrfFamily().with_texts(TEXTS[::-1])

    assert backwards.lexicon == CrfFamily().with_texts(TEXTS).lexicon


def test_labels_of_other_languages_do_not_hide_the_family_that_reads():
    family = AuxiliaryFamily(CrfFamily(), {})

    tagger = reading(family, TEXTS).train(examples(), SCHEME, rng())

    assert isinstance(family, Reading)
    assert tagger.tagger.lexicon.classes


def test_a_family_that_cannot_read_is_used_as_it_is():
    family = FakeTaggerFamily()

    assert reading(family, TEXTS) is family


@pytest.fixture
def saved(tmp_path):
    CrfFamily().with_texts(TEXTS).train(examples(), SCHEME, rng()).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"classes": {"a": 3}, "small": []}'])
def test_a_damaged_lexicon_is_refused(saved, content):
    (saved / LEXICON_FILE).write_text(content)

    with pytest.raises(ModelStoreError, match="no usable CRF"):
        CrfFamily().load(saved)


def test_a_tagger_from_before_there_were_lexicons_is_read(tmp_path):
    tagger = CrfFamily().train(examples(), SCHEME, rng())
    tagger.save(tmp_path)
    (tmp_path / DESCRIPTION_FILE).write_text(json.dumps({"format": 1, "labels": ["LOC", "PER"]}))
    (tmp_path / LEXICON_FILE).unlink()

    old = CrfFamily().load(tmp_path)

    assert old.tag(TEXTS[:1])[0].spans == tagger.tag(TEXTS[:1])[0].spans
