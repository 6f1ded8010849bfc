import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from backend.domain import Span
from backend.quality.change import Limits
from backend.quality.drift import LabelEvent, drift_of, measures_of, watch_limits
from backend.quality.input_shift import Surprise, distance
from backend.quality.span_f1 import span_scores

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
GOLD = (Span(0, 5, "PER"), Span(14, 18, "LOC"))
TEXT = "Amina went to Kano"
WORDS = st.text(st.sampled_from("abcde "), max_size=12)
SPANS = st.lists(st.sampled_from([*GOLD, Span(6, 10, "ORG")]), unique=True).map(tuple)


def generator(seed=0):
    return np.random.default_rng(seed)


def event(at, **changes):
    given = {"task_id": str(at), "text": TEXT, "accepted": GOLD, "annotator": "ada"} | changes
    return LabelEvent(MONDAY + timedelta(hours=at), **given)


def summed_up(events, **options):
    """Periods; nothing is watched closely."""
    return drift_of(events, Limits(5, 5, 0.05, np.full(6, 1e9)), generator(), **options)


class TestDistances:
    @given(st.lists(WORDS.filter(bool), min_size=1, max_size=9), st.integers(0, 9))
    @settings(max_examples=30)
    def test_from_the_same_texts_is_nothing(self, texts, seed):
        found = distance(texts, texts, generator(seed), permutations=9)

        assert found.value == pytest.approx(0, abs=1e-6)
        assert found.p_value == 1

    def test_it_is_that_of_scipy(self):
        found = distance(["aab"], ["abb"], generator(), permutations=1)

        pairs = np.array([[1, 1, 1, 0], [1, 0, 1, 1]])  # ^a aa ab bb
        assert found.value == pytest.approx(jensenshannon(*pairs, base=2))

    def test_texts_of_another_script_are_as_far_as_can_be(self):
        found = distance(["abab"] * 20, ["вгвг"] * 20, generator(), permutations=99)

        assert found.value == pytest.approx(1)
        assert found.p_value == pytest.approx(0.01)

    def test_marks_that_some_texts_have_lost_are_seen(self):
        rng = generator(4)
        syllables = [base + mark for base in "aeiou" for mark in ("\u0300", "\u0301", "")]

        def text():
            return " ".join("b" + "d".join(rng.choice(syllables, size=3)) for _ in range(12))

        later = [text() for _ in range(100)]
        plain = [re.sub("[\u0300\u0301]", "", each) for each in later[:12]] + later[12:]

        found = distance([text() for _ in range(100)], plain, rng)

        assert found.p_value < 0.05

    def test_chance_alone_makes_small_p_values_rare(self):
        rng = generator(1)
        texts = ["".join(rng.choice(list("abcdef"), size=9)) for _ in range(2000)]
        p_values = [
            distance(texts[at : at + 10], texts[at + 10 : at + 20], rng, 39).p_value
            for at in range(0, 2000, 20)
        ]

        assert np.mean(np.array(p_values) <= 0.1) < 0.2

    @pytest.mark.parametrize(("earlier", "later"), [([], ["a"]), (["a"], []), ([], [])])
    def test_from_nothing_there_is_none(self, earlier, later):
        assert distance(earlier, later, generator()) is None

    def test_empty_texts_are_alike(self):
        assert distance(["", ""], [""], generator(), 9).value == 0


class TestSurprise:
    @given(st.lists(WORDS, max_size=9), WORDS)
    def test_it_is_never_less_than_nothing(self, texts, text):
        assert Surprise(texts).of(text) >= 0

    def test_known_texts_surprise_less(self):
        surprise = Surprise(["Amina went to Kano"] * 9)

        assert surprise.of("Amina went to Kano") < 1 < surprise.of("uZodwa waya eThekwini")

    def test_what_follows_any_beginning_is_a_distribution(self):
        surprise = Surprise(["abba", "bab"])
        characters = ["a", "b", "?"]

        total = sum(2 ** (-2 * surprise.of("a" + c) + surprise.of("a")) for c in characters)

        assert total == pytest.approx(1)

    def test_an_empty_text_is_no_surprise(self):
        assert Surprise([]).of("") == 0


class TestMeasures:
    @given(st.lists(st.tuples(SPANS, SPANS), max_size=12))
    def test_edits_are_the_span_f1_of_what_was_shown(self, pairs):
        events = [event(at, shown=shown, accepted=gold) for at, (shown, gold) in enumerate(pairs)]
        scores = span_scores((gold, shown) for shown, gold in pairs)

        found = summed_up(events, labels_a_period=20) if events else None

        edited = found.periods[0].edited if found else None
        if scores.true_positives + scores.false_positives + scores.false_negatives:
            assert edited.value == pytest.approx(1 - scores.f1)
        else:
            assert edited is None

    def test_each_label_has_the_measures_that_it_can_have(self):
        events = [
            event(0, shown=GOLD, confidence=0.5),
            event(1, shown=GOLD[:1]),
            event(2, hidden=()),
            event(3, shown=(), accepted=()),
        ]

        found = measures_of(events, reference=3)

        assert found["suggestions accepted"] == {0: 1.0, 1: 0.0, 3: 1.0}
        assert found["suggested spans kept"] == {0: 1.0, 1: pytest.approx(2 / 3)}
        assert found["quality, blind"] == {2: 0.0}
        assert found["confidence"] == {0: 0.5}
        assert list(found["strangeness of texts"]) == [3]

    def test_annotators_agree_with_others_and_not_with_themselves(self):
        events = [
            event(0, task_id="t"),
            event(1, task_id="t"),
            event(2, task_id="t", annotator="ben", accepted=GOLD[:1]),
        ]

        assert measures_of(events)["agreement"] == {2: pytest.approx(2 / 3)}

    def test_agreement_counts_when_the_later_label_was_given(self):
        events = [event(0, task_id="t"), event(1), event(2, task_id="t", annotator="ben")]

        periods = summed_up(events, labels_a_period=1).periods

        assert [period.agreement and period.agreement.value for period in periods] == [
            None,
            None,
            1,
        ]


class TestPeriods:
    def test_labels_are_summed_up_by_week_in_order(self):
        events = [event(24 * 7), event(0), event(24 * 6)]

        periods = summed_up(events).periods

        assert [(each.name, each.labels) for each in periods] == [("2026-W10", 2), ("2026-W11", 1)]

    def test_and_by_version(self):
        events = [event(0, version="v1"), event(1, version="v2"), event(2)]

        versions = summed_up(events).versions

        assert [each.name for each in versions] == ["v1", "v2", "unknown"]

    @given(st.integers(1, 30), st.integers(1, 30))
    @settings(max_examples=20)
    def test_no_label_is_lost(self, labels, size):
        found = summed_up([event(at) for at in range(labels)], labels_a_period=size)

        assert sum(each.labels for each in found.periods) == labels


class TestAlarms:
    def test_a_planted_change_is_found_where_it_is_and_nowhere_else(self):
        rng = generator(6)
        events = []
        for at in range(500):
            kept = 0.9 if at < 250 else 0.4
            shown = tuple(span for span in GOLD if rng.random() < kept)
            words = rng.permutation(["Amina", "went", "to", "Kano", "today"])[:4]
            events.append(event(at, shown=shown, text=" ".join(words), confidence=rng.random()))

        found = drift_of(events, watch_limits(rng), rng)

        assert {each.name for each in found.alarms} == {
            "suggestions accepted",
            "suggested spans kept",
        }
        for each in found.alarms:
            assert 250 <= each.alarm < 320
            assert each.watch.direction == -1

    def test_a_few_labels_raise_none(self):
        assert summed_up([event(0)]).alarms == []
