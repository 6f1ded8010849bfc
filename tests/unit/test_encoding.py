from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import ConfigurationError
from backend.tagger.encoding import (
    IGNORED,
    EncodedWindow,
    WordEncoder,
)
from backend.tagger.windows import Window, windows
from backend.text.bio import legal_starts, legal_transitions, tag_names
from backend.text.decoding import LegalDecoder

TAGS = tag_names(["PER", "LOC"])


@given(
    st.lists(st.integers(1, 12), max_size=60),
    st.integers(12, 30),
    st.integers(min_value=0, max_value=11),
)
def test_windows_keep_every_item_exactly_once_and_stay_in_size(lengths, size, overlap):
    cut = list(windows(lengths, size, overlap))

    kept = [item for window in cut for item in range(window.keep_start, window.keep_stop)]
    assert kept == list(range(len(lengths)))
    assert all(sum(lengths[window.start : window.stop]) <= size for window in cut)
    assert all(
        window.start <= window.keep_start < window.keep_stop <= window.stop for window in cut
    )


def test_kept_items_have_context_on_both_sides():
    middle = list(windows([1] * 30, size=10, overlap=4))[1]

    assert middle == Window(start=6, stop=16, keep_start=8, keep_stop=14)


def test_an_item_longer_than_a_window_has_one_for_itself():
    cut = list(windows([1, 50, 1], size=10, overlap=4))

    assert [(window.keep_start, window.keep_stop) for window in cut] == [(0, 1), (1, 2), (2, 3)]


def test_only_first_pieces_of_kept_words_are_labelled():
    part = EncodedWindow(Window(4, 7, 5, 7), pieces=[101, 7, 8, 9, 9, 10, 102], firsts=[1, 2, 5])

    labels = part.labelled(tag_ids=[0, 0, 0, 0, 1, 3, 4]).labels

    assert labels == [IGNORED, IGNORED, 3, IGNORED, IGNORED, 4, IGNORED]


def test_a_slow_tokeniser_is_refused_in_plain_words():
    with pytest.raises(ConfigurationError, match=r"tokenizer\.json"):
        WordEncoder(object(), max_pieces=64)


def test_inside_after_outside_is_never_decoded():
    #               O    B-PER I-PER B-LOC I-LOC
    rows = np.array([[0.6, 0.3, 0.1, 0.0, 0.0], [0.2, 0.1, 0.7, 0.0, 0.0]])

    best = LegalDecoder(TAGS).decode(rows)

    assert [TAGS[tag] for tag in best] == ["B-PER", "I-PER"]


@given(st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_decoded_tags_are_always_legal(n_tokens, seed):
    rows = np.random.default_rng(seed).dirichlet(np.full(len(TAGS), 0.3), size=n_tokens)

    best = LegalDecoder(TAGS).decode(rows)

    legal = legal_transitions(TAGS)
    assert len(best) == n_tokens
    assert all(legal_starts(TAGS)[best[:1]])
    assert all(legal[before, after] for before, after in pairwise(best))


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_decoded_sequence_is_the_likeliest_legal_one(n_tokens, seed):
    rows = np.random.default_rng(seed).dirichlet(np.full(len(TAGS), 0.5), size=n_tokens)
    legal, starts = legal_transitions(TAGS), legal_starts(TAGS)
    candidates = [
        path
        for path in np.ndindex(*[len(TAGS)] * n_tokens)
        if starts[path[0]] and all(legal[a, b] for a, b in pairwise(path))
    ]

    best = max(candidates, key=lambda path: np.prod([rows[i, tag] for i, tag in enumerate(path)]))

    assert LegalDecoder(TAGS).decode(rows) == list(best)
