"""What several annotators come to: spans, doubts, and who is worth what."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Span
from backend.quality.crowd import Marked, aggregate, majority
from backend.quality.crowd_report import (
    adjudication_queue,
    annotator_qualities,
    pairwise_agreement,
)
from backend.quality.intervals import mean_interval
from backend.quality.span_f1 import span_scores
from backend.testing.simulated_crowd import IDLE, SPAMMER, Person, simulated_crowd

LABELS = ("PER", "LOC")
LAGOS, AMINA = Span(0, 5, "LOC"), Span(6, 11, "PER")

spans = st.lists(
    st.builds(
        lambda at, label: Span(4 * at, 4 * at + 3, label),
        st.integers(0, 4),
        st.sampled_from(LABELS),
    ),
    max_size=4,
    unique_by=lambda span: span.start,
).map(lambda found: tuple(sorted(found)))
annotations = st.dictionaries(st.sampled_from("abcde"), spans, min_size=1)


def texts_of(marked):
    return [Marked(str(at), by_annotator) for at, by_annotator in enumerate(marked)]


class TestMajority:
    @given(annotations)
    def test_it_is_what_more_than_half_gave(self, by_annotator):
        counts = Counter(span for given_spans in by_annotator.values() for span in given_spans)

        expected = sorted(s for s, count in counts.items() if 2 * count > len(by_annotator))

        assert list(majority(Marked("1", by_annotator))) == expected

    def test_of_two_only_what_both_gave(self):
        assert majority(Marked("1", {"a": (LAGOS, AMINA), "b": (LAGOS,)})) == (LAGOS,)


class TestAggregation:
    @given(spans, st.integers(1, 5), st.integers(1, 4))
    def test_where_all_agree_it_is_what_they_say(self, agreed, annotators, texts):
        by_annotator = dict.fromkeys("abcde"[:annotators], agreed)

        crowd = aggregate(texts_of([by_annotator] * texts), LABELS)

        assert [text.spans for text in crowd.texts] == [agreed] * texts
        assert adjudication_queue(crowd) == []

    @given(st.lists(spans, min_size=1, max_size=5))
    def test_one_annotator_is_believed(self, read):
        crowd = aggregate(texts_of([{"a": found} for found in read]), LABELS)

        assert [text.spans for text in crowd.texts] == read

    @given(st.lists(annotations, min_size=1, max_size=6))
    def test_spans_come_from_somebody_and_never_overlap(self, marked):
        crowd = aggregate(texts_of(marked), LABELS)

        for text, by_annotator in zip(crowd.texts, marked, strict=True):
            assert set(text.spans) <= {span for found in by_annotator.values() for span in found}
            assert all(a.end <= b.start for a, b in zip(text.spans, text.spans[1:], strict=False))
            assert 0 <= text.weight <= 1

    def test_where_nobody_marked_anything_there_is_nothing_and_no_doubt(self):
        crowd = aggregate(texts_of([{"a": (), "b": ()}]), LABELS)

        assert (crowd.texts[0].spans, crowd.texts[0].weight) == ((), 1.0)

    def test_a_scheme_of_one_label_works(self):
        crowd = aggregate(texts_of([{"a": (AMINA,), "b": (AMINA,), "c": ()}] * 3), ("PER",))

        assert all(text.spans == (AMINA,) for text in crowd.texts)

    def test_two_good_annotators_outvote_three_who_do_not_read(self):
        people = [Person.of_quality(0.95)] * 2 + [SPAMMER] * 3
        world = simulated_crowd(people, LABELS, np.random.default_rng(1), texts=100, each=5)

        crowd = aggregate(texts_of(world.marked), LABELS)

        scores = span_scores(
            (gold, text.spans) for gold, text in zip(world.gold, crowd.texts, strict=True)
        )
        assert scores.f1 > 0.85

    def test_it_beats_the_majority_on_people_of_unequal_quality(self):
        people = [Person.of_quality(f1) for f1 in (0.95, 0.9, 0.8, 0.6, 0.5)] + [SPAMMER]
        gains = []
        for seed in range(8):
            world = simulated_crowd(people, LABELS, np.random.default_rng(seed), texts=150, each=3)
            texts = texts_of(world.marked)
            crowd = aggregate(texts, LABELS)
            ours = span_scores(zip(world.gold, (t.spans for t in crowd.texts), strict=True)).f1
            gains.append(ours - span_scores(zip(world.gold, map(majority, texts), strict=True)).f1)

        assert mean_interval(gains).low > 0.03


@pytest.fixture(scope="module")
def judged():
    """Five people, one who does not look and one who submits nothing; and their true F1."""
    people = [Person.of_quality(f1) for f1 in (0.95, 0.9, 0.85, 0.8, 0.6)]
    people += [SPAMMER, IDLE]
    world = simulated_crowd(people, LABELS, np.random.default_rng(3), texts=300, each=3)
    texts = texts_of(world.marked)
    true = [
        span_scores(
            (gold, marked[f"p{who:02}"])
            for gold, marked in zip(world.gold, world.marked, strict=True)
            if f"p{who:02}" in marked
        ).f1
        for who in range(len(people))
    ]
    return annotator_qualities(aggregate(texts, LABELS), texts), true


class TestTheAnnotators:
    def test_their_quality_is_estimated_without_gold(self, judged):
        found, true = judged

        assert [one.quality.value for one in found] == pytest.approx(true, abs=0.06)

    def test_who_does_not_read_is_found_and_nobody_else(self, judged):
        assert [one.name for one in judged[0] if one.spammer] == ["p05", "p06"]

    def test_each_label_is_judged_by_itself(self):
        blind_to_places = Person(0.0, 0.0, 0.0, 0.0)
        world = simulated_crowd([blind_to_places] * 3, LABELS, np.random.default_rng(0), texts=60)
        marked = [
            {**it, "p00": tuple(span for span in it["p00"] if span.label == "PER")}
            for it in world.marked
        ]
        texts = texts_of(marked)

        first = annotator_qualities(aggregate(texts, LABELS), texts)[0]

        assert first.by_label["PER"] > 0.95
        assert first.by_label["LOC"] < 0.1

    def test_somebody_who_labelled_alone_is_not_judged(self):
        texts = texts_of([{"a": (LAGOS,)}, {"b": (AMINA,)}])

        assert {
            (one.agreement, one.quality, one.spammer)
            for one in annotator_qualities(aggregate(texts, LABELS), texts)
        } == {(None, None, False)}

    def test_agreement_of_two_is_the_same_from_both_sides(self):
        texts = texts_of([{"a": (LAGOS, AMINA), "b": (LAGOS,)}, {"b": (AMINA,), "a": ()}])

        assert pairwise_agreement(texts)[("a", "b")].f1 == pytest.approx(2 / 4)


def test_the_most_contested_text_comes_first():
    calm = {"a": (LAGOS,), "b": (LAGOS,), "c": (LAGOS,)}
    split = {"a": (LAGOS,), "b": (), "c": (Span(0, 5, "PER"),)}
    nearly = {"a": (LAGOS,), "b": (LAGOS,), "c": ()}

    queue = adjudication_queue(aggregate(texts_of([calm, nearly, split, calm]), LABELS))

    assert [text.task_id for text in queue] == ["2", "1"]
