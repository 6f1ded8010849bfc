"""``harambee evaluate`` and ``sample``: from files, a socket or a database to a report."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.domain import (
    Annotation,
    Answer,
    Example,
    LabelScheme,
    Outcome,
    Source,
    SourceKind,
    Span,
    Suggestion,
    Task,
)
from backend.quality.holdout import is_held_out
from backend.services import LABEL_STUDIO, Services
from backend.settings import load_settings
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.testing.scripted_llm import ScriptedLlm
from backend.text.conll import Sentence, write_conll
from backend.text.spans import Mention

TOKENS = ["Ada", "saw", "Lagos"]
GOLD = ["B-Name", "O", "B-Place"]
RIGHT = [[token, tag] for token, tag in zip(TOKENS, GOLD, strict=True)]
WRONG = [["Ada", "O"], ["saw", "O"], ["Lagos", "B-Name"]]
CONFIG = """<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/>
</Labels><Text name="text" value="$text"/></View>"""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(*command, status=0):
    result = CliRunner().invoke(app, [str(part) for part in command])
    assert result.exit_code == status, result.output
    return result.output if not status else result.stderr


def report(folder):
    return json.loads((folder / "report.json").read_text())


def cells(folder):
    return {
        (cell["result"]["annotator"], cell["result"]["language"]): cell
        for cell in report(folder)["results"]["cells"]
    }


def f1(cell):
    return list(cell["result"]["readings"].values())[-1]["scores"]["f1"]["value"]


def record(number, responses, **more):
    return {"id": f"xx-{number}", "tokens": TOKENS, "gold": GOLD, "responses": responses, **more}


@pytest.fixture
def recordings(tmp_path):
    """Two models in an invented language and scheme, a broken line, an empty file."""
    folder = tmp_path / "recordings"
    answers = {"good": [RIGHT] * 3, "bad": [WRONG, RIGHT, WRONG]}
    for model, given in answers.items():
        (folder / model).mkdir(parents=True)
        lines = [json.dumps(record(number, given)) for number in range(6)]
        (folder / model / "xx.jsonl").write_text("\n".join([*lines, "{broken"]))
        (folder / model / "yy.jsonl").write_text("")
    return folder


class TestRecordings:
    def test_a_report_is_written_as_page_and_as_data(self, recordings, tmp_path):
        said = run("evaluate", "--recordings", recordings, "--out", tmp_path / "out")
        assert "good" in said
        data = report(tmp_path / "out")
        assert data["provenance"]["data"] == str(recordings)
        assert data["provenance"]["labels"] == "Name, Place"
        assert data["provenance"]["model"] == "good, bad"
        assert data["results"]["languages"]["xx"]["ranking"]["order"][0][0] == "good"
        page = (tmp_path / "out" / "report.html").read_text()
        assert "no price known" in page
        assert page.count("<svg") >= 3

    def test_every_model_has_its_scores_and_its_problems(self, recordings, tmp_path):
        run("evaluate", "--recordings", recordings, "--out", tmp_path / "out")
        found = cells(tmp_path / "out")
        assert found.keys() == {("good", "xx"), ("bad", "xx")}
        assert (f1(found["good", "xx"]), f1(found["bad", "xx"])) == (1, 0)
        assert found["bad", "xx"]["problems"] == {"xx.jsonl, line 7: not a JSON object": 1}
        assert found["bad", "xx"]["repeated"]["asked"] == 3

    def test_equal_runs_write_equal_reports(self, recordings, tmp_path):
        for name in ("one", "two"):
            run("evaluate", "--recordings", recordings, "--out", tmp_path / name)
        assert report(tmp_path / "one")["results"] == report(tmp_path / "two")["results"]

    def test_one_answer_of_one_model_is_enough(self, tmp_path):
        folder = tmp_path / "recordings" / "only"
        folder.mkdir(parents=True)
        (folder / "xx.jsonl").write_text(json.dumps(record(0, [RIGHT])))
        run("evaluate", "--recordings", folder.parent, "--out", tmp_path / "out")
        (cell,) = cells(tmp_path / "out").values()
        assert (f1(cell), cell["repeated"]) == (1, None)

    def test_billed_tokens_and_a_stated_price_make_the_cost(self, tmp_path):
        folder = tmp_path / "recordings" / "mine"
        folder.mkdir(parents=True)
        usage = [{"input": 1000, "output": 100}]
        (folder / "xx.jsonl").write_text(json.dumps(record(0, [RIGHT], usage=usage)))
        out = tmp_path / "out"
        run("evaluate", "--recordings", folder.parent, "--out", out, "--price", "mine=1,10")
        (cell,) = cells(out).values()
        assert float(cell["usd_per_right_span"]) == pytest.approx(0.001)
        assert cell["bill"]["estimated"] is False

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "What shall be measured?"),
            (("--recordings", "nowhere"), "There is no folder nowhere"),
            (("--recordings", "{empty}"), "There are no recordings"),
            (("--recordings", "{recordings}", "--price", "x"), "Cannot read the price"),
            (("--gold", "nowhere.conll"), "Cannot read the corpus"),
            (("--gold", "{gold}"), "Nobody is measured"),
            (("--gold", "{gold}", "--predictions", "nowhere"), "There is no folder"),
            (("--gold", "{gold}", "--predictions", "{empty}"), "There are no predictions"),
            (("--project", "9"), "Project 9 is not connected"),
        ],
    )
    def test_what_cannot_work_is_said_in_a_sentence(
        self, recordings, tmp_path, monkeypatch, arguments, message
    ):
        monkeypatch.setenv("HARAMBEE_STORE__DATA_DIR", str(tmp_path / "data"))
        (tmp_path / "empty").mkdir()
        write_conll(tmp_path / "gold.conll", [Sentence(("Ada",), ("B-PER",))])
        places = {
            "recordings": recordings,
            "empty": tmp_path / "empty",
            "gold": tmp_path / "gold.conll",
        }
        given = [argument.format(**places) for argument in arguments]
        assert message in run("evaluate", "--out", tmp_path / "out", *given, status=1)

    def test_without_gold_there_is_nothing_to_measure(self, tmp_path):
        folder = tmp_path / "recordings" / "m"
        folder.mkdir(parents=True)
        bare = {key: value for key, value in record(0, [RIGHT]).items() if key != "gold"}
        (folder / "xx.jsonl").write_text(json.dumps(bare))
        command = ("evaluate", "--recordings", folder.parent, "--out", tmp_path / "out")
        assert "--labels" in run(*command, status=1)
        assert "nothing to measure" in run(*command, "--labels", "Name", status=1)


SENTENCES = [
    Sentence(("Ada", "saw", "Lagos"), ("B-PER", "O", "B-LOC")),
    Sentence(("nobody", "slept"), ("O", "O")),
    Sentence(("Ada", "slept"), ("B-PER", "O")),
]


@pytest.fixture
def gold(tmp_path):
    path = tmp_path / "ha.conll"
    write_conll(path, SENTENCES)
    return path


class TestPredictions:
    def test_each_file_is_an_annotator(self, gold, tmp_path):
        folder = tmp_path / "predictions"
        (folder / "nested").mkdir(parents=True)
        write_conll(folder / "perfect.conll", SENTENCES)
        blank = [Sentence(each.tokens, ("O",) * len(each.tags)) for each in SENTENCES]
        write_conll(folder / "nested" / "ha.conll", blank)
        out = tmp_path / "out"
        run("evaluate", "--gold", gold, "--predictions", folder, "--out", out)
        found = cells(out)
        assert {name: f1(cell) for name, cell in found.items()} == {
            ("perfect", "ha"): 1,
            ("nested", "ha"): 0,
        }

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (SENTENCES[:2], "has 2 sentences and the gold 3"),
            ([*SENTENCES[:2], Sentence(("Eve", "slept"), ("O", "O"))], "sentence 3 is not"),
        ],
    )
    def test_other_sentences_are_refused(self, gold, tmp_path, given, message):
        (tmp_path / "predictions").mkdir()
        write_conll(tmp_path / "predictions" / "odd.conll", given)
        command = ("--gold", gold, "--predictions", tmp_path / "predictions")
        assert message in run("evaluate", *command, "--out", tmp_path / "out", status=1)


def test_the_configured_llm_is_asked_within_its_budget(gold, tmp_path, monkeypatch):
    with ScriptedLlm(
        lambda text: [Mention("Ada", "PER", 1, 0.9)] if "Ada" in text else []
    ) as server:
        monkeypatch.setenv("HARAMBEE_STORE__DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        run("evaluate", "--gold", gold, "--live", "--out", tmp_path / "out")
        calls = server.requests
        run("evaluate", "--gold", gold, "--live", "--out", tmp_path / "again")
        assert server.requests == calls  # known answers are not paid again
    (cell,) = cells(tmp_path / "out").values()
    assert f1(cell) == pytest.approx(0.8)  # both of Ada, and not Lagos
    assert float(cell["bill"]["usd"]) > 0
    assert cell["bill"]["estimated"] is False


class TestAProject:
    TEXTS = tuple(f"Ada saw Lagos {number} times" for number in range(60))
    SPANS = (Span(0, 3, "PER"), Span(8, 13, "LOC"))

    @pytest.fixture
    def project(self, tmp_path, monkeypatch):
        """A project that two people labelled, with a tagger and an LLM's suggestions."""
        monkeypatch.setenv("HARAMBEE_STORE__DATA_DIR", str(tmp_path / "data"))
        services = Services(load_settings(None))
        project = services.projects.register(LABEL_STUDIO, "7", CONFIG)
        tasks = SqlTaskRecords(services.database, project.id)
        tasks.replace_tasks(Task(str(at), text, "ha") for at, text in enumerate(self.TEXTS))
        said = [("careful", self.SPANS), ("hasty", self.SPANS[:1])]
        tasks.replace_annotations(
            [
                Annotation(f"{who}{at}", str(at), spans, who, NOW.replace(day=10 - place))
                for place, (who, spans) in enumerate(said, start=1)
                for at in range(len(self.TEXTS))
            ],
            NOW,
            None,
        )
        suggestions = SqlSuggestionRecords(services.database, project.id)
        source = Source(SourceKind.LLM, "gpt", "v1")
        for at in range(len(self.TEXTS)):
            suggestion = Suggestion(str(at), self.SPANS[1:], 0.5, source)
            suggestions.keep_answer(Answer(str(at), Outcome.ANNOTATED, suggestion))
        examples = [
            Example(str(at), text, self.SPANS)
            for at, text in enumerate(self.TEXTS)
            if not is_held_out(text, services.settings.learning.held_out_share)
        ]
        scheme = LabelScheme(("PER", "LOC"))
        tagger = services.families["crf"].train(examples, scheme, np.random.default_rng(0))
        shelf = services.shelf(project.id)
        shelf.promote(shelf.publish(tagger, {}))
        services.database.close()

    def test_tagger_llm_and_people_are_measured_on_held_out_labels(self, project, tmp_path):
        run("evaluate", "--project", "7", "--out", tmp_path / "out")
        scores = {name: f1(cell) for (name, _), cell in cells(tmp_path / "out").items()}
        assert scores == {
            "tagger 1 (crf)": 1,
            "gpt (v1)": pytest.approx(2 / 3),
            "annotator careful": 1,
            "annotator hasty": pytest.approx(2 / 3),
        }
        (texts,) = {cell["result"]["texts"] for cell in cells(tmp_path / "out").values()}
        assert 0 < texts < len(self.TEXTS)

    def test_gold_labels_can_be_given(self, project, tmp_path):
        path = tmp_path / "ha.conll"
        words = [text.split() for text in self.TEXTS[:5]]
        write_conll(
            path, [Sentence(tuple(each), ("B-PER", "O", "B-LOC", "O", "O")) for each in words]
        )
        run("evaluate", "--project", "7", "--gold", path, "--out", tmp_path / "out")
        found = cells(tmp_path / "out")
        assert {cell["result"]["texts"] for cell in found.values()} == {5}
        assert f1(found["annotator careful", "ha"]) == 1


class TestSample:
    @pytest.mark.parametrize("rule", ["random", "length", "clusters", "gold"])
    def test_sentences_are_drawn_as_they_stand(self, tmp_path, rule):
        source, out = tmp_path / "in.txt", tmp_path / "out.txt"
        sentences = [
            Sentence(("Ada", "slept", *["on"] * (at % 7 + 3)), ("B-PER", *["O"] * (at % 7 + 4)))
            for at in range(40)
        ]
        write_conll(source, sentences)
        said = run("sample", source, "--out", out, "--count", "10", "--rule", rule)
        assert f"10 of 40 texts drawn ({rule}, seed 1)" in said
        blocks = source.read_text().strip().split("\n\n")
        drawn = out.read_text().strip().split("\n\n")
        assert len(drawn) == 10
        assert set(drawn) <= set(blocks)

    def test_lines_of_json_are_drawn_by_their_source(self, tmp_path):
        source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        lines = [{"text": f"text {at}", "meta": {"from": "ab"[at % 4 == 0]}} for at in range(40)]
        source.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        command = ("--count", 8, "--rule", "source", "--key", "from")
        run("sample", source, "--out", out, *command)
        drawn = [json.loads(line)["meta"]["from"] for line in out.read_text().splitlines()]
        assert sorted(drawn) == list("aaaaaabb")

    def test_lines_of_text_are_drawn(self, tmp_path):
        (tmp_path / "in.txt").write_text("one text\nanother text\nand one more\n")
        run("sample", tmp_path / "in.txt", "--out", tmp_path / "out.txt", "--count", "2")
        assert len((tmp_path / "out.txt").read_text().splitlines()) == 2

    @pytest.mark.parametrize(
        ("source", "out", "message"),
        [
            ("in.txt", "in.txt", "would overwrite"),
            ("nowhere.txt", "out.txt", "Cannot draw from"),
            ("many.txt", "no/where.txt", "Cannot draw from"),
            ("in.txt", "out.txt", "Cannot draw 50 of 49 texts"),
            ("in.jsonl", "out.txt", "line 1: this is no JSON"),
        ],
    )
    def test_what_cannot_work_is_said_in_a_sentence(self, tmp_path, source, out, message):
        for name in ("in.txt", "many.txt", "in.jsonl"):
            (tmp_path / name).write_text("one text\n" * (60 if name == "many.txt" else 49))
        assert message in run("sample", tmp_path / source, "--out", tmp_path / out, status=1)
