"""What is simulated is what the live loop does: the same queries, the same LLM, the same labels."""

import json

import pytest
from simulated import sentence, write_corpora
from typer.testing import CliRunner

from backend import loop
from backend.cli import app
from backend.domain import Annotation, Task
from backend.samples import LABELS, sample_texts
from backend.services import LABEL_STUDIO, Services
from backend.settings import (
    LearningSettings,
    SuggestionSettings,
    TaggerSettings,
    load_settings,
)
from backend.simulation.annotators import GoldSource
from backend.simulation.corpus import corpus_of
from backend.simulation.plan import Amount, Cell, Costs, FirstTexts, Plan, Route
from backend.simulation.play import LONG_AGO, play
from backend.simulation.stage import Stage
from backend.store.database import Database
from backend.store.projects import Projects
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.tagger.checkpoints import ModelShelf
from backend.tagger.crf import CrfFamily
from backend.testing.in_memory_tool import InMemoryTool
from backend.testing.scripted_llm import ScriptedLlm
from backend.text.conll import write_conll
from backend.text.spans import Mention
from backend.workspace import Workspace

SAMPLES = [example for _, example in sample_texts()]
CORPUS = corpus_of("mix", SAMPLES[60:], (), SAMPLES[:60])


def plan(**changes):
    settings = {
        "languages": ("mix",),
        "strategies": ("default",),
        "routes": (Route.ALL_HUMAN,),
        "seeds": 1,
        "rounds": 2,
        "first": Amount(40, is_share=False),
        "step": Amount(10, is_share=False),
        "first_texts": FirstTexts.RANDOM,
        "tagger": TaggerSettings(),
        "human_share": 0.1,
        "paid_by": "sentence",
        "costs": Costs(),
    }
    return Plan(**(settings | changes))


@pytest.mark.parametrize("strategy", ["margin", "mean-entropy", "least-confidence", "longest"])
def test_the_live_loop_asks_for_the_tasks_that_the_simulation_asks_for(tmp_path, strategy):
    """With nothing held out and nothing calibrated, as the simulation has a test set for that."""
    first, *rounds = play(
        Stage(CORPUS, 0, plan(), CrfFamily()), Cell("mix", strategy, Route.ALL_HUMAN, 0)
    )
    database = Database(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    database.migrate()
    project = Projects(database).register("memory", "1", "<View/>")
    tool = InMemoryTool(Task(str(n), one.text) for n, one in enumerate(CORPUS.train))
    work = Workspace(
        scheme=CORPUS.scheme,
        tool=tool,
        tasks=SqlTaskRecords(database, project.id),
        suggestions=SqlSuggestionRecords(database, project.id),
        rounds=SqlRoundRecords(database, project.id),
        models=ModelShelf(tmp_path / "models", {"crf": CrfFamily()}),
        family=CrfFamily(),
        annotator=None,
        learning=LearningSettings(held_out_share=1e-12, calibrate=False),
        showing=SuggestionSettings(strategy=strategy),
    )

    asked = [list(first.queried)]
    for _ in rounds:
        for place in asked[-1]:
            tool.annotate(str(place), CORPUS.train[place].spans)
        loop.play_round(work)
        scores = tool.suggestions(tool.version)
        queue = sorted(scores, key=lambda task: (scores[task].confidence, int(task)))
        asked.append([int(task) for task in queue[:10]])

    assert [set(places) for places in asked] == [set(each.queried) for each in (first, *rounds)]


def test_first_texts_by_cold_start_need_no_labels():
    stage = Stage(CORPUS, 0, plan(first_texts=FirstTexts.COLD_START), CrfFamily())

    assert len(set(stage.first)) == 40


class TestTheDefaultRoute:
    def played(self, make_annotator):
        stage = Stage(CORPUS, 0, plan(), CrfFamily(), make_annotator)
        return list(play(stage, Cell("mix", "margin", Route.DEFAULT, 0)))

    def test_humans_label_their_share_and_the_llm_everything(self):
        rounds = self.played(lambda: GoldSource().annotator(CORPUS, 0))

        assert [each.human_texts for each in rounds] == [40, 41, 42]
        assert [each.llm_texts for each in rounds] == [40, 50, 60]
        assert rounds[-1].mix.split()[-1] in {"none", "corrected", "as-given"}


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A provider that finds one name, and settings that point to it."""
    names = {example.text[span.start : span.end] for example in SAMPLES for span in example.spans
             if span.label == "LOC"}  # fmt: skip

    def brain(text):
        found = [name for name in sorted(names) if name in text]
        return [Mention(name, "LOC", 1, 0.9) for name in found[:1]]

    with ScriptedLlm(brain) as server:
        monkeypatch.setenv("HARAMBEE_STORE__DATA_DIR", str(tmp_path / "store"))
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        yield server


def simulate(*arguments):
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


class TestALiveLlm:
    SIZE = ("--languages", "aaa", "--first", 20, "--step", 10, "--rounds", 1, "--seeds", 2,
            "--routes", "llm-only", "--llm", "live", "--processes", 1)  # fmt: skip

    def test_it_is_asked_through_the_ledger_and_never_twice(self, served, tmp_path):
        data = write_corpora(tmp_path / "data")

        first = simulate("--data", data, *self.SIZE, "--out", tmp_path / "one")
        calls = len(served.calls)
        again = simulate("--data", data, *self.SIZE, "--out", tmp_path / "two")

        assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
        assert calls > 0
        assert len(served.calls) == calls

    def test_an_exhausted_budget_is_said_and_the_same_command_goes_on(
        self, served, tmp_path, monkeypatch
    ):
        data = write_corpora(tmp_path / "data")
        monkeypatch.setenv("HARAMBEE_LLM__BUDGET_USD", "0")
        poor = simulate("--data", data, *self.SIZE, "--out", tmp_path / "out")
        monkeypatch.setenv("HARAMBEE_LLM__BUDGET_USD", "5")

        richer = simulate("--data", data, *self.SIZE, "--out", tmp_path / "out")

        assert poor.exit_code == 1
        assert "The LLM could not be asked" in poor.stderr
        assert richer.exit_code == 0, richer.output


class TestAHalfLabelledProject:
    """What would more labels bring? Asked of a file, and of a project in the store."""

    OPTIONS = ("--expect", "50,600", "--seeds", 2)

    def expected(self, result, out):
        assert result.exit_code == 0, result.output
        found = json.loads((out / "results.json").read_text())
        assert "600 labels" in (out / "index.html").read_text()
        assert "with 600 labels" in " ".join(result.output.split())
        assert 50 in [each["labels"] for each in found["measured"]]
        return found

    def test_of_a_file_the_sentences_without_tags_wait(self, tmp_path):
        path = tmp_path / "half.conll"
        write_conll(path, map(sentence, SAMPLES[::2]))
        waiting = (sentence(each).tokens for each in SAMPLES[1::2])
        with path.open("a", encoding="utf-8") as file:
            file.writelines("\n".join(tokens) + "\n\n" for tokens in waiting)

        result = simulate("--labels", path, *self.OPTIONS, "--out", tmp_path / "out")

        found = self.expected(result, tmp_path / "out")
        labelled = len({each.text for each in SAMPLES[::2]})
        assert found["labels"] == labelled
        assert [each["labels"] for each in found["expected"]] == [labelled, 600]

    def test_of_a_project_its_accepted_labels_are_taken(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HARAMBEE_STORE__DATA_DIR", str(tmp_path / "store"))
        services = Services(load_settings())
        services.database.migrate()
        values = "".join(f'<Label value="{label}"/>' for label in LABELS)
        project = services.projects.register(
            LABEL_STUDIO, "7", f'<View><Labels name="label" toName="text">{values}</Labels>'
            '<Text name="text" value="$text"/></View>',
        )  # fmt: skip
        tasks = SqlTaskRecords(services.database, project.id)
        tasks.replace_tasks(Task(str(n), one.text) for n, one in enumerate(SAMPLES))
        labels = [
            Annotation(f"a{n}", str(n), one.spans, "ada", LONG_AGO)
            for n, one in enumerate(SAMPLES[:120])
        ]
        tasks.replace_annotations(labels, LONG_AGO, None)

        result = simulate("--project", 7, *self.OPTIONS, "--out", tmp_path / "out")

        found = self.expected(result, tmp_path / "out")
        assert found["labels"] == len({each.text for each in SAMPLES[:120]})


def test_an_unknown_project_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HARAMBEE_STORE__DATA_DIR", str(tmp_path))

    result = simulate("--project", 7, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "Project 7 is not connected" in result.stderr
