"""What a terminal shows of rounds, projects and suggestions."""

from decimal import Decimal

import pytest
from rich.console import Console

from backend.domain import (
    Job,
    JobKind,
    JobState,
    RoundReport,
    Source,
    SourceKind,
    Span,
    SpanScores,
    Suggestion,
)
from backend.report import percent, rounds_table, status_view, suggestions_table
from backend.status import ProjectStatus
from backend.store.projects import Project


def shown(renderable):
    """The words of a rendering, in reading order, as on a wide terminal."""
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return " ".join(capture.get().split())


def status(**changes):
    values = {
        "project": Project(1, "label_studio", "12", "Habari", "<View/>", "secret", None),
        "version": "harambee-v4",
        "tasks": 200,
        "labelled": 50,
        "inbox": 3,
        "outcomes": {"refused": 2, "annotated": 190},
        "rejected_mentions": 7,
        "spent_usd": Decimal("0.1235"),
        "budget_usd": Decimal(5),
        "rounds": [],
        "jobs": [],
    }
    return ProjectStatus(**(values | changes))


def test_labels_made_blind_are_mentioned_where_there_are_any():
    assert "25 labels made blind: harambee audit" in shown(status_view(status(audited=25)))
    assert "blind" not in shown(status_view(status()))


class TestPercent:
    @pytest.mark.parametrize(
        ("scores", "expected"),
        [
            (SpanScores(2, 1, 1), "66.7"),
            (SpanScores(0, 3, 3), "0.0"),
            (SpanScores(3, 0, 0), "100.0"),
            (None, "-"),
        ],
    )
    def test_f1_is_in_per_cent_and_what_was_not_measured_a_dash(self, scores, expected):
        assert percent(scores) == expected


class TestRounds:
    def test_a_round_shows_labels_scores_promotion_order_and_spend(self):
        report = RoundReport(
            2, labels=80, llm_labels=120, held_out=16, tagger=SpanScores(8, 2, 2), llm=None,
            shown=SpanScores(9, 1, 1), promoted=True, reordered=45, spent_usd="0.25",
        )  # fmt: skip

        assert "2 80 120 16 80.0 - 90.0 yes 45 0.2500" in shown(rounds_table([report]))

    def test_rounds_stand_in_the_order_in_which_they_were_played(self):
        text = shown(rounds_table([RoundReport(0, labels=11), RoundReport(1, labels=22)]))

        assert text.index(" 11 ") < text.index(" 22 ")

    def test_what_the_last_round_advises_stands_below(self):
        rounds = [
            RoundReport(1, advice="Old advice."),
            RoundReport(2, advice="Labelling on: [b]+0.4 F1.", calibration="spans 0.2 -> 0.1"),
        ]

        text = shown(rounds_table(rounds))

        assert text.endswith("Labelling on: [b]+0.4 F1. Confidences: spans 0.2 -> 0.1.")
        assert "Old" not in text


class TestStatus:
    def test_a_project_is_told_at_a_glance(self):
        text = shown(status_view(status()))

        assert "Project 12: Habari" in text
        assert "serving harambee-v4; 50 of 200 tasks labelled; 3 changes waiting" in text
        assert "190 annotated, 2 refused; 7 mentions rejected; $0.1235 of $5.00 spent" in text

    def test_the_webhook_secret_is_not_shown(self):
        assert "secret" not in shown(status_view(status()))

    def test_an_llm_that_was_not_asked_is_said_to_be_so(self):
        assert "not asked yet" in shown(status_view(status(outcomes={})))

    def test_a_project_without_a_title_is_said_to_be_so(self):
        nameless = Project(1, "label_studio", "12", "", "<View/>", "secret", None)

        assert "Project 12: without a title" in shown(status_view(status(project=nameless)))

    def test_what_the_last_tagger_learnt_from_and_who_labels_is_told(self):
        rounds = [
            RoundReport(1, mixture="old"),
            RoundReport(2, mixture="9 LLM labels", routing="7 llm"),
        ]

        text = shown(status_view(status(rounds=rounds)))

        assert "Learnt from 9 LLM labels." in text
        assert "Routes: 7 llm." in text
        assert "old" not in text

    def test_a_running_job_shows_how_far_it_is(self):
        job = Job(4, 1, JobKind.LEARN, state=JobState.RUNNING, done=3, total=9, what="epochs")

        assert "job 4 learn: running, epochs 3/9" in shown(status_view(status(jobs=[job])))

    def test_a_failed_job_shows_why(self):
        job = Job(4, 1, JobKind.BEGIN, state=JobState.FAILED, message="No token is set.")

        assert "job 4 begin: failed - No token is set." in shown(status_view(status(jobs=[job])))

    def test_rounds_follow_once_there_are_any(self):
        assert "Rounds" not in shown(status_view(status()))
        assert "Rounds" in shown(status_view(status(rounds=[RoundReport(0)])))

    @pytest.mark.parametrize("title", ["[/]", "[red]Habari", "Habari [/b]", "[link=x]"])
    def test_a_title_that_looks_like_markup_is_shown_as_it_is(self, title):
        project = Project(1, "label_studio", "12", title, "<View/>", "secret", None)

        assert f"Project 12: {title}" in shown(status_view(status(project=project)))


class TestSuggestions:
    def test_each_source_is_a_row_with_its_spans(self):
        llm = Source(SourceKind.LLM, "gpt-6-luna", "entities-v1")
        tagger = Source(SourceKind.TAGGER, "crf-2")
        table = suggestions_table(
            [
                Suggestion("8", (Span(0, 6, "PER"), Span(9, 12, "LOC")), 0.7, llm),
                Suggestion("8", (), 0.314, tagger),
            ]
        )

        text = shown(table)

        assert "llm │ gpt-6-luna │ entities-v1 │ 0.70 │ PER 0-6, LOC 9-12" in text
        assert "tagger │ crf-2 │ - │ 0.31 │ none" in text

    @pytest.mark.parametrize("label", ["[/]", "[bold]", "[/b]"])
    def test_a_label_that_looks_like_markup_is_shown_as_it_is(self, label):
        source = Source(SourceKind.LLM, label, label)

        text = shown(suggestions_table([Suggestion("8", (Span(0, 6, label),), 0.7, source)]))

        assert text.count(label) == 3
