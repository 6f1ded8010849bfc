import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Span
from backend.errors import InputError
from backend.quality.name_swaps import compare_groups, variants

GROUPS = {"one": ["Amina", "Musa"], "other": ["Chukwuemeka", "Ọlá"]}
MENTIONS = st.sampled_from(["Amina", "Musa", "Ọlá", "Zed"])
PIECES = st.lists(
    st.tuples(st.text(max_size=4), MENTIONS, st.sampled_from(["PER", "LOC"])), max_size=6
)


def generator(seed=0):
    return np.random.default_rng(seed)


def built(pieces, end=""):
    text, spans = "", []
    for between, mention, label in pieces:
        text += between
        spans.append(Span(len(text), len(text) + len(mention), label))
        text += mention
    return text + end, spans


def outside(text, spans):
    """What stands between spans."""
    edges = [0, *(edge for span in sorted(spans) for edge in (span.start, span.end)), len(text)]
    return [text[at:to] for at, to in zip(edges[::2], edges[1::2], strict=True)]


@given(PIECES, st.text(max_size=4), st.booleans(), st.integers(0, 9))
def test_only_names_differ_and_every_span_is_where_it_was(pieces, end, every, seed):
    text, spans = built(pieces, end)
    known = {name for names in GROUPS.values() for name in names}
    swapped = [label == "PER" and (every or name in known) for _, name, label in pieces]

    found = variants(text, spans, "PER", GROUPS, generator(seed), every=every)

    if not any(swapped):
        assert found is None
        return
    for group, new in found.items():
        assert outside(new.text, new.spans) == outside(text, spans)
        assert [span.label for span in new.spans] == [span.label for span in spans]
        assert len(new.names) == sum(swapped)
        for was, span, put in zip(spans, new.spans, swapped, strict=True):
            mention = new.text[span.start : span.end]
            assert mention in GROUPS[group] if put else mention == text[was.start : was.end]
            assert (span in new.names) == put


def test_a_name_that_occurs_twice_is_swapped_for_one():
    text, spans = built([("", "Amina", "PER"), (" and ", "Amina", "PER")])

    new = variants(text, spans, "PER", GROUPS, generator())["other"]

    first, second = (new.text[span.start : span.end] for span in new.names)
    assert first == second


def test_texts_with_overlapping_spans_are_left_alone():
    assert (
        variants("Amina", [Span(0, 5, "PER"), Span(0, 3, "LOC")], "PER", GROUPS, generator())
        is None
    )


def swaps(texts):
    rng = generator(1)
    built_texts = [
        built([("", "Amina", "PER"), (f" no {at}: ", "Musa", "PER")]) for at in range(texts)
    ]
    return [variants(text, spans, "PER", GROUPS, rng) for text, spans in built_texts]


def test_a_tagger_that_misses_names_of_one_group_is_found():
    texts = swaps(40)
    given = {
        "one": [each["one"].names for each in texts],
        "other": [each["other"].names[:1] for each in texts],
    }

    found = compare_groups("PER", texts, given, generator())

    assert (found.texts, found.places) == (40, 80)
    assert found.recall["other"].value == pytest.approx(0.5)
    (pair,) = found.comparisons
    assert pair.is_significant()
    assert pair.difference.value == pytest.approx(0.5)


def test_one_that_finds_all_alike_is_not():
    texts = swaps(20)
    given = {group: [each[group].names for each in texts] for group in GROUPS}

    (pair,) = compare_groups("PER", texts, given, generator()).comparisons

    assert pair.p_value == 1
    assert pair.difference.value == 0


def test_names_that_occur_nowhere_are_told():
    with pytest.raises(InputError, match="--swap-every"):
        compare_groups("PER", [], {"one": [], "other": []}, generator())
