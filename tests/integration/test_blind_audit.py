"""The blind audit through the loop: hidden, mixed in, never learnt from, and right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from audited_workspace import GOLD, open_audited_workspace, text_of

from backend import loop, proposing
from backend.domain import NO_SOURCE, SourceKind, Task
from backend.laboratory.audit import audit_project
from backend.quality.audit import is_audited
from backend.quality.span_f1 import span_scores
from backend.testing.annotators import FakeAnnotator
from backend.testing.in_memory_tool import InMemoryTool

SHARE = 0.2


@pytest.fixture
def work(tmp_path):
    return open_audited_workspace(tmp_path, tasks=300, share=SHARE)


def audited_ids(work):
    return {task.id for task in work.tool.tasks() if is_audited(task.text, SHARE)}


def label(work, task_ids):
    for task_id in task_ids:
        work.tool.annotate(task_id, GOLD[text_of(int(task_id))])


class TestWhatAnnotatorsSee:
    def test_audited_tasks_carry_an_empty_suggestion_of_the_same_version(self, work):
        report = loop.begin(work)

        shown = work.tool.suggestions(report.version)
        assert len(shown) == report.pushed == 300
        blind = {task_id for task_id, item in shown.items() if item.source == NO_SOURCE}
        assert blind == audited_ids(work)
        assert all(shown[task_id].spans == () for task_id in blind)

    def test_a_task_that_is_opened_shows_nothing_either(self, work):
        loop.begin(work)
        tasks = [task for task in work.tool.tasks() if is_audited(task.text, SHARE)]

        proposed = proposing.propose(work, tasks[:3], None)

        assert [item.spans for item in proposed] == [(), (), ()]

    def test_the_llm_answers_audited_tasks_all_the_same(self, work):
        loop.begin(work)

        assert audited_ids(work) <= work.suggestions.by_source(SourceKind.LLM).keys()

    @pytest.mark.parametrize("rounds", [0, 1])
    def test_they_come_evenly_through_the_queue(self, work, rounds):
        loop.begin(work)
        for _ in range(rounds):
            label(work, [work.tool.next_task().id for _ in range(1)])
            label(work, [task.id for task in work.tasks.pool()[:80]])
            loop.play_round(work)

        queue = [task.id in audited_ids(work) for task in work.tasks.pool()]

        places = np.flatnonzero(queue)
        steps = np.diff(places)
        assert steps.max() - steps.min() <= 2

    def test_without_an_audit_nothing_is_hidden(self, work):
        report = loop.begin(replace(work, audit_share=0.0))

        shown = work.tool.suggestions(report.version).values()
        assert all(item.source != NO_SOURCE for item in shown)


class TestWhatIsLearnt:
    def test_audited_labels_teach_no_tagger(self, work):
        loop.begin(work)
        label(work, [task.id for task in work.tasks.pool()])

        loop.play_round(work)

        for examples in work.family.trained_on:
            assert not any(is_audited(example.text, SHARE) for example in examples)


class TestTheEstimate:
    def test_the_interval_holds_the_f1_over_all_texts(self, work):
        loop.begin(work)
        label(work, audited_ids(work))
        loop.pull(work)

        (llm,) = audit_project(work, None).sources

        answers = work.suggestions.by_source(SourceKind.LLM)
        truth = span_scores((GOLD[t.text], answers[t.id].spans) for t in work.tool.tasks())
        assert truth.f1 in llm.scores.f1.interval
        assert truth.precision in llm.scores.precision.interval
        assert llm.texts == len(audited_ids(work))
        assert set(llm.by_label) == {"PER", "LOC"}

    def test_the_serving_tagger_is_audited_on_texts_it_never_saw(self, work):
        loop.begin(work)
        label(work, [task.id for task in work.tasks.pool()[:150]])
        loop.play_round(work)

        audit = audit_project(work, work.family)

        tagger = audit.sources[-1]
        assert (tagger.kind, tagger.model) == (SourceKind.TAGGER, "fake-1")
        assert tagger.texts == audit.labelled > 0
        assert audit.proxies == "agreement of the LLM and a tagger"

    def test_labels_made_with_a_suggestion_in_view_do_not_count(self, work):
        before = replace(work, audit_share=0.0)
        loop.begin(before)
        label(work, audited_ids(work))
        loop.pull(work)

        audit = audit_project(work, None)

        assert (audit.labelled, audit.seen, audit.sources) == (0, len(audited_ids(work)), ())

    def test_answers_that_failed_count_as_nothing_found(self, tmp_path):
        work = open_audited_workspace(tmp_path, tasks=200, share=SHARE, fail=True)
        loop.begin(work)
        label(work, audited_ids(work))
        loop.pull(work)

        (llm,) = audit_project(work, None).sources

        assert llm.scores.recall.interval.value == 0.0
        assert llm.scores.precision is None

    def test_an_llm_that_was_not_asked_about_all_lends_no_proxy(self, tmp_path):
        work = open_audited_workspace(tmp_path, tasks=200, share=SHARE, affordable=100)
        loop.begin(work)
        label(work, audited_ids(work))
        loop.pull(work)

        audit = audit_project(work, None)

        (llm,) = audit.sources
        assert audit.proxies == "none"
        assert 0 < llm.texts < audit.labelled

    def test_a_text_that_several_tasks_hold_counts_once(self, work):
        text = next(task.text for task in work.tool.tasks() if is_audited(task.text, SHARE))
        for copy in ("a", "b"):
            work.tool.add(Task(copy, f" {text} "))

        loop.begin(work)

        assert audit_project(work, None).texts == 300

    def test_each_language_has_its_own_estimate(self, tmp_path):
        work = open_audited_workspace(tmp_path, tasks=400, share=SHARE, languages=("yo", "zu"))
        loop.begin(work)
        label(work, audited_ids(work))
        loop.pull(work)

        (llm,) = audit_project(work, None).sources

        audited = {lang: scores.f1.audited for lang, scores in llm.by_language.items()}
        assert set(audited) == {"yo", "zu"}
        assert sum(audited.values()) == llm.texts


def test_the_tool_and_the_annotator_are_those_of_the_story(work):
    """The cases above say nothing if the stand-ins were others."""
    assert isinstance(work.tool, InMemoryTool)
    assert isinstance(work.annotator, FakeAnnotator)
