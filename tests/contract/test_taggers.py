"""What every tagger promises, whatever it is made of."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from tiny_transformer import write_tiny_transformer

from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError, ModelStoreError
from backend.settings import TaggerSettings
from backend.tagger.crf import CrfFamily
from backend.tagger.transformer import TransformerFamily
from backend.testing.taggers import FakeTaggerFamily
from backend.text.tokens import tokenise

SCHEME = LabelScheme(("LOC", "PER"))
CITIES = ["Lagos", "Accra", "Dakar", "Abuja", "Kumasi", "Ibadan", "Harare", "Lusaka"]
EXAMPLES = [
    Example(
        f"{city}{number}", f"{opening} {city}.", (Span(len(opening) + 1, len(opening) + 6, "LOC"),)
    )
    for city in CITIES
    for number, opening in enumerate(["They live in", "She went to", "We saw"])
    if len(city) == 5
]
NFD = unicodedata.normalize("NFD", "Ó ń gbé ní Ọ̀yọ́ àti Ẹ̀kọ́")
TEXTS = [
    "",
    "They live in Lagos.",
    " \n\t",
    "👩🏾‍🌾 went to Accra 🇬🇭",
    NFD,
    "\u200d\u00ad \ud800 \x00",
    "a" * 5_000,
    "የኢትዮጵያ ዋና ከተማ አዲስ አበባ ናት።",
]


@pytest.fixture(scope="module", params=["fake", "crf", "crf that reads", "transformer"])
def family(request, tmp_path_factory):
    if request.param == "fake":
        return FakeTaggerFamily()
    if request.param == "crf":
        return CrfFamily()
    if request.param == "crf that reads":
        unlabelled = [f"{example.text} {number}" for number in range(40) for example in EXAMPLES]
        return CrfFamily().with_texts([*TEXTS, *unlabelled])
    if find_spec("torch") is None or find_spec("transformers") is None:
        pytest.skip("the tagger extra (torch, transformers) is not installed")
    base = write_tiny_transformer(tmp_path_factory.mktemp("tiny"))
    return TransformerFamily(
        TaggerSettings(kind="transformer", base_model=str(base), epochs=1, min_steps=20)
    )


def train(family, examples=EXAMPLES, scheme=SCHEME):
    return family.train(examples, scheme, np.random.default_rng(7))


@pytest.fixture(scope="module")
def tagger(family):
    return train(family)


@pytest.fixture(scope="module")
def taggings(tagger):
    return tagger.tag(TEXTS)


def assert_equal(left, right):
    assert [one.spans for one in left] == [one.spans for one in right]
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


def test_a_tagger_is_of_its_familys_kind(family, tagger):
    assert tagger.kind == family.kind


def test_there_is_one_tagging_per_text_in_order(tagger, taggings):
    assert_equal(taggings, [tagger.tag([text])[0] for text in TEXTS])


def test_no_texts_have_no_taggings(tagger):
    assert tagger.tag([]) == []


def test_spans_are_sorted_inside_the_text_and_apart(taggings):
    for text, tagging in zip(TEXTS, taggings, strict=True):
        bounds = [bound for span in tagging.spans for bound in (span.start, span.end)]
        assert bounds == sorted(bounds)
        assert all(0 <= span.start < span.end <= len(text) for span in tagging.spans)


def test_labels_come_from_the_scheme_and_scores_from_0_to_1(taggings):
    spans = [span for tagging in taggings for span in tagging.spans]

    assert all(span.label in SCHEME for span in spans)
    assert all(0 <= span.score <= 1 for span in spans)


def test_each_token_has_a_row_of_probabilities(taggings):
    for text, tagging in zip(TEXTS, taggings, strict=True):
        assert tagging.probabilities.shape == (len(tokenise(text)), 5)
        assert (tagging.probabilities >= 0).all()
        np.testing.assert_allclose(tagging.probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_sequence_probability_is_a_probability(taggings):
    given = [tagging.sequence_probability for tagging in taggings]

    assert all(probability is None or 0 <= probability <= 1 for probability in given)


def test_a_text_of_100_kb_is_tagged_to_its_end(tagger):
    text = "They live in Lagos. " * 5_000

    tagging = tagger.tag([text])[0]

    assert len(tagging.probabilities) == len(tokenise(text))


def test_a_saved_tagger_answers_as_before(family, tagger, taggings, tmp_path):
    tagger.save(tmp_path)

    assert_equal(family.load(tmp_path).tag(TEXTS), taggings)


def test_nothing_saved_can_run_code(tagger, tmp_path):
    tagger.save(tmp_path)

    suffixes = {path.suffix for path in tmp_path.iterdir()}
    assert suffixes <= {".json", ".crfsuite", ".safetensors"}


def test_a_folder_without_a_tagger_is_refused(family, tmp_path):
    with pytest.raises(ModelStoreError):
        family.load(tmp_path)


def test_threads_may_share_a_tagger(tagger, taggings):
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(tagger.tag, [TEXTS] * 8))

    for answer in answers:
        assert_equal(answer, taggings)


def test_training_again_gives_the_same_tagger(family, taggings):
    assert_equal(train(family).tag(TEXTS), taggings)


def test_going_on_from_a_tagger_leaves_it_as_it_was(family, tagger, taggings):
    later = family.train(EXAMPLES, SCHEME, np.random.default_rng(8), start=tagger)

    assert later.kind == family.kind
    assert_equal(tagger.tag(TEXTS), taggings)


@pytest.mark.parametrize(
    "examples",
    [[], [Example("1", "no names here", ())], [Example("1", "Lagos", (Span(0, 5, "ORG"),))]],
    ids=["no examples", "no spans", "foreign labels"],
)
def test_without_a_span_of_the_scheme_there_is_nothing_to_learn(family, examples):
    with pytest.raises(InputError):
        train(family, examples)


def test_examples_may_be_empty_or_hold_impossible_labels(family):
    odd = [Example("e", "", ()), Example("o", "Lagos Inc", (Span(0, 9, "ORG"),))]

    tagging = train(family, [*EXAMPLES, *odd]).tag(["They live in Lagos."])[0]

    assert all(span.label in SCHEME for span in tagging.spans)


def test_progress_ends_at_the_last_text(tagger):
    seen = []

    tagger.tag(["Lagos"] * 250, lambda done, total, what="": seen.append((done, total)))

    assert seen[-1] == (250, 250)
