"""Who is audited, in which order, and what the counts are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import NO_SOURCE, Source, SourceKind, Span, Suggestion, Task
from backend.quality.audit import (
    agreement_proxies,
    audit_order,
    audit_scores,
    confidence_proxies,
    hide,
    is_audited,
    mixed,
    of_label,
    span_counts,
)
from backend.quality.holdout import is_held_out
from backend.quality.prediction_powered import Draw
from backend.quality.span_f1 import span_scores

TEXTS = [f"Umfana {number} uye eGoli." for number in range(4000)]
LAGOS = Span(0, 5, "LOC")
AMINA = Span(6, 11, "PER")
LLM = Source(SourceKind.LLM, "fake", "v1")

spans = st.lists(
    st.builds(Span, st.integers(0, 2), st.integers(3, 5), st.sampled_from(["PER", "LOC"])),
    max_size=3,
)


class TestTheDraw:
    def test_the_audit_is_a_part_of_what_is_held_out(self):
        audited = [text for text in TEXTS if is_audited(text, 0.05)]

        assert len(audited) / len(TEXTS) == pytest.approx(0.05, abs=0.015)
        assert all(is_held_out(text, 0.2) for text in audited)

    def test_a_share_of_zero_audits_nothing(self):
        assert not any(is_audited(text, 0.0) for text in TEXTS)

    def test_the_order_has_nothing_to_do_with_who_is_drawn(self):
        order = [audit_order(text) for text in TEXTS]
        drawn = [is_audited(text, 0.5) for text in TEXTS]

        assert abs(np.corrcoef(order, drawn)[0, 1]) < 4 / np.sqrt(len(TEXTS))

    def test_a_copy_with_other_white_space_has_the_same_place(self):
        assert audit_order("a  b\n") == audit_order(" a b")


class TestMixing:
    @given(st.lists(st.floats(0, 1), max_size=60), st.sampled_from([0.0, 0.1, 0.9]))
    def test_confidences_stay_in_range_and_the_others_in_order(self, confidences, share):
        texts = TEXTS[: len(confidences)]

        places = mixed(texts, confidences, share)

        others = [at for at, text in enumerate(texts) if not is_audited(text, share)]
        assert ((places >= 0) & (places <= 1)).all()
        assert np.abs(places[others] - np.array(confidences)[others]).max(initial=0) < 1e-5
        assert sorted(others, key=lambda at: (confidences[at], at)) == sorted(
            others, key=lambda at: places[at]
        )

    @pytest.mark.parametrize("confidence", [lambda u: u, lambda u: u**8, lambda u: 0.7 + 0 * u])
    def test_audited_texts_come_at_equal_steps_however_confidence_is_distributed(self, confidence):
        texts = TEXTS[:1000]
        places = mixed(texts, confidence(np.random.default_rng(0).random(1000)), 0.1)

        queue = np.argsort(places, kind="stable")

        steps = np.diff([at for at, which in enumerate(queue) if is_audited(texts[which], 0.1)])
        assert steps.max() - steps.min() <= 2

    def test_among_themselves_they_come_in_the_random_order(self):
        places = mixed(TEXTS[:1000], np.linspace(0, 1, 1000), 0.1)

        audited = [at for at, text in enumerate(TEXTS[:1000]) if is_audited(text, 0.1)]
        assert sorted(audited, key=lambda at: places[at]) == sorted(
            audited, key=lambda at: audit_order(TEXTS[at])
        )

    def test_where_all_is_audited_the_order_is_the_random_one(self):
        places = mixed(TEXTS[:50], np.zeros(50), 0.9999999)

        assert np.unique(places).size == 50

    def test_hiding_leaves_the_suggestions_of_other_tasks(self):
        tasks = [Task(str(at), text) for at, text in enumerate(TEXTS[:100])]
        made = [Suggestion(task.id, (LAGOS,), 0.5, LLM) for task in tasks]

        shown = hide(tasks, made, 0.1)

        for task, item in zip(tasks, shown, strict=True):
            expected = ((), NO_SOURCE) if is_audited(task.text, 0.1) else ((LAGOS,), LLM)
            assert (item.task_id, item.spans, item.source) == (task.id, *expected)


class TestScores:
    @given(st.lists(st.tuples(spans, spans), min_size=1, max_size=8))
    def test_counts_are_those_of_the_strict_measure(self, pairs):
        right, predicted, gold = span_counts(*zip(*pairs, strict=True)).sum(axis=0)

        scores = span_scores(pairs)
        assert right == scores.true_positives
        assert predicted == scores.true_positives + scores.false_positives
        assert gold == scores.true_positives + scores.false_negatives

    def test_the_three_measures_are_those_of_the_sample_without_proxies(self):
        gold = [[LAGOS], [LAGOS, AMINA], [], [AMINA]]
        predicted = [[LAGOS], [LAGOS], [AMINA], []]

        scores = audit_scores(gold, predicted, Draw(range(4), np.zeros((100, 0))))

        strict = span_scores(zip(gold, predicted, strict=True))
        values = [it.interval.value for it in (scores.precision, scores.recall, scores.f1)]
        assert values == pytest.approx([strict.precision, strict.recall, strict.f1])

    def test_proxies_tell_agreement_from_what_only_one_gives(self):
        assert agreement_proxies([[LAGOS, AMINA]], [[LAGOS]]).tolist() == [[1, 1, 0]]
        assert agreement_proxies([[LAGOS]], [[LAGOS, AMINA]]).tolist() == [[1, 0, 1]]

    def test_a_sure_annotator_expects_to_be_right_more_often(self):
        sure, unsure = Span(0, 5, "LOC", 0.9), Span(6, 9, "LOC", 0.4)

        assert confidence_proxies([[sure, unsure], []])[0].tolist() == pytest.approx([2, 1.3])

    def test_a_label_is_looked_at_by_itself(self):
        assert of_label([[LAGOS, AMINA], []], "PER") == [(AMINA,), ()]
