"""The records remember tasks, labels, suggestions and rounds as the tool and the loop told them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from servers import LABEL_CONFIG, new_database_url

from backend.domain import (
    NO_SOURCE,
    Annotation,
    Answer,
    Outcome,
    PaidCall,
    Rejection,
    ReviewKind,
    RoundReport,
    Route,
    Sighting,
    Source,
    SourceKind,
    Span,
    SpanScores,
    Suggestion,
    Task,
)
from backend.protocols import ReviewRecords, RoundRecords, SuggestionRecords, TaskRecords
from backend.store.database import Database
from backend.store.money import SqlLedger
from backend.store.projects import Project, Projects
from backend.store.reviews import SqlReviewRecords
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LLM = Source(SourceKind.LLM, "small", "entities-v1")
TAGGER = Source(SourceKind.TAGGER, "crf-1")
PERSON = Span(0, 4, "PER", 0.75)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def listed(*ids: str) -> list[Task]:
    return [Task(task_id, f"Ọjọ́ {task_id} 🌍") for task_id in ids]


def annotation(task_id: str, number: str = "1", second: float = 0, **other: object) -> Annotation:
    plain = Annotation(f"{task_id}-{number}", task_id, (PERSON,), "ada", at(second))
    return replace(plain, **other)  # type: ignore[arg-type]


def suggestion(task_id: str, source: Source = LLM, confidence: float = 0.5) -> Suggestion:
    return Suggestion(task_id, (PERSON,), confidence, source)


def ids(tasks: list[Task]) -> list[str]:
    return [task.id for task in tasks]


@pytest.fixture
def tasks(database: Database, project: Project) -> TaskRecords:
    return SqlTaskRecords(database, project.id)


@pytest.fixture
def suggestions(database: Database, project: Project) -> SuggestionRecords:
    return SqlSuggestionRecords(database, project.id)


@pytest.fixture
def rounds(database: Database, project: Project) -> RoundRecords:
    return SqlRoundRecords(database, project.id)


class TestTasks:
    def test_a_task_comes_back_as_it_was(self, tasks: TaskRecords) -> None:
        task = Task("7", "Ọjọ́ tuntun\r\n🌍 \t", "yor", {"source": "ẹ"})

        tasks.replace_tasks([task])

        assert tasks.pool() == [task]

    def test_only_new_tasks_are_counted(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1", "2"))

        assert tasks.replace_tasks(listed("1", "2", "3")) == 1

    def test_a_task_that_the_tool_lists_twice_is_one_task(self, tasks: TaskRecords) -> None:
        assert tasks.replace_tasks(listed("1", "1")) == 1
        assert ids(tasks.pool()) == ["1"]

    def test_a_task_that_the_tool_lists_no_more_is_forgotten_with_its_labels(
        self, tasks: TaskRecords
    ) -> None:
        tasks.replace_tasks(listed("1", "2"))
        tasks.replace_annotations([annotation("1")], at(1), None)

        tasks.replace_tasks(listed("2"))

        assert (ids(tasks.pool()), tasks.labelled()) == (["2"], [])

    def test_what_was_suggested_for_a_forgotten_task_is_forgotten(
        self, tasks: TaskRecords, suggestions: SuggestionRecords
    ) -> None:
        tasks.replace_tasks(listed("1"))
        suggestions.keep([suggestion("1")])

        tasks.replace_tasks([])

        assert suggestions.by_source(SourceKind.LLM) == {}

    def test_a_listing_that_breaks_off_forgets_nothing(self, tasks: TaskRecords) -> None:
        def breaks_off() -> object:
            yield listed("1")[0]
            raise ConnectionError

        tasks.replace_tasks(listed("1", "2"))
        with pytest.raises(ConnectionError):
            tasks.replace_tasks(breaks_off())  # type: ignore[arg-type]

        assert ids(tasks.pool()) == ["1", "2"]

    def test_a_new_language_or_description_is_taken_over(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks([Task("1", "text")])

        tasks.replace_tasks([Task("1", "text", "zul", {"a": "b"})])

        assert tasks.pool() == [Task("1", "text", "zul", {"a": "b"})]

    def test_a_changed_text_needs_a_new_suggestion(
        self, tasks: TaskRecords, suggestions: SuggestionRecords
    ) -> None:
        tasks.replace_tasks([Task("1", "old"), Task("2", "kept")])
        suggestions.keep([suggestion("1"), suggestion("2")])

        tasks.replace_tasks([Task("1", "new"), Task("2", "kept")])

        assert suggestions.by_source(SourceKind.LLM).keys() == {"2"}

    def test_a_changed_text_keeps_its_label(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks([Task("1", "old")])
        tasks.replace_annotations([annotation("1")], at(1), None)

        tasks.replace_tasks([Task("1", "new")])

        assert tasks.labelled() == [(Task("1", "new"), annotation("1"))]

    def test_projects_do_not_see_each_other(
        self, database: Database, tasks: TaskRecords, other_project: Project
    ) -> None:
        other = SqlTaskRecords(database, other_project.id)
        tasks.replace_tasks(listed("1"))
        other.replace_tasks([Task("1", "another text")])
        other.replace_annotations([annotation("1")], at(1), None)

        tasks.replace_tasks([])

        assert [task.text for task, _ in other.labelled()] == ["another text"]


class TestPool:
    def test_the_least_certain_task_is_first_and_unscored_ones_are_last(
        self, tasks: TaskRecords
    ) -> None:
        tasks.replace_tasks(listed("1", "2", "3", "4"))

        tasks.set_confidence({"4": 0.0, "3": 0.9, "2": 0.4})

        assert ids(tasks.pool()) == ["4", "2", "3", "1"]

    def test_equally_certain_tasks_stay_in_the_order_of_the_tool(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("10", "9", "8"))

        tasks.set_confidence(dict.fromkeys(["8", "9", "10"], 0.5))

        assert ids(tasks.pool()) == ["10", "9", "8"]

    def test_confidence_of_an_unknown_task_is_passed_over(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1"))

        tasks.set_confidence({"1": 0.1, "404": 0.2})

        assert ids(tasks.pool()) == ["1"]

    def test_each_queued_task_remembers_who_is_to_label_it(self, tasks):
        tasks.replace_tasks(listed("1", "2", "3"))

        tasks.set_routes({"1": Route.LLM, "2": Route.HUMAN, "404": Route.LLM})
        tasks.set_routes({"2": Route.LATER})

        assert tasks.routes() == {"1": Route.LLM, "2": Route.LATER}

    def test_a_labelled_task_is_on_no_route_any_more(self, tasks):
        tasks.replace_tasks(listed("1", "2"))
        tasks.set_routes({"1": Route.HUMAN, "2": Route.AUDIT})

        tasks.replace_annotations([annotation("1")], at(1), None)

        assert tasks.routes() == {"2": Route.AUDIT}

    def test_a_labelled_or_skipped_task_leaves_the_pool(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1", "2", "3"))

        tasks.replace_annotations([annotation("1"), annotation("2", skipped=True)], at(1), None)

        assert ids(tasks.pool()) == ["3"]

    def test_a_task_returns_when_its_last_annotation_is_deleted(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1"))
        both = [annotation("1", "1"), annotation("1", "2", skipped=True)]
        tasks.replace_annotations(both, at(1), None)

        tasks.replace_annotations(both[:1], at(2), ["1"])
        half_way = tasks.pool()
        tasks.replace_annotations([], at(3), ["1"])

        assert (half_way, ids(tasks.pool())) == ([], ["1"])

    def test_a_pool_larger_than_a_page_is_whole(self, tasks: TaskRecords) -> None:
        many = listed(*map(str, range(2500)))
        tasks.replace_tasks(many)

        assert tasks.pool() == many


class TestLabels:
    def test_an_annotation_comes_back_as_it_was(self, tasks: TaskRecords) -> None:
        whole = annotation("1", second=0.123456, lead_time=12.5, spans=(PERSON, Span(5, 6, "LOC")))
        tasks.replace_tasks(listed("1"))

        tasks.replace_annotations([whole], at(1), ["1"])

        assert tasks.labelled() == [(listed("1")[0], whole)]

    def test_the_newest_annotation_that_is_not_a_skip_counts(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1"))
        newest = annotation("1", "2", second=2)
        told = [newest, annotation("1", "1", second=1), annotation("1", "3", 3, skipped=True)]

        tasks.replace_annotations(told, at(4), None)

        assert [item for _, item in tasks.labelled()] == [newest]

    def test_labelled_tasks_are_in_the_order_of_the_tool(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("2", "10", "1"))

        tasks.replace_annotations(map(annotation, ["1", "10", "2"]), at(1), None)

        assert [task.id for task, _ in tasks.labelled()] == ["2", "10", "1"]

    def test_the_same_reading_twice_changes_nothing(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1"))
        changes = [tasks.replace_annotations([annotation("1")], at(s), None) for s in (1, 2)]

        assert changes == [1, 0]

    def test_a_reading_of_some_tasks_leaves_the_others_alone(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1", "2"))
        tasks.replace_annotations([annotation("1"), annotation("2")], at(1), None)

        tasks.replace_annotations([], at(2), ["2"])

        assert [task.id for task, _ in tasks.labelled()] == ["1"]

    @pytest.mark.parametrize("scope", [None, ["1"]], ids=["of everything", "of the task"])
    def test_an_older_reading_does_not_bring_a_deleted_annotation_back(
        self, tasks: TaskRecords, scope: list[str] | None
    ) -> None:
        tasks.replace_tasks(listed("1"))
        tasks.replace_annotations([annotation("1")], at(1), None)
        tasks.replace_annotations([], at(3), ["1"])

        tasks.replace_annotations([annotation("1")], at(2), scope)

        assert tasks.labelled() == []

    @pytest.mark.parametrize("scope", [None, ["1"]], ids=["of everything", "of the task"])
    def test_an_older_reading_does_not_undo_a_correction(
        self, tasks: TaskRecords, scope: list[str] | None
    ) -> None:
        corrected = annotation("1", second=2, spans=())
        tasks.replace_tasks(listed("1"))
        tasks.replace_annotations([corrected], at(3), scope)

        tasks.replace_annotations([annotation("1")], at(1), scope)

        assert [item for _, item in tasks.labelled()] == [corrected]

    def test_an_annotation_of_an_unknown_task_waits_for_a_later_reading(
        self, tasks: TaskRecords
    ) -> None:
        tasks.replace_annotations([annotation("1")], at(1), None)
        tasks.replace_tasks(listed("1"))
        before = tasks.labelled()

        tasks.replace_annotations([annotation("1")], at(2), None)

        assert (before, len(tasks.labelled())) == ([], 1)


class TestSuggestions:
    @pytest.fixture(autouse=True)
    def _tasks(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1", "2", "3"))

    def test_each_kind_of_source_has_its_last_suggestion(
        self, suggestions: SuggestionRecords
    ) -> None:
        suggestions.keep([suggestion("1"), suggestion("1", TAGGER), suggestion("2", TAGGER)])
        newer = replace(suggestion("1", replace(TAGGER, model="crf-2")), spans=(), confidence=1.0)

        suggestions.keep([newer])

        assert suggestions.by_source(SourceKind.LLM) == {"1": suggestion("1")}
        assert suggestions.by_source(SourceKind.TAGGER, ["1", "3"]) == {"1": newer}

    def test_scores_of_spans_are_kept(self, suggestions: SuggestionRecords) -> None:
        suggestions.keep([suggestion("1")])

        assert suggestions.by_source(SourceKind.LLM)["1"].spans[0].score == PERSON.score

    def test_an_answer_keeps_its_suggestion_and_its_outcome(
        self, database: Database, project: Project
    ) -> None:
        records = SqlSuggestionRecords(database, project.id)
        rejected = (Rejection("Nowhere", "LOC", "not in the text"),)

        records.keep_answer(Answer("1", Outcome.ANNOTATED, suggestion("1"), 1, rejected))

        assert records.by_source(SourceKind.LLM) == {"1": suggestion("1")}
        assert (records.outcomes(), records.rejections()) == ({"annotated": 1}, 1)

    def test_a_failed_answer_is_no_suggestion(self, suggestions: SuggestionRecords) -> None:
        suggestions.keep_answer(Answer("1", Outcome.REFUSED, detail="no"))

        assert suggestions.by_source(SourceKind.LLM) == {}

    def test_a_failed_answer_leaves_an_earlier_suggestion(
        self, suggestions: SuggestionRecords
    ) -> None:
        suggestions.keep_answer(Answer("1", Outcome.ANNOTATED, suggestion("1")))

        suggestions.keep_answer(Answer("1", Outcome.UNREACHABLE))

        assert suggestions.by_source(SourceKind.LLM) == {"1": suggestion("1")}

    def test_each_task_that_the_llm_was_asked_about_has_its_last_outcome(
        self, suggestions: SuggestionRecords
    ) -> None:
        suggestions.keep_answer(Answer("1", Outcome.ANNOTATED, suggestion("1")))
        suggestions.keep_answer(Answer("2", Outcome.OVER_BUDGET))
        suggestions.keep_answer(Answer("2", Outcome.REFUSED))

        assert suggestions.outcomes_by_task() == {"1": Outcome.ANNOTATED, "2": Outcome.REFUSED}

    def test_a_task_is_shown_nothing_until_the_tool_holds_spans_or_a_source_for_it(
        self, suggestions: SuggestionRecords
    ) -> None:
        nothing = Suggestion("1", (), 0.7, NO_SOURCE)
        empty_but_made = replace(suggestion("2"), spans=())

        push(suggestions, nothing, empty_but_made)

        assert suggestions.shown_nothing() == {"1", "3"}


def push(records: SuggestionRecords, *pushed: Suggestion) -> str:
    version = records.version_for(pushed)
    records.mark_pushed(pushed, version)
    records.serve(version)
    return version


class TestVersions:
    @pytest.fixture(autouse=True)
    def _tasks(self, tasks: TaskRecords) -> None:
        tasks.replace_tasks(listed("1", "2", "3"))

    def test_nothing_serves_at_first(self, suggestions: SuggestionRecords) -> None:
        assert suggestions.serving_version() is None

    def test_what_was_pushed_last_serves(self, suggestions: SuggestionRecords) -> None:
        assert push(suggestions, suggestion("1")) == suggestions.serving_version()

    def test_unchanged_suggestions_keep_the_version(self, suggestions: SuggestionRecords) -> None:
        first = push(suggestions, suggestion("1"), suggestion("2"))

        assert push(suggestions, suggestion("2"), suggestion("1")) == first

    def test_a_new_task_joins_the_version(self, suggestions: SuggestionRecords) -> None:
        first = push(suggestions, suggestion("1"))

        assert push(suggestions, suggestion("1"), suggestion("2")) == first

    def test_a_task_that_left_the_pool_changes_no_version(
        self, suggestions: SuggestionRecords
    ) -> None:
        first = push(suggestions, suggestion("1"), suggestion("2"))

        assert push(suggestions, suggestion("2")) == first

    @pytest.mark.parametrize(
        "changed",
        [
            replace(suggestion("1"), spans=()),
            replace(suggestion("1"), spans=(replace(PERSON, label="LOC"),)),
            suggestion("1", replace(LLM, model="large")),
            suggestion("1", replace(LLM, prompt_version="entities-v2")),
            suggestion("1", TAGGER),
            suggestion("1", confidence=0.9),
        ],
        ids=["spans", "label", "model", "prompt", "source", "order"],
    )
    def test_a_changed_suggestion_makes_a_new_version(
        self, suggestions: SuggestionRecords, changed: Suggestion
    ) -> None:
        first = push(suggestions, suggestion("1"))

        assert push(suggestions, changed) != first

    def test_a_mere_place_in_the_queue_makes_no_version(
        self, suggestions: SuggestionRecords
    ) -> None:
        first = push(suggestions, Suggestion("1", (), 0.1, NO_SOURCE))

        assert push(suggestions, Suggestion("1", (), 0.9, NO_SOURCE)) == first

    def test_a_changed_text_joins_the_version_anew(
        self, tasks: TaskRecords, suggestions: SuggestionRecords
    ) -> None:
        first = push(suggestions, suggestion("1"))
        tasks.replace_tasks([Task("1", "changed")])

        assert push(suggestions, replace(suggestion("1"), spans=())) == first

    def test_a_push_that_was_cut_off_goes_on_under_its_version(
        self, suggestions: SuggestionRecords
    ) -> None:
        wanted = [suggestion("1"), suggestion("2")]
        cut_off = suggestions.version_for(wanted)
        suggestions.mark_pushed(wanted[:1], cut_off)

        assert suggestions.version_for(wanted) == cut_off

    def test_another_push_after_one_that_was_cut_off_gets_a_number_of_its_own(
        self, suggestions: SuggestionRecords
    ) -> None:
        first = push(suggestions, suggestion("1"))
        cut_off = suggestions.version_for([suggestion("1", TAGGER)])
        suggestions.mark_pushed([suggestion("1", TAGGER)], cut_off)

        third = suggestions.version_for([suggestion("1", replace(TAGGER, model="crf-2"))])

        assert len({first, cut_off, third}) == 3

    def test_a_push_cut_off_before_the_switch_does_not_go_out_under_the_old_version(
        self, suggestions: SuggestionRecords
    ) -> None:
        push(suggestions, suggestion("1"))
        changed = [suggestion("1", TAGGER)]
        cut_off = suggestions.version_for(changed)
        suggestions.mark_pushed(changed, cut_off)

        assert suggestions.version_for(changed) == cut_off

    def test_numbers_are_never_used_again(self, suggestions: SuggestionRecords) -> None:
        versions = [
            push(suggestions, suggestion("1", replace(TAGGER, model=model)))
            for model in ("a", "b", "a", "b")
        ]

        assert len(set(versions)) == 4


class TestRounds:
    def test_a_round_comes_back_as_it_was(self, rounds: RoundRecords) -> None:
        report = RoundReport(
            3,
            labels=9,
            tagger=SpanScores(1, 2, 3),
            llm=SpanScores(0, 0, 1),
            preferred=SourceKind.TAGGER,
            model=2,
            promoted=True,
            reason="F1 0.1 → 0.2",
            spent_usd="0.0125",
        )

        rounds.keep(report)

        assert rounds.all() == [report]
        assert rounds.all()[0].preferred is SourceKind.TAGGER

    def test_a_round_that_was_cut_off_replaces_itself(self, rounds: RoundRecords) -> None:
        rounds.keep(RoundReport(1, pushed=1))
        rounds.keep(RoundReport(0))
        rounds.keep(RoundReport(1, pushed=2))

        assert [(item.number, item.pushed) for item in rounds.all()] == [(0, 0), (1, 2)]

    def test_spend_is_what_the_ledger_has_committed(
        self, database: Database, project: Project, rounds: RoundRecords
    ) -> None:
        before = rounds.spent_usd()
        call = PaidCall(project.id, "openai", "small", "entities-v1", ("1",))

        SqlLedger(database, Decimal(1)).reserve(call, Decimal("0.25"))

        assert (before, rounds.spent_usd()) == (0, Decimal("0.25"))


# Any order of readings --------------------------------------------------------------------------

TASK_IDS = ["1", "2"]
SCOPES = [None, ["1"], ["2"], ["1", "2"]]
Standing = dict[str, Annotation]


class ReadingsInAnyOrder(RuleBasedStateMachine):
    """The tool goes on; readings of it arrive late, twice, of some tasks or of all.

    The store always holds, for each task, what the newest reading of it that arrived has told.
    """

    new_database: Callable[[], str]
    readings: list[tuple[int, list[str] | None, list[Annotation]]]
    tool: Standing

    @initialize()
    def open(self) -> None:
        self.database = Database(type(self).new_database())
        project = Projects(self.database).register("label_studio", "1", LABEL_CONFIG)
        self.records = SqlTaskRecords(self.database, project.id)
        self.records.replace_tasks(listed(*TASK_IDS))
        self.now = 0
        self.numbers = 0
        self.tool = {}
        self.readings = []
        self.expected: dict[str, tuple[int, Standing]] = {i: (-1, {}) for i in TASK_IDS}

    @rule(task_id=st.sampled_from(TASK_IDS), skipped=st.booleans())
    def annotate(self, task_id: str, skipped: bool) -> None:
        self.now += 1
        self.numbers += 1
        new = annotation(task_id, str(self.numbers), self.now, skipped=skipped)
        self.tool[new.id] = new

    @precondition(lambda self: self.tool)
    @rule(which=st.integers(0, 9), label=st.sampled_from(["PER", "LOC"]))
    def correct(self, which: int, label: str) -> None:
        self.now += 1
        old = self.tool[sorted(self.tool)[which % len(self.tool)]]
        self.tool[old.id] = replace(
            old, spans=(Span(0, 3, label),), updated_at=at(self.now), skipped=not old.skipped
        )

    @precondition(lambda self: self.tool)
    @rule(which=st.integers(0, 9))
    def delete(self, which: int) -> None:
        self.now += 1
        del self.tool[sorted(self.tool)[which % len(self.tool)]]

    @rule(scope=st.sampled_from(SCOPES))
    def read(self, scope: list[str] | None) -> None:
        self.now += 1
        told = [a for a in self.tool.values() if scope is None or a.task_id in scope]
        self.readings.append((self.now, scope, told))

    @precondition(lambda self: self.readings)
    @rule(late=st.integers(0, 5), order=st.randoms(use_true_random=False))
    def deliver(self, late: int, order: random.Random) -> None:
        as_of, scope, told = self.readings[-1 - late % len(self.readings)]
        order.shuffle(told)
        self.records.replace_annotations(told, at(as_of), scope)
        for task_id in TASK_IDS if scope is None else scope:
            if as_of >= self.expected[task_id][0]:
                self.expected[task_id] = (as_of, {a.id: a for a in told if a.task_id == task_id})

    @invariant()
    def the_pool_is_what_has_no_annotation(self) -> None:
        if hasattr(self, "records"):
            unlabelled = [i for i in TASK_IDS if not self.expected[i][1]]
            assert ids(self.records.pool()) == unlabelled

    @invariant()
    def labels_are_those_of_the_newest_reading(self) -> None:
        if hasattr(self, "records"):
            newest = {
                task_id: max(accepted, key=lambda item: item.updated_at)
                for task_id, (_, standing) in self.expected.items()
                if (accepted := [a for a in standing.values() if not a.skipped])
            }
            assert {task.id: item for task, item in self.records.labelled()} == newest

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_any_order_of_readings_converges(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def new_database() -> str:
        folder = tmp_path_factory.mktemp("readings")
        return new_database_url(kind, request.config, folder, migrated=True)

    machine = type("Machine", (ReadingsInAnyOrder,), {"new_database": staticmethod(new_database)})

    run_state_machine(machine, examples=25 if kind == "sqlite" else 10)


def run_state_machine(machine: type[RuleBasedStateMachine], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


SEEN = {"1": Sighting(at(0.25), 3), "2": Sighting(at(1), reviewed=True)}


class TestReviews:
    @pytest.fixture
    def reviews(self, database: Database, project: Project) -> ReviewRecords:
        return SqlReviewRecords(database, project.id)

    def test_nothing_was_sent_at_first(self, reviews: ReviewRecords) -> None:
        assert reviews.all(ReviewKind.LABEL_ERRORS) == {}

    def test_what_was_seen_comes_back_as_it_was(self, reviews: ReviewRecords) -> None:
        reviews.replace(ReviewKind.LABEL_ERRORS, SEEN)
        assert reviews.all(ReviewKind.LABEL_ERRORS) == SEEN

    def test_what_is_not_seen_again_is_forgotten(self, reviews: ReviewRecords) -> None:
        reviews.replace(ReviewKind.LABEL_ERRORS, SEEN)
        reviews.replace(ReviewKind.LABEL_ERRORS, {"3": Sighting(at(2))})
        assert reviews.all(ReviewKind.LABEL_ERRORS) == {"3": Sighting(at(2))}
        reviews.replace(ReviewKind.LABEL_ERRORS, {})
        assert reviews.all(ReviewKind.LABEL_ERRORS) == {}

    def test_kinds_and_projects_do_not_touch_each_other(
        self, reviews: ReviewRecords, database: Database, other_project: Project
    ) -> None:
        reviews.replace(ReviewKind.LABEL_ERRORS, SEEN)
        reviews.replace(ReviewKind.ADJUDICATION, {})
        others = SqlReviewRecords(database, other_project.id)
        others.replace(ReviewKind.LABEL_ERRORS, {"1": Sighting(at(5))})
        assert reviews.all(ReviewKind.LABEL_ERRORS) == SEEN
        assert reviews.all(ReviewKind.ADJUDICATION) == {}
