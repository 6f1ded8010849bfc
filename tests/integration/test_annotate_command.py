"""``harambee annotate`` and its neighbours, from the command line to a provider's socket."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.testing.scripted_llm import Fault, ScriptedLlm
from backend.text.spans import Mention

TEXTS = ("Ada saw Lagos", "nobody was there", "Ada slept")


class Shell:
    """Commands in a data folder of their own, with a provider behind them."""

    def __init__(self, folder, server, monkeypatch):
        self.folder, self.server = folder, server
        self._patch = monkeypatch
        self._patch.setenv("HARAMBEE_STORE__DATA_DIR", str(folder / "data"))
        self._patch.setenv("OPENAI_API_KEY", server.api_key)
        self._patch.setenv("OPENAI_BASE_URL", server.openai_url)

    def set(self, **settings):
        for name, value in settings.items():
            self._patch.setenv(f"HARAMBEE_{name}", str(value))

    def forget_the_key(self):
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
            self._patch.delenv(name)

    def file(self, name, content):
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path

    def run(self, *command, status=0):
        result = CliRunner().invoke(app, [str(part) for part in command])
        assert result.exit_code == status, result.output
        return result.output

    def annotate(self, file, out, *more, status=0):
        return self.run("annotate", file, "--out", self.folder / out, *more, status=status)

    def output(self, name):
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    with ScriptedLlm(
        lambda text: [Mention("Ada", "PER", 1, 0.9)] if "Ada" in text else []
    ) as server:
        yield Shell(tmp_path, server, monkeypatch)


@pytest.fixture
def corpus(shell):
    return shell.file("corpus.jsonl", "".join(f'{{"text": "{text}"}}\n' for text in TEXTS))


class TestFormats:
    def test_json_lines_keep_what_they_bring_and_gain_spans(self, shell):
        source = shell.file("in.jsonl", '{"id": 7, "text": "Ada saw Lagos", "by": "x"}\n\n')
        shell.annotate(source, "out.jsonl")
        found = json.loads(shell.output("out.jsonl"))
        assert (found["id"], found["by"], found["outcome"]) == (7, "x", "annotated")
        assert found["spans"] == [
            {"start": 0, "end": 3, "label": "PER", "text": "Ada", "score": 0.9}
        ]

    def test_conll_keeps_its_tokens_empty_ones_too(self, shell):
        source = shell.file("in.conll", "He O\n O\nsaw O\nAda O\n\nNobody B-LOC\n")
        shell.annotate(source, "out.conll")
        assert shell.output("out.conll") == "He O\n O\nsaw O\nAda B-PER\n\nNobody O\n\n"

    def test_plain_text_becomes_json_lines_that_name_the_line(self, shell):
        source = shell.file("in.txt", "Ada slept\n\nnobody\r\n")
        shell.annotate(source, "out.jsonl")
        lines = [json.loads(line) for line in shell.output("out.jsonl").splitlines()]
        assert [(line["id"], line["text"], len(line["spans"])) for line in lines] == [
            (1, "Ada slept", 1),
            (3, "nobody", 0),
        ]

    def test_label_studio_tasks_gain_a_prediction(self, shell):
        source = shell.file("in.json", '[{"id": 9, "data": {"text": "Ada"}}, {"text": "no"}]')
        shell.annotate(source, "out.json")
        with_name, without = json.loads(shell.output("out.json"))
        assert with_name["id"] == 9
        assert with_name["predictions"][0]["result"][0]["value"]["labels"] == ["PER"]
        assert without["data"] == {"text": "no"}
        assert without["predictions"][0]["result"] == []

    def test_a_labelling_config_says_which_labels_and_where_the_text_is(self, shell):
        config = shell.file(
            "config.xml",
            '<View><Labels name="ner" toName="t"><Label value="PER"/></Labels>'
            '<Text name="t" value="$sentence"/></View>',
        )
        source = shell.file("in.json", '[{"data": {"sentence": "Ada"}}]')
        shell.annotate(source, "out.json", "--label-config", config)
        (region,) = json.loads(shell.output("out.json"))[0]["predictions"][0]["result"]
        assert (region["from_name"], region["to_name"]) == ("ner", "t")


class TestWrongInput:
    @pytest.mark.parametrize(
        ("name", "content", "complaint"),
        [
            ("in.jsonl", '{"text": "Ada"}\n{"txt": 1}\n', "line 2"),
            ("in.jsonl", "nonsense\n", "line 1"),
            ("in.conll", "Ada\n", "line 1"),
            ("in.json", '{"data": {}}', "JSON list of tasks"),
            ("in.json", '[{"data": {"txt": "Ada"}}]', "data['text'] is missing"),
            ("in.txt", "\n\n", "holds no text"),
            ("in.zip", "", "--format"),
        ],
    )
    def test_it_is_named_before_anything_is_asked(self, shell, name, content, complaint):
        source = shell.file(name, content)
        assert complaint in shell.annotate(source, "out", status=1)
        assert shell.server.requests == 0
        assert not (shell.folder / "out").exists()

    def test_a_place_where_nothing_can_be_written_is_refused_before_it_costs(self, shell, corpus):
        assert "Cannot write" in shell.annotate(corpus, "no/such/folder.jsonl", status=1)
        assert shell.server.requests == 0

    def test_without_a_provider_it_says_what_to_set(self, shell, corpus):
        shell.forget_the_key()
        assert "OPENAI_API_KEY" in shell.annotate(corpus, "out.jsonl", status=1)


class TestRunningAgain:
    def test_it_asks_only_for_what_has_no_answer_yet(self, shell, corpus):
        shell.set(LLM__MAX_ATTEMPTS=1, LLM__CONCURRENCY=1, LLM__SENTENCES_PER_CALL=1)
        shell.server.fail_next(Fault.SERVER_ERROR)
        output = shell.annotate(corpus, "out.jsonl", status=3)
        assert "1 texts have no answer yet" in output
        unanswered = json.loads(shell.output("out.jsonl").splitlines()[0])
        assert (unanswered["spans"], unanswered["outcome"]) == (None, "unreachable")
        asked = len(shell.server.calls)

        shell.annotate(corpus, "out.jsonl")

        assert len(shell.server.calls) == asked + 1

    def test_a_corpus_has_one_budget_over_all_its_runs(self, shell, corpus):
        assert "over_budget" in shell.annotate(corpus, "out.jsonl", "--budget", "0", status=3)
        assert shell.server.requests == 0
        assert "annotated" in shell.annotate(corpus, "out.jsonl")

    def test_the_bill_is_what_the_server_charged(self, shell, corpus):
        shell.annotate(corpus, "out.jsonl")
        lines = json.loads(shell.run("cost", "report", "--by", "model", "--format", "json"))
        assert lines[0]["model"] == "openai/gpt-6-luna"
        assert lines[-1]["usd"] == format(shell.server.billed_usd, "f")

    def test_a_report_is_a_table_or_csv_as_well(self, shell, corpus):
        shell.annotate(corpus, "out.jsonl")
        assert "complete" in shell.run("cost", "report", "--by", "outcome")
        heading = shell.run("cost", "report", "--by", "prompt", "--format", "csv").splitlines()[0]
        assert heading.startswith("prompt,attempts,")


class TestBatch:
    def test_it_brings_what_single_calls_bring_for_half(self, shell, corpus):
        shell.set(LLM__BATCH_POLL_SECONDS=0.01)
        shell.annotate(corpus, "batch.jsonl", "--batch")
        half = shell.server.billed_usd
        assert (len(shell.server.batches.submitted), shell.server.requests) == (1, 0)

        shell.set(STORE__DATA_DIR=shell.folder / "elsewhere")
        shell.annotate(corpus, "single.jsonl")

        assert shell.output("batch.jsonl") == shell.output("single.jsonl")
        assert shell.server.billed_usd - half == 2 * half


class TestRecordings:
    def test_a_recorded_run_repeats_elsewhere_without_a_key(self, shell, corpus):
        shell.annotate(corpus, "out.jsonl")
        shell.run("llm", "record", "--out", shell.folder / "answers.jsonl")
        shell.forget_the_key()
        shell.set(STORE__DATA_DIR=shell.folder / "elsewhere", LLM__PROVIDER="openai")

        shell.run("llm", "replay", shell.folder / "answers.jsonl")
        shell.annotate(corpus, "again.jsonl", "--replay")

        assert shell.output("again.jsonl") == shell.output("out.jsonl")

    def test_a_recording_says_where_answers_come_from_and_no_secret(self, shell, corpus):
        shell.annotate(corpus, "out.jsonl")
        shell.run("llm", "record", "--out", shell.folder / "answers.jsonl")
        recording = shell.output("answers.jsonl")
        assert json.loads(recording.splitlines()[0])["answer"]["origin"]["model"] == "gpt-6-luna"
        assert shell.server.api_key not in recording

    def test_what_is_not_in_the_recording_is_not_asked_for(self, shell, corpus):
        output = shell.annotate(corpus, "out.jsonl", "--replay", status=3)
        assert "unreachable" in output
        assert shell.server.requests == 0

    def test_a_file_that_is_none_is_refused_whole(self, shell):
        broken = shell.file("broken.jsonl", '{"key": "x", "answer": {}}\n')
        assert "line 1" in shell.run("llm", "replay", broken, status=1)
