"""The story of the loop on a real store, with a tool, a tagger and an LLM that remember."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend import loop
from backend.active_learning.calibrated_tagger import CalibratedTagger
from backend.active_learning.strategies import STRATEGIES
from backend.composing import compose
from backend.domain import (
    NO_SOURCE,
    Example,
    LabelScheme,
    Outcome,
    Source,
    SourceKind,
    Span,
    SpanScores,
    Suggestion,
    Task,
)
from backend.errors import ToolUnreachableError
from backend.protocols import Progress, silent
from backend.quality.holdout import is_held_out
from backend.settings import LearningSettings, StoppingSettings, SuggestionSettings
from backend.store.database import Database
from backend.store.projects import Projects
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.tagger.auxiliary import AuxiliaryFamily
from backend.tagger.checkpoints import ModelShelf
from backend.tagger.manifest import read_manifest
from backend.testing.annotators import FakeAnnotator
from backend.testing.in_memory_tool import InMemoryTool
from backend.testing.taggers import FakeTagger, FakeTaggerFamily
from backend.text.spans import Mention
from backend.workspace import Workspace, labels_since_last_round, query, trusted_examples

SCHEME = LabelScheme(("PER", "LOC"))
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho")
PLACES = ("Mombasa", "Kano", "Ibadan", "Durban")
LLM = Source(SourceKind.LLM, "fake", "fake-v1")


def text_of(number: int) -> str:
    return f"{NAMES[number % 6]} visited {PLACES[number % 4]} on trip {number}"


def gold_of(text: str) -> tuple[Span, ...]:
    words = dict.fromkeys(NAMES, "PER") | dict.fromkeys(PLACES, "LOC")
    found = [(text.find(word), word, label) for word, label in words.items()]
    return tuple(sorted(Span(at, at + len(word), label) for at, word, label in found if at >= 0))


def first_entity(text: str) -> list[Mention]:
    span = gold_of(text)[0]
    return [Mention(text[span.start : span.end], span.label, confidence=0.7)]


class BrokenTool(InMemoryTool):
    """Goes down after some suggestions have arrived."""

    def __init__(self, tasks: Sequence[Task], stores: int) -> None:
        super().__init__(tasks)
        self.stores = stores

    def suggest(
        self, suggestions: Sequence[Suggestion], version: str, progress: Progress = silent
    ) -> int:
        super().suggest(suggestions[: self.stores], version, progress)
        if self.stores < len(suggestions):
            raise ToolUnreachableError("The tool went down.")
        return len(suggestions)


class ReadingFamily(FakeTaggerFamily):
    """Remembers the texts that it was given to read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def with_texts(self, texts: Sequence[str]) -> ReadingFamily:
        self.read += texts
        return self


Open = Callable[..., Workspace]


@pytest.fixture
def open_workspace(tmp_path: Path) -> Open:
    database = Database(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    database.migrate()
    project = Projects(database).register("memory", "1", "<View/>")
    family = FakeTaggerFamily()

    def make(tool: InMemoryTool | None = None, **changes: object) -> Workspace:
        work = Workspace(
            scheme=SCHEME,
            tool=tool or InMemoryTool(Task(str(n), text_of(n)) for n in range(40)),
            tasks=SqlTaskRecords(database, project.id),
            suggestions=SqlSuggestionRecords(database, project.id),
            rounds=SqlRoundRecords(database, project.id),
            models=ModelShelf(tmp_path / "models", {family.kind: family}),
            family=family,
            annotator=FakeAnnotator(first_entity),
            learning=LearningSettings(min_labels=5, held_out_share=0.3),
            showing=SuggestionSettings(),
        )
        return replace(work, **changes)

    return make


def label(tool: InMemoryTool, numbers: range) -> None:
    for number in numbers:
        tool.annotate(str(number), gold_of(text_of(number)))


class TestBeginning:
    def test_every_task_carries_a_suggestion_of_the_version_that_is_served(self, open_workspace):
        work = open_workspace()

        report = loop.begin(work)

        assert report.pushed == 40
        assert work.tool.version == report.version == work.suggestions.serving_version()
        assert len(work.tool.suggestions(report.version)) == 40

    def test_beginning_again_pays_and_pushes_nothing(self, open_workspace):
        work = open_workspace()
        first = loop.begin(work)

        again = loop.begin(work)

        assert (again.version, again.pushed) == (first.version, 0)
        assert len(work.annotator.asked) == 40

    def test_a_new_task_gets_its_suggestion_under_the_serving_version(self, open_workspace):
        work = open_workspace()
        first = loop.begin(work)
        work.tool.add(Task("new", text_of(77)))

        again = loop.begin(work)

        assert (again.version, again.pushed) == (first.version, 1)
        assert work.tool.suggestions(first.version)["new"].source == LLM

    def test_the_llm_is_asked_from_the_head_of_the_queue_until_the_budget_ends(
        self, open_workspace
    ):
        work = open_workspace(annotator=FakeAnnotator(first_entity, affordable=10))

        loop.begin(work)

        suggestions = work.tool.suggestions(work.tool.version)
        answered = [item for item in suggestions.values() if item.source == LLM]
        behind = [item for item in suggestions.values() if item.source == NO_SOURCE]
        assert (len(answered), len(behind)) == (10, 30)
        assert max(a.confidence for a in answered) <= min(b.confidence for b in behind)

    def test_without_an_llm_the_queue_has_an_order_all_the_same(self, open_workspace):
        work = open_workspace(annotator=None)

        loop.begin(work)

        suggestions = work.tool.suggestions(work.tool.version).values()
        assert len({item.confidence for item in suggestions}) == 40

    def test_a_push_that_was_cut_off_goes_on_under_the_same_version(self, open_workspace):
        broken = BrokenTool([Task(str(n), text_of(n)) for n in range(40)], stores=15)
        work = open_workspace(broken)
        with pytest.raises(ToolUnreachableError):
            loop.begin(work)
        broken.stores = 40

        report = loop.begin(work)

        assert report.version == "harambee-v1"
        assert len(broken.suggestions("harambee-v1")) == 40
        assert len(work.annotator.asked) == 40

    def test_an_llm_that_cannot_be_used_is_reported_and_stops_nothing_else(self, open_workspace):
        refused = {str(number): Outcome.UNREACHABLE for number in range(40)}
        work = open_workspace(annotator=FakeAnnotator(first_entity, failures=refused))

        report = loop.begin(work)

        assert report.llm_problem == "as scripted"
        assert report.pushed == 40


class TestARound:
    def test_labels_become_a_tagger_that_suggests_for_the_rest(self, open_workspace):
        work = open_workspace()
        first = loop.begin(work)
        label(work.tool, range(30))

        report = loop.play_round(work)

        assert (report.labels, report.promoted) == (30, True)
        assert report.tagger == SpanScores(report.tagger.true_positives, 0, 0)
        assert report.version != first.version
        shown = work.tool.suggestions(report.version)
        assert set(shown) == {str(number) for number in range(30, 40)}
        assert {item.source.kind for item in shown.values()} == {SourceKind.TAGGER}

    def test_held_out_labels_are_never_learnt_from(self, open_workspace):
        work = open_workspace()
        label(work.tool, range(40))

        loop.play_round(work)

        (examples,) = work.family.trained_on
        assert not any(is_held_out(example.text, 0.3) for example in examples)

    def test_a_worse_tagger_is_published_but_does_not_serve(self, open_workspace):
        work = open_workspace()
        label(work.tool, range(20))
        loop.play_round(work)
        for annotation in list(work.tool.accepted()):
            if not is_held_out(text_of(int(annotation.task_id)), 0.3):
                work.tool.correct(annotation.id, [Span(0, 5, "LOC")])

        report = loop.play_round(work)

        assert report.promoted is False
        assert "would fall" in report.reason
        assert work.models.serving()[0] == 1

    def test_the_report_and_the_model_say_whether_other_languages_helped(
        self, open_workspace, tmp_path
    ):
        others = [Example(f"n{n}", f"{text_of(n)} again", gold_of(text_of(n))) for n in range(24)]
        work = open_workspace(family=AuxiliaryFamily(FakeTaggerFamily(), {"related": others}))
        label(work.tool, range(10))

        report = loop.play_round(work)

        about = read_manifest(tmp_path / "models" / "v0001").about
        assert "labels of other languages" in report.reason
        assert about["auxiliary"]["sources"] == ["related"]
        assert about["auxiliary"]["reason"] in report.reason

    def test_a_round_reads_the_pool_and_the_labels_but_nothing_held_out(self, open_workspace):
        tasks = [Task(str(n), text_of(n)) for n in range(40)]
        copies = [Task(f"again {n}", text_of(n)) for n in range(20)]
        family = ReadingFamily()
        work = open_workspace(InMemoryTool([*tasks, *copies]), family=family)
        label(work.tool, range(20))

        loop.play_round(work)

        held_out = {text_of(n) for n in range(20) if is_held_out(text_of(n), 0.3)}
        assert held_out
        assert set(family.read) == {text_of(n) for n in range(40)} - held_out

    def test_too_few_labels_say_how_many_are_needed(self, open_workspace):
        work = open_workspace()
        label(work.tool, range(2))

        report = loop.play_round(work)

        assert report.model is None
        assert "5 are needed" in report.reason

    def test_labels_without_any_span_teach_nothing_and_break_nothing(self, open_workspace):
        work = open_workspace()
        for number in range(20):
            work.tool.annotate(str(number))

        assert "holds a span" in loop.play_round(work).reason

    def test_a_deleted_label_is_unlearnt_and_its_task_comes_back(self, open_workspace):
        work = open_workspace()
        label(work.tool, range(20))
        loop.pull(work)
        work.tool.delete_annotation(next(work.tool.accepted()).id)

        loop.pull(work)

        assert len(work.tasks.labelled()) == 19
        assert "0" in {task.id for task in work.tasks.pool()}

    def test_a_skipped_task_leaves_the_pool_without_teaching(self, open_workspace):
        work = open_workspace()
        work.tool.skip("0")

        loop.pull(work)

        assert work.tasks.labelled() == []
        assert "0" not in {task.id for task in work.tasks.pool()}

    def test_impossible_spans_of_the_tool_are_left_out_and_named(self, open_workspace):
        work = open_workspace()
        work.tool.annotate("0", [Span(0, 5, "PER"), Span(3, 9999, "LOC"), Span(0, 5, "GONE")])
        loop.pull(work)

        (example,), problems = trusted_examples(work)

        assert example.spans == (Span(0, 5, "PER"),)
        assert len(problems) == 2

    def test_only_labels_that_no_round_has_seen_count_towards_the_next_one(self, open_workspace):
        work = open_workspace()
        label(work.tool, range(20))
        loop.begin(work)
        assert labels_since_last_round(work) == 20

        loop.play_round(work)
        label(work.tool, range(20, 23))
        loop.pull_labels(work, ["20", "21", "22"])

        assert labels_since_last_round(work) == 3

    def test_labels_that_could_not_be_learnt_from_do_not_ask_for_a_round_again_and_again(
        self, open_workspace
    ):
        work = open_workspace()
        for number in range(20):
            work.tool.annotate(str(number))

        loop.play_round(work)

        assert labels_since_last_round(work) == 0


class TestLearningFromTheLlm:
    def test_its_labels_of_other_texts_are_learnt_from_and_counted(self, open_workspace):
        work = open_workspace(learning=LearningSettings(min_labels=5, llm_labels="as-given"))
        loop.begin(work)
        label(work.tool, range(20))

        report = loop.play_round(work)

        labelled = {text_of(number) for number in range(20)}
        from_llm = [item for item in work.family.trained_on[-1] if item.text not in labelled]
        assert report.llm_labels == len(from_llm) > 0
        assert "as the settings say" in work.rounds.all()[-1].mixture

    @pytest.mark.parametrize("setting", ["auto", "corrected", "as-given"])
    def test_no_text_that_is_measured_on_enters_with_the_llms_label(self, open_workspace, setting):
        learning = LearningSettings(min_labels=5, held_out_share=0.3, llm_labels=setting)
        work = open_workspace(learning=learning)
        loop.begin(work)
        label(work.tool, range(20))

        loop.play_round(work)

        learnt = {item.text for examples in work.family.trained_on for item in examples}
        assert learnt
        assert not any(is_held_out(text, 0.3) for text in learnt)

    def test_accepted_labels_decide_unless_the_settings_do(self, open_workspace):
        work = open_workspace()
        loop.begin(work)
        label(work.tool, range(20))

        assert "cross-validated F1" in loop.play_round(work).mixture

    def test_it_can_be_kept_out(self, open_workspace):
        learning = LearningSettings(min_labels=5, held_out_share=0.3, llm_labels="none")
        work = open_workspace(learning=learning)
        loop.begin(work)
        label(work.tool, range(20))

        report = loop.play_round(work)

        assert report.llm_labels == 0
        assert len(work.family.trained_on) == 1


class TestWhatARoundAdvises:
    def test_after_three_rounds_the_expected_gain_is_said_with_its_interval(self, open_workspace):
        work = open_workspace()
        for upto in (12, 20, 28):
            label(work.tool, range(upto - (12 if upto == 12 else 8), upto))
            report = loop.play_round(work)

        assert "F1 expected from 100 more labels" in report.advice
        assert work.rounds.all()[-1] == report

    def test_a_limit_that_is_reached_is_said_and_stops_nothing(self, open_workspace):
        work = open_workspace(stopping=StoppingSettings(labels=10))
        label(work.tool, range(20))

        report = loop.play_round(work)

        assert report.advice.startswith("Stopping is advised: the limit of 10 labels is reached")
        assert report.pushed == 20

    def test_successive_taggers_are_compared(self, open_workspace):
        work = open_workspace()
        label(work.tool, range(20))
        first = loop.play_round(work)
        label(work.tool, range(20, 25))

        second = loop.play_round(work)

        assert first.agreement is None
        assert second.agreement == pytest.approx(1.0)


class TestConfidences:
    def test_those_of_the_served_tagger_are_calibrated_on_the_held_out_labels(self, open_workspace):
        work = open_workspace(InMemoryTool(Task(str(n), text_of(n)) for n in range(300)))
        wrong = Span(0, 5, "LOC")  # some of the labels contradict what the tagger learns
        for number in range(280):
            spans = gold_of(text_of(number)) if number % 7 > 2 else (wrong,)
            work.tool.annotate(str(number), spans)

        report = loop.play_round(work)

        _, tagger = work.models.serving()
        assert isinstance(tagger, CalibratedTagger)
        assert "spans calibration error" in report.calibration
        pushed = work.tool.suggestions(report.version)["299"]
        assert all(span.score != 0.9 for span in pushed.spans)

    def test_few_held_out_labels_leave_them_as_they_are(self, open_workspace):
        work = open_workspace()
        label(work.tool, range(30))

        report = loop.play_round(work)

        assert report.calibration == "too few held-out labels to calibrate on"
        assert isinstance(work.models.serving()[1], FakeTagger)

    def test_it_can_be_turned_off(self, open_workspace):
        work = open_workspace(learning=LearningSettings(min_labels=5, calibrate=False))
        label(work.tool, range(30))

        assert loop.play_round(work).calibration == ""


class TestTheQueue:
    @pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"bald"}))
    def test_every_strategy_orders_it_and_a_second_look_changes_nothing(
        self, open_workspace, strategy
    ):
        work = open_workspace(showing=SuggestionSettings(strategy=strategy))
        label(work.tool, range(12))
        report = loop.play_round(work)

        again = loop.begin(work)

        assert report.pushed == 28
        assert (again.version, again.pushed) == (report.version, 0)

    def test_the_default_depends_on_what_is_paid_for(self, open_workspace):
        work = open_workspace(showing=SuggestionSettings(cost_unit="token"))

        assert query(work).name == "mean-entropy"

    def test_before_a_tagger_the_texts_own_variety_can_come_before_the_llm(self, open_workspace):
        work = open_workspace(showing=SuggestionSettings(cold_start="clusters"))

        report = loop.begin(work)

        confidences = [item.confidence for item in work.tool.suggestions(report.version).values()]
        assert len(set(confidences)) == 40


class TestWhoseSpansAreShown:
    @pytest.mark.parametrize("kind", [SourceKind.LLM, SourceKind.TAGGER])
    def test_the_preferred_source_wins_and_the_tagger_orders(self, kind):
        from_llm = Suggestion("1", (), 0.9, LLM)
        from_tagger = Suggestion("1", (Span(0, 5, "PER"),), 0.4, Source(SourceKind.TAGGER, "fake"))

        (shown,) = compose([Task("1", "Amina")], {"1": from_llm}, {"1": from_tagger}, kind)

        assert shown.source.kind is kind
        assert shown.confidence == 0.4

    def test_the_source_that_scores_better_on_held_out_labels_is_preferred(self, open_workspace):
        work = open_workspace()
        loop.begin(work)
        label(work.tool, range(30))

        report = loop.play_round(work)

        assert report.tagger.f1 > report.llm.f1
        assert report.preferred is SourceKind.TAGGER

    def test_a_fixed_rule_overrules_the_measure(self, open_workspace):
        work = open_workspace(showing=SuggestionSettings(where_both="llm"))
        loop.begin(work)
        label(work.tool, range(30))

        report = loop.play_round(work)

        shown = work.tool.suggestions(report.version).values()
        assert {item.source.kind for item in shown} == {SourceKind.LLM}

    def test_the_losing_suggestion_stays_readable(self, open_workspace):
        work = open_workspace()
        loop.begin(work)
        label(work.tool, range(30))

        loop.play_round(work)

        assert "35" in work.suggestions.by_source(SourceKind.LLM)
        assert "35" in work.suggestions.by_source(SourceKind.TAGGER)


def test_an_older_reading_of_the_tool_never_undoes_a_newer_one(open_workspace):
    work = open_workspace()
    loop.pull(work)
    before = datetime.now(UTC)
    annotation = work.tool.annotate("0", gold_of(text_of(0)))
    loop.pull_labels(work, ["0"])

    work.tasks.replace_annotations([], before, None)

    assert work.tasks.labelled()[0][1] == annotation


def test_examples_keep_the_order_of_the_queue(open_workspace):
    work = open_workspace()
    label(work.tool, range(5))
    loop.pull(work)

    examples, _ = trusted_examples(work)

    assert [example.task_id for example in examples] == ["0", "1", "2", "3", "4"]
    assert isinstance(examples[0], Example)
