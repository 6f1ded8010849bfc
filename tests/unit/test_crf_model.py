import numpy as np
import pycrfsuite
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.tagger.crf_model import read_weights

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
WORDS = ["we", "live", "in", "Ìbàdàn", "now", "w= --> ", "x: 1.0"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A crfsuite file, in which PER is unknown and the order of tags is crfsuite's."""
    path = tmp_path_factory.mktemp("model") / "m"
    trainer = pycrfsuite.Trainer("lbfgs", {"max_iterations": 20, "c1": 0.01}, verbose=False)
    trainer.append(
        [[word, "bias"] for word in WORDS], ["I-LOC", "O", "O", "B-LOC", "I-LOC", "O", "O"]
    )
    trainer.append([["in"], ["Ìbàdàn"]], ["O", "B-LOC"])
    trainer.train(str(path))
    return path.read_bytes()


@pytest.fixture(scope="module")
def weights(model):
    return read_weights(model, TAGS)


def test_the_tags_it_knows_come_in_the_readers_order(weights):
    assert weights.tags == ("O", "B-LOC", "I-LOC")


def test_weights_are_those_that_crfsuite_lists(model, weights):
    crfsuite = pycrfsuite.Tagger()
    crfsuite.open_inmemory(model)
    theirs = crfsuite.info()
    emissions = weights.emissions.toarray()
    names = {row: name.decode() for name, row in weights.rows.items()}

    assert set(names.values()) >= {feature for feature, _ in theirs.state_features}
    for (row, column), weight in np.ndenumerate(emissions):
        expected = theirs.state_features.get((names[row], weights.tags[column]), 0.0)
        assert weight == pytest.approx(expected, abs=1e-6)
    for (before, after), weight in np.ndenumerate(weights.transitions):
        step = (weights.tags[before], weights.tags[after])
        assert weight == pytest.approx(theirs.transitions.get(step, 0.0), abs=1e-6)


@given(st.data())
def test_a_file_that_ends_early_is_refused(model, data):
    end = data.draw(st.integers(0, len(model) - 1))

    with pytest.raises(ValueError, match="model"):
        read_weights(model[:end], TAGS)


@given(st.data())
def test_a_file_with_a_changed_byte_is_refused_or_read_but_never_crashes(model, data):
    place = data.draw(st.integers(0, len(model) - 1))
    changed = bytearray(model)
    changed[place] = data.draw(st.integers(0, 255))

    try:
        weights = read_weights(bytes(changed), TAGS)
    except ValueError:
        return
    assert np.isfinite(weights.emissions.data).all()
    assert np.isfinite(weights.transitions).all()


def test_a_model_of_other_tags_is_refused(model):
    with pytest.raises(ValueError, match="a model of the tags"):
        read_weights(model, ("O", "B-ORG", "I-ORG"))
