"""What a project's own rounds say of costs: labels, times, spend and training as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from audited_page import AuditedPage, gold_of
from audited_workspace import GOLD, open_audited_workspace, text_of
from typer.testing import CliRunner

from backend import loop
from backend.cli import app
from backend.cost.savings import HUMANS, HYBRID, LLM_ALONE, Prices, bill
from backend.domain import Annotation, SourceKind, Task
from backend.errors import InputError
from backend.laboratory.costs import pace_of, project_curves, usual_targets
from backend.quality.holdout import is_held_out
from backend.quality.span_f1 import span_scores
from backend.services import LABEL_STUDIO
from backend.workspace import trusted_examples

LLM_USD = 0.01
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A project in its third round."""
    work = open_audited_workspace(tmp_path_factory.mktemp("live"), tasks=200, share=0.1)
    loop.begin(work)
    for _ in range(3):
        for task in work.tasks.pool()[:40]:
            work.tool.annotate(task.id, GOLD[text_of(int(task.id))])
        loop.play_round(work)
    return work


@pytest.fixture(scope="module")
def measured(work):
    return project_curves(work, LLM_USD, np.random.default_rng(0))


def held_out(work):
    examples, _ = trusted_examples(work)
    return [it for it in examples if is_held_out(it.text, work.learning.held_out_share)]


class TestTheRounds:
    def test_each_round_is_a_point_with_the_labels_there_were(self, work, measured):
        labels = [report.labels for report in work.rounds.all()]

        assert [point.human_texts for point in measured.curves[HYBRID]] == labels

    def test_the_llm_is_judged_by_its_answers_to_the_held_out_texts(self, work, measured):
        answers = work.suggestions.by_source(SourceKind.LLM)
        scores = span_scores((it.spans, answers[it.task_id].spans) for it in held_out(work))

        (point,) = measured.curves[LLM_ALONE]

        assert point.f1 == pytest.approx(scores.f1)
        assert (point.human_texts, point.llm_texts) == (0, len(answers))

    def test_humans_alone_are_a_tagger_that_saw_no_llm(self, work, measured):
        assert measured.curves[HUMANS][-1].human_texts == 120
        assert measured.curves[HUMANS][-1].f1 > 0.9

    def test_all_curves_are_drawn_on_the_same_texts(self, work, measured):
        assert {len(heights) for heights in measured.heights.values()} == {2000}
        assert f"{len(held_out(work))} held-out texts" in measured.what

    def test_training_is_timed_and_added_up(self, work, measured):
        seconds = [point.training_seconds for point in measured.curves[HYBRID]]

        assert all(report.training_seconds > 0 for report in work.rounds.all()[1:])
        assert seconds == sorted(seconds)
        assert seconds[0] == 0

    def test_blind_labels_are_the_audits_part_of_the_bill(self, work, measured):
        point = measured.curves[HYBRID][-1]
        prices = Prices(usd_per_hour=3600, seconds_per_text=2, assisted_seconds_per_text=1)

        found = bill(point, HYBRID, prices)

        assert point.blind_texts > 0
        assert found.audit == pytest.approx(2 * point.blind_texts)
        assert found.human == pytest.approx(point.human_texts - point.blind_texts)

    def test_the_targets_are_reached_by_humans_and_hybrid(self, measured):
        best = min(max(p.f1 for p in measured.curves[route]) for route in (HUMANS, HYBRID))

        assert len(usual_targets(measured.curves)) == 3
        assert best - 0.05 < usual_targets(measured.curves)[-1] <= best

    def test_without_labels_it_says_what_to_do(self, tmp_path):
        fresh = open_audited_workspace(tmp_path, tasks=20, share=0.1)
        loop.begin(fresh)

        with pytest.raises(InputError, match="Label more tasks"):
            project_curves(fresh, LLM_USD, np.random.default_rng(0))

    def test_models_that_are_gone_are_left_out_and_named(self, work):
        gone = replace(work.rounds.all()[1], number=9, model=77, promoted=True)
        records = type("Rounds", (), {"all": lambda _: [*work.rounds.all(), gone]})()

        found = project_curves(replace(work, rounds=records), LLM_USD, np.random.default_rng(0))

        assert any("rounds [9]" in remark for remark in found.remarks)


class TestPace:
    def note(self, number, seconds, by="ada"):
        return Annotation(f"{number}{by}", str(number), (), by, START, lead_time=seconds)

    def test_suggestions_in_view_are_told_from_none(self):
        annotated = [
            (Task(str(n), "text"), [self.note(n, 30.0 if n % 2 else 12.0)]) for n in range(40)
        ]

        pace = pace_of(annotated, {str(n) for n in range(40) if n % 2})

        assert (pace.blind, pace.assisted) == (pytest.approx(30), pytest.approx(12))
        assert "12.0 s with a suggestion" in pace.in_words()

    def test_with_few_of_either_there_is_one_pace(self):
        annotated = [(Task(str(n), "text"), [self.note(n, 20.0)]) for n in range(40)]

        pace = pace_of(annotated, {"1"})

        assert (pace.blind, pace.assisted) == (pytest.approx(20), None)
        assert pace.in_words() == ""

    def test_a_text_that_two_people_label_takes_the_time_of_both(self):
        annotated = [
            (Task(str(n), "text"), [self.note(n, 20.0), self.note(n, 20.0, "ben")])
            for n in range(20)
        ]

        assert pace_of(annotated, set()).blind == pytest.approx(40)

    def test_without_times_nothing_is_known(self):
        assert pace_of([(Task("1", "text"), [self.note(1, None)])], set()).blind is None


class TestTheCommand:
    @pytest.fixture
    def run(self, tmp_path):
        page = AuditedPage(tmp_path, LABEL_STUDIO)
        label_in_order(page, 120)
        work = page.services.workspace(page.project)
        work.rounds.keep(replace(loop.learn(work), number=1, spent_usd="2.50"))
        page.close()

        def run(*arguments):
            settings = {
                "HARAMBEE_STORE__DATA_DIR": str(tmp_path / "data"),
                "HARAMBEE_COST__USD_PER_HOUR": "18",
                "HARAMBEE_COST__TRAINING_USD_PER_HOUR": "3",
                "HARAMBEE_LEARNING__HELD_OUT_SHARE": "0.3",
            }
            result = CliRunner().invoke(
                app, ["cost", "savings", *map(str, arguments)], env=settings
            )
            return result, " ".join(result.output.split())

        return run

    def test_a_projects_rounds_become_a_table_a_page_and_json(self, run, tmp_path):
        result, said = run("--project", 7, "--out", tmp_path / "out")

        assert result.exit_code == 0, said
        assert "Learning curves of 1 rounds on" in said
        assert "US dollars until an F1 is reached" in said
        found = json.loads((tmp_path / "out" / "report.json").read_text())["results"]
        assert found["prices"]["usd_per_hour"] == 18
        assert found["prices"]["gpu_usd_per_hour"] == 3
        assert found["prices"]["seconds_per_text"] == pytest.approx(20)
        (hybrid,) = found["curves"]["default"]
        assert hybrid["bill"]["llm"] == pytest.approx(2.5)
        assert hybrid["f1_interval"]["low"] <= hybrid["f1"] <= hybrid["f1_interval"]["high"]
        assert "<svg" in (tmp_path / "out" / "report.html").read_text()

    def test_an_option_goes_before_what_was_measured(self, run, tmp_path):
        run("--project", 7, "--seconds-per-text", 50, "--out", tmp_path / "out")

        found = json.loads((tmp_path / "out" / "report.json").read_text())["results"]
        assert found["prices"]["seconds_per_text"] == 50

    def test_without_curves_it_says_where_they_come_from(self, run):
        result, said = run()

        assert result.exit_code == 1
        assert "--simulation" in said


def label_in_order(page, count):
    """People label the first tasks, a minute apart, in 20 seconds each."""

    notes = [
        Annotation(str(n), str(n), gold_of(n), "ada", START + timedelta(minutes=n), lead_time=20.0)
        for n in range(count)
    ]
    work = page.services.workspace(page.project)
    work.tasks.replace_annotations(notes, START + timedelta(days=1), None)
