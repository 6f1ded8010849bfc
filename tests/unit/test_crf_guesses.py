import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import Example, LabelScheme, Span
from backend.settings import TaggerSettings
from backend.tagger import crf_guesses
from backend.tagger.crf import CrfFamily
from backend.tagger.crf_guesses import FOLDS, fold_of, folds, guesses, unlabelled
from backend.tagger.families import build_family

SCHEME = LabelScheme(("LOC", "PER"))
LETTERS = list("abdefgiklmnostu")
NAMES = [
    "".join(letters).capitalize() for letters in np.random.default_rng(2).choice(LETTERS, (80, 6))
]
CITIES, PEOPLE = NAMES[:40], NAMES[40:]


def example(frame, name, label):
    at = frame.index("_")
    return Example(name, frame.replace("_", name), (Span(at, at + len(name), label),))


LABELLED = [example("we live in _ now", name, "LOC") for name in CITIES[:8]]
LABELLED += [example("madam _ saw us", name, "PER") for name in PEOPLE[:8]]
TEXTS = [text for name in CITIES for text in (f"we live in {name} now", f"she lives in {name} too")]
TEXTS += [text for name in PEOPLE for text in (f"madam {name} saw us", f"so madam {name} saw it")]


def rng():
    return np.random.default_rng(0)


def train(family, examples=LABELLED, **options):
    return family.train(examples, SCHEME, rng(), **options)


def right(tagger):
    """Of names that have no label, out of context, the share that gets the right one."""
    wanted = [(name, 1, 3) for name in CITIES[8:]] + [(name, 3, 1) for name in PEOPLE[8:]]
    found = [tagging.probabilities[0] for tagging in tagger.tag([name for name, _, _ in wanted])]
    pairs = zip(found, wanted, strict=True)
    return np.mean([of_tag[this] > of_tag[other] for of_tag, (_, this, other) in pairs])


def test_a_word_is_taken_for_what_it_is_on_the_mean_of_its_places():
    city, nothing = [0.1, 0.8, 0.1, 0, 0], [0.9, 0, 0, 0.1, 0]

    found = guesses([["Accra", "is"], ["accra", "is"]], [np.array([city, nothing])] * 2)

    assert found == {"accra": (1, 3), "is": (0, 3)}


def test_a_word_that_occurs_once_is_not_guessed():
    assert guesses([["Accra"]], [np.array([[0, 1.0, 0]])]) == {}


def test_nothing_is_guessed_of_no_words():
    assert guesses([], []) == guesses([[]], [np.zeros((0, 3))]) == {}


@given(
    st.lists(st.lists(st.sampled_from(["a", "A", "b", "ẹ̀"]), max_size=5), max_size=5),
    st.integers(0, 9),
)
@settings(deadline=None)
def test_guesses_name_a_label_of_the_scheme_and_a_quarter(sentences, seed):
    drawn_shares = np.random.default_rng(seed).dirichlet(np.ones(5), sum(map(len, sentences)))
    ends = np.cumsum([len(words) for words in sentences])[:-1]
    found = guesses(sentences, np.split(drawn_shares, ends) if sentences else [])

    assert set(found) <= {word.lower() for words in sentences for word in words}
    assert all(0 <= label <= 2 and 1 <= step <= 4 for label, step in found.values())


def test_no_text_teaches_what_is_guessed_for_its_own_fold():
    rests = folds(LABELLED, SCHEME)

    assert len(rests) == FOLDS
    for fold, rest in enumerate(rests):
        assert {fold_of(each.text) for each in rest} == set(range(FOLDS)) - {fold}


@pytest.mark.parametrize(
    "examples",
    [
        [],
        LABELLED[:1],
        [Example(each.task_id, each.text, ()) for each in LABELLED],
        [Example(each.task_id, each.text, each.spans, weight=0.0) for each in LABELLED],
        [Example(each.task_id, each.text, each.spans, weight=0.5) for each in LABELLED],
        LABELLED[:1] * 5,
    ],
)
def test_there_are_no_folds_where_one_would_be_without_labels(examples):
    assert folds(examples, SCHEME) == []


def test_texts_in_plenty_are_sampled_whatever_their_order(monkeypatch):
    monkeypatch.setattr(crf_guesses, "MOST_TOKENS", 50)

    few = list(unlabelled(TEXTS, LABELLED))

    assert 8 <= len(few) <= 12
    assert list(unlabelled(TEXTS[::-1], LABELLED)) == few


def test_labelled_texts_are_not_guessed_about():
    labelled = {each.text for each in LABELLED}

    assert labelled & set(TEXTS)
    assert set(unlabelled(TEXTS * 2, LABELLED)) == set(TEXTS) - labelled


def test_nothing_is_guessed_where_labels_are_many(monkeypatch):
    assert not list(unlabelled(TEXTS[: 3 * len(LABELLED)], LABELLED))

    monkeypatch.setattr(crf_guesses, "MOST_LABELLED", len(LABELLED) - 1)
    assert not list(unlabelled(TEXTS, LABELLED))


@pytest.fixture(scope="module")
def family():
    return CrfFamily().with_texts(TEXTS)


def test_names_are_told_by_where_they_stand_in_texts_without_labels(family):
    assert right(train(CrfFamily())) < 0.8
    alone = CrfFamily(second_look=False).with_texts(TEXTS)
    assert not train(alone).lexicon.guesses
    assert right(train(family)) > 0.95


@pytest.mark.parametrize(
    "texts",
    [[], ["one"], [each.text for each in LABELLED], ["", " ", "..."], ["x " * 3000] * 3],
)
def test_few_texts_or_odd_ones_make_a_tagger_all_the_same(texts):
    tagger = train(CrfFamily().with_texts(texts))

    assert len(tagger.tag(["we live in Lagos now", ""])) == 2


@pytest.mark.parametrize("wanted", [1, 2])
def test_labels_too_few_for_two_folds_are_learnt_from_once(family, wanted):
    tagger = train(family, LABELLED[:1] * wanted)

    assert not tagger.lexicon.guesses


def test_what_progress_raises_stops_any_of_the_trainings(family):
    heard = []

    def stop(done, total, what=""):
        heard.append(done)
        if heard.count(1) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(family, progress=stop)


def test_equal_texts_and_labels_give_an_equal_tagger():
    one, other = (train(CrfFamily().with_texts(texts)) for texts in (TEXTS, TEXTS[::-1]))

    assert one.model == other.model
    assert one.lexicon == other.lexicon


def test_guesses_are_kept_with_the_model(family, tmp_path):
    tagger = train(family)
    tagger.save(tmp_path)

    loaded = CrfFamily().load(tmp_path)

    assert loaded.lexicon == tagger.lexicon
    for one, other in zip(tagger.tag(TEXTS[:5]), loaded.tag(TEXTS[:5]), strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_the_settings_switch_it_off():
    family = build_family(TaggerSettings(second_look=False)).with_texts(TEXTS)

    assert not train(family).lexicon.guesses
    assert train(build_family(TaggerSettings()).with_texts(TEXTS)).lexicon.guesses
