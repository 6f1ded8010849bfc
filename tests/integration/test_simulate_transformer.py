"""The loop with a real transformer: in the simulation, and where a project is served.

It has random weights and learns next to nothing; what is tested is that each part fits the others.
"""

import json

import numpy as np
import pytest
from simulated import write_corpora
from tiny_transformer import write_tiny_transformer
from typer.testing import CliRunner

from backend import loop
from backend.cli import app
from backend.domain import LabelScheme, Task
from backend.samples import LABELS, sample_texts
from backend.settings import LearningSettings, SuggestionSettings, TaggerSettings
from backend.store.database import Database
from backend.store.projects import Projects
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.tagger.checkpoints import ModelShelf
from backend.tagger.families import all_families, build_family
from backend.testing.in_memory_tool import InMemoryTool
from backend.workspace import Workspace

pytest.importorskip("torch", reason="the tagger extra is not installed")
pytest.importorskip("transformers", reason="the tagger extra is not installed")

QUICK = {"learning_rate": "0.01", "epochs": "1", "min_steps": "4", "precision": "float32"}
STRATEGIES = ("bald", "committee-kl", "margin-diverse")
SIZE = ("--languages", "aaa", "--first", 30, "--step", 10, "--rounds", 1, "--seeds", 1,
        "--processes", 1, "--tagger", "transformer")  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_transformer(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_corpora(tmp_path_factory.mktemp("corpora"))


@pytest.fixture
def configured(tiny, monkeypatch):
    """The environment of somebody who has this base model in a folder."""
    for name, value in {**QUICK, "base_model": str(tiny)}.items():
        monkeypatch.setenv(f"HARAMBEE_TAGGER__{name.upper()}", value)


def simulate(*arguments):
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def results(out):
    return json.loads((out / "results.json").read_text())


@pytest.mark.usefixtures("configured")
class TestSimulated:
    def test_every_sort_of_strategy_is_played_to_the_end(self, data, tmp_path):
        """A committee of passes with dropout, one of trainings, and a hybrid with diversity."""
        simulate("--data", data, "--strategies", ",".join(STRATEGIES), *SIZE, "--out", tmp_path)

        found = results(tmp_path)
        texts = {
            run["strategy"]: [each["texts"] for each in run["rounds"]] for run in found["runs"]
        }
        assert texts.pop("full-data") == [100]
        assert texts == {name: [30, 40] for name in ("random", *STRATEGIES)}
        assert found["configuration"]["tagger"]["kind"] == "transformer"
        assert "transformer" in (tmp_path / "index.html").read_text()

    def test_the_same_seed_gives_the_same_curve_and_is_not_computed_twice(self, data, tmp_path):
        for out in ("one", "two"):
            simulate("--data", data, "--strategies", "bald", *SIZE, "--out", tmp_path / out)
        kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "two" / "cells").iterdir()}
        simulate("--data", data, "--strategies", "bald", *SIZE, "--out", tmp_path / "two")

        assert results(tmp_path / "one")["runs"] == results(tmp_path / "two")["runs"]
        assert all(path.stat().st_mtime_ns == before for path, before in kept.items())

    def test_dropout_can_be_asked_where_other_languages_help(self, data, tmp_path):
        """The tagger that tells what was decided has to answer with dropout as well."""
        simulate("--data", data, "--strategies", "bald", "--auxiliary", "bbb", *SIZE, "--out",
                 tmp_path)  # fmt: skip

        (run,) = [
            run
            for run in results(tmp_path)["runs"]
            if run["auxiliary"] and run["strategy"] == "bald"
        ]
        assert [each["texts"] for each in run["rounds"]] == [30, 40]

    def test_an_llm_labels_beside_humans(self, data, tmp_path):
        simulate("--data", data, "--llm", "gold", "--routes", "default", *SIZE, "--out", tmp_path)

        (route,) = results(tmp_path)["routes"]
        assert route["better_of_human_only_and_llm_only"] == "human-only"

    def test_a_missing_model_is_said(self, data, tmp_path, monkeypatch):
        monkeypatch.setenv("HARAMBEE_TAGGER__BASE_MODEL", str(tmp_path / "absent"))

        result = CliRunner().invoke(
            app, ["simulate", "--data", str(data), *map(str, SIZE), "--out", str(tmp_path / "out")]
        )

        assert result.exit_code == 1
        assert "There is no such folder" in " ".join(result.stderr.split())


class TestServed:
    """Two rounds of the live loop on a real store."""

    @pytest.fixture
    def work(self, tiny, tmp_path, request):
        settings = TaggerSettings(
            kind="transformer", base_model=str(tiny), learning_rate=0.01, epochs=1, min_steps=4,
            precision="float32",
        )  # fmt: skip
        database = Database(f"sqlite:///{tmp_path / 'store.sqlite3'}")
        database.migrate()
        project = Projects(database).register("memory", "1", "<View/>")
        examples = [example for _, example in sample_texts()][:60]
        tool = InMemoryTool(Task(str(n), one.text) for n, one in enumerate(examples))
        for place, one in enumerate(examples[:30]):
            tool.annotate(str(place), one.spans)
        return Workspace(
            scheme=LabelScheme(LABELS),
            tool=tool,
            tasks=SqlTaskRecords(database, project.id),
            suggestions=SqlSuggestionRecords(database, project.id),
            rounds=SqlRoundRecords(database, project.id),
            models=ModelShelf(tmp_path / "models", all_families(settings)),
            family=build_family(settings),
            annotator=None,
            learning=LearningSettings(min_labels=10),
            showing=SuggestionSettings(strategy=request.param),
        )

    @pytest.mark.parametrize("work", STRATEGIES, indirect=True)
    def test_a_queue_is_ordered_by_it_in_each_round(self, work):
        first = loop.play_round(work)
        for task in work.tasks.pool()[:5]:
            work.tool.annotate(task.id, ())
        second = loop.play_round(work)

        assert (first.model, second.model) == (1, 2)
        shown = work.tool.suggestions(work.tool.version)
        confidence = np.array([shown[task.id].confidence for task in work.tasks.pool()])
        assert len(confidence) == 25
        assert ((confidence >= 0) & (confidence <= 1)).all()
        assert len(set(confidence.tolist())) > 1
