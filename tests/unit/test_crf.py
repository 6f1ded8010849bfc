import json

import numpy as np
import pycrfsuite
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import Example, LabelScheme, Span
from backend.errors import ModelStoreError
from backend.tagger import crf, crf_emissions
from backend.tagger.crf import DESCRIPTION_FILE, LEXICON_FILE, MODEL_FILE, CrfFamily
from backend.tagger.crf_features import sentence_features, words_of
from backend.text.bio import from_bio
from backend.text.tokens import tokenise

SCHEME = LabelScheme(("LOC", "PER"))
CITIES = ["Lagos", "Accra", "Dakar", "Abuja", "Ibadan", "Kumasi"]
EXAMPLES = [
    Example(str(number), f"we live in {city} now", (Span(11, 11 + len(city), "LOC"),))
    for number, city in enumerate(CITIES)
]


def train(examples=EXAMPLES, scheme=SCHEME, **options):
    return CrfFamily(**options).train(examples, scheme, np.random.default_rng(0))


@pytest.fixture(scope="module")
def tagger():
    return train()


@pytest.fixture(scope="module")
def saved_model(tagger, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    tagger.save(folder)
    return (folder / MODEL_FILE).read_bytes()


def test_it_finds_names_it_never_saw_where_names_stand(tagger):
    assert tagger.tag(["we live in Bamako now"])[0].spans == (Span(11, 17, "LOC"),)


def test_labels_that_were_never_seen_have_no_probability(tagger):
    probabilities = tagger.tag(["we live in Lagos now"])[0].probabilities

    assert probabilities.shape == (5, 5)
    assert not probabilities[:, 3:].any()


def test_the_best_sequence_is_no_likelier_than_its_least_likely_tag(tagger):
    tagging = tagger.tag(["in Bamako we live"])[0]

    assert 0 < tagging.sequence_probability <= tagging.probabilities.max(axis=1).min() + 1e-9


def test_a_weight_counts_like_copies_of_the_example():
    def weighted(weight):
        return Example("x", "we met Amina", (Span(7, 12, "PER"),), weight)

    thrice = train([*EXAMPLES, weighted(3.0)]).tag(["Amina"])[0].probabilities
    copied = train([*EXAMPLES, *[weighted(1.0)] * 3]).tag(["Amina"])[0].probabilities

    np.testing.assert_allclose(thrice, copied)


def test_an_example_without_weight_does_not_count():
    ignored = Example("x", "we met Amina", (Span(7, 12, "PER"),), weight=0.0)

    with_it, without = train([*EXAMPLES, ignored]), train(EXAMPLES)

    np.testing.assert_array_equal(
        with_it.tag(["Amina"])[0].probabilities, without.tag(["Amina"])[0].probabilities
    )


def test_what_progress_raises_stops_the_training():
    def stop(done, total, what=""):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CrfFamily().train(EXAMPLES, SCHEME, np.random.default_rng(0), stop)


def test_progress_counts_iterations():
    seen = []
    CrfFamily(iterations=5).train(
        EXAMPLES, SCHEME, np.random.default_rng(0), lambda done, total, what="": seen.append(done)
    )

    assert seen == [1, 2, 3, 4, 5]


def test_names_across_the_edges_of_windows_are_found(tagger):
    text = "we live in Lagos now " * 1_000

    found = tagger.tag([text])[0].spans

    assert [text[span.start : span.end] for span in found] == ["Lagos"] * 1_000


@pytest.fixture
def saved(tagger, tmp_path):
    tagger.save(tmp_path)
    return tmp_path


def test_a_folder_holds_json_and_crfsuite_files_only(saved):
    assert {path.name for path in saved.iterdir()} == {DESCRIPTION_FILE, LEXICON_FILE, MODEL_FILE}
    assert json.loads((saved / DESCRIPTION_FILE).read_text())["labels"] == ["LOC", "PER"]


def test_a_newer_format_is_refused(saved):
    (saved / DESCRIPTION_FILE).write_text('{"format": 99, "labels": []}')

    with pytest.raises(ModelStoreError, match="format 99"):
        CrfFamily().load(saved)


@pytest.mark.parametrize("content", [b"", b"nonsense" * 20, b"lCRF"])
def test_a_damaged_model_file_is_refused(saved, content):
    (saved / MODEL_FILE).write_bytes(content)

    with pytest.raises(ModelStoreError, match="no usable CRF"):
        CrfFamily().load(saved)


WORDS = st.sampled_from(["we", "live", "in", "now", "Lagos", "Amina", "eGoli", "2024", ".", "ẹ̀kọ́"])


@given(st.lists(st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=30), max_size=6))
@settings(deadline=None, max_examples=60)
def test_it_decodes_as_crfsuite_itself_does(tagger, saved_model, sentences):
    texts = [" ".join(words) for words in sentences]
    crfsuite = pycrfsuite.Tagger()
    crfsuite.open_inmemory(saved_model)

    for text, tagging in zip(texts, tagger.tag(texts), strict=True):
        tokens = tokenise(text)
        if not tokens:
            continue
        crfsuite.set(sentence_features(words_of(text, tokens)))
        best = crfsuite.tag()
        assert tagging.sequence_probability == pytest.approx(crfsuite.probability(best))
        assert list(tagging.spans) == from_bio(tokens, best)
        for column, tag in enumerate(["O", "B-LOC", "I-LOC"]):
            if tag in crfsuite.labels():
                theirs = [crfsuite.marginal(tag, place) for place in range(len(tokens))]
                np.testing.assert_allclose(tagging.probabilities[:, column], theirs, atol=1e-6)


def test_batches_do_not_change_an_answer(tagger):
    texts = ["we live in Bamako now", "", "x " * 40_000, "in Kano", *["we met Amina ."] * 9_000]

    together = tagger.tag(texts)

    for place in (0, 1, 3, 4, -1):
        (alone,) = tagger.tag([texts[place]])
        assert together[place].spans == alone.spans
        np.testing.assert_allclose(together[place].probabilities, alone.probabilities, atol=1e-9)


@pytest.mark.parametrize(
    "text", ["", " ", "Lagos", "x " * 1_000, "A" * 100_000, "\ud800 in \0 Lagos"]
)
def test_every_text_has_an_answer(tagger, text):
    (tagging,) = tagger.tag([text])

    assert len(tagging.probabilities) == len(tokenise(text))
    assert np.isfinite(tagging.probabilities).all()
    assert 0 <= tagging.sequence_probability <= 1


def test_one_label_is_enough():
    tagger = train(scheme=LabelScheme(("LOC",)))

    assert tagger.tag(["we live in Bamako now"])[0].spans == (Span(11, 17, "LOC"),)


def test_more_words_than_are_remembered_change_nothing(tagger, monkeypatch):
    texts = [f"we live in Lagos{number} now" for number in range(20)]
    expected = tagger.tag(texts)
    monkeypatch.setattr(crf, "_BATCH_TOKENS", 10)
    monkeypatch.setattr(crf_emissions, "_MOST_WORDS", 10)

    for one, other in zip(tagger.tag(texts), expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-9)
