"""The ``harambee`` command: what it says, and that every failure is one sentence."""

import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner
from web_backend import LABELS, NOWHERE, WebBackend

from backend import __version__
from backend.cli import app
from backend.domain import RoundReport, Source, SourceKind, Span, SpanScores, Suggestion
from backend.store.rounds import SqlRoundRecords
from backend.testing.taggers import FakeTagger

TOKEN = "c0ffee" * 6 + "cafe"
DOWN = {"LABEL_STUDIO_URL": NOWHERE, "LABEL_STUDIO_API_KEY": TOKEN}
COMMANDS = ["serve", "worker", "status", "learn", "suggestions", "rollback", "label-studio", "demo"]


@pytest.fixture
def backend(tmp_path):
    """What the commands find in the data folder."""
    with WebBackend(tmp_path) as backend:
        yield backend


@pytest.fixture
def run(tmp_path):
    """Run a command on the test's data folder, with more environment if needed."""

    def run(*arguments, **environment):
        settings = {"HARAMBEE_STORE__DATA_DIR": str(tmp_path / "data")} | environment
        return CliRunner().invoke(app, arguments, env=settings)

    return run


def said(result):
    """Everything a command said, its line breaks collapsed."""
    return " ".join(result.output.split())


def assert_one_sentence(result, *words):
    """The command ended with exit code 1 and one error for people, no traceback."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


@contextmanager
def label_studio_that_says(status):
    """A stand-in on a socket that answers everything with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"detail": "No."}')

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield {
        "LABEL_STUDIO_URL": f"http://127.0.0.1:{server.server_port}",
        "LABEL_STUDIO_API_KEY": TOKEN,
    }
    server.shutdown()
    server.server_close()


class TestHelp:
    def test_it_names_every_command(self, run):
        result = run("--help")

        assert result.exit_code == 0
        assert all(command in result.output for command in COMMANDS)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_explains_itself(self, run, command):
        result = run(command, "--help")

        assert result.exit_code == 0
        assert "Usage" in result.output

    def test_the_version_is_said(self, run):
        assert said(run("--version")) == f"harambee {__version__}"

    def test_help_and_version_touch_no_data_folder(self, run, tmp_path):
        run("--version")
        run("status", "--help")

        assert not (tmp_path / "data").exists()


class TestStatus:
    def test_without_a_project_it_says_how_to_connect_one(self, run):
        result = run("status")

        assert result.exit_code == 0
        assert "No project yet. Run: harambee label-studio connect" in said(result)

    def test_a_project_is_shown_with_tasks_spend_jobs_and_rounds(self, run, backend):
        project = backend.know(12, name="Habari [/] za Kisumu")
        backend.suggestions(project).serve("harambee-v4")
        rounds = SqlRoundRecords(backend.services.database, project.id)
        rounds.keep(RoundReport(1, labels=50, tagger=SpanScores(8, 2, 2), promoted=True))

        text = said(run("status"))

        assert "Project 12: Habari [/] za Kisumu" in text
        assert "serving harambee-v4; 0 of 0 tasks labelled; 0 changes waiting" in text
        assert "80.0" in text

    def test_every_project_is_shown(self, run, backend):
        backend.know(1, name="Hausa")
        backend.know(2, name="Yorùbá")

        text = said(run("status"))

        assert "Project 1: Hausa" in text
        assert "Project 2: Yorùbá" in text


class TestSuggestions:
    def test_both_sources_are_shown_the_one_that_is_not_served_included(self, run, backend):
        project = backend.know(3)
        backend.remember_llm(project, 8, (0, 6, "PER"))
        tagged = Suggestion("8", (Span(0, 6, "LOC"),), 0.31, Source(SourceKind.TAGGER, "crf-2"))
        backend.suggestions(project).keep([tagged])

        text = said(run("suggestions", "--project", "3", "--task", "8"))

        assert "llm" in text
        assert "PER 0-6" in text
        assert "tagger" in text
        assert "LOC 0-6" in text

    def test_a_label_that_looks_like_markup_is_shown_as_it_is(self, run, backend):
        backend.remember_llm(backend.know(3), 8, (0, 6, "[/b]"))

        result = run("suggestions", "--project", "3", "--task", "8")

        assert result.exit_code == 0
        assert "[/b]" in result.output

    @pytest.mark.parametrize("command", [["suggestions", "--task", "8"], ["learn"], ["rollback"]])
    def test_an_unknown_project_is_one_sentence_with_the_command_to_run(self, run, command):
        result = run(*command, "--project", "7")

        assert_one_sentence(result, "Project 7", "harambee label-studio connect --project 7")


class TestLearn:
    def test_it_can_be_left_to_the_worker(self, run, backend):
        project = backend.know(3)

        result = run("learn", "--project", "3", "--later")

        assert "The worker has been told." in said(result)
        assert backend.jobs(project) == ["learn"]

    def test_without_a_token_it_says_what_to_set(self, run, backend):
        backend.know(3)

        assert_one_sentence(run("learn", "--project", "3"), "LABEL_STUDIO_API_KEY")


class TestRollback:
    def test_the_tagger_that_served_before_serves_again(self, run, backend):
        project = backend.know(3)
        for word in ("Kisumu", "Thandi"):
            backend.teach(project, tagger=FakeTagger({word: "LOC"}, LABELS))

        result = run("rollback", "--project", "3")

        assert "Model version 1 serves" in said(result)
        number, tagger = backend.services.shelf(project.id).serving()
        assert (number, tagger.lexicon) == (1, {"Kisumu": "LOC"})

    def test_with_nothing_to_go_back_to_it_says_so(self, run, backend):
        backend.teach(backend.know(3))

        assert_one_sentence(run("rollback", "--project", "3"), "no earlier")


class TestLabelStudio:
    def test_without_a_token_it_says_where_to_get_one(self, run):
        result = run("label-studio", "connect", "--project", "1")

        assert_one_sentence(result, "LABEL_STUDIO_API_KEY", "Account & Settings")

    @pytest.mark.parametrize("command", ["connect", "disconnect"])
    def test_when_it_is_down_the_address_is_named(self, run, command):
        result = run("label-studio", command, "--project", "1", **DOWN)

        assert_one_sentence(result, NOWHERE, "LABEL_STUDIO_URL")
        assert TOKEN not in result.output

    def test_a_wrong_token_is_one_sentence(self, run):
        with label_studio_that_says(401) as there:
            result = run("label-studio", "connect", "--project", "1", **there)

        assert_one_sentence(result, "does not accept the API key")
        assert TOKEN not in result.output

    def test_a_project_it_does_not_have_is_one_sentence(self, run):
        with label_studio_that_says(404) as there:
            result = run("label-studio", "connect", "--project", "1", **there)

        assert_one_sentence(result, "Check the project's number")

    def test_a_failed_connection_leaves_no_project_behind(self, run, backend):
        run("label-studio", "connect", "--project", "1", **DOWN)

        assert backend.services.projects.all() == []

    def test_an_address_without_a_scheme_is_one_sentence(self, run):
        there = {"LABEL_STUDIO_URL": "localhost:8080", "LABEL_STUDIO_API_KEY": TOKEN}

        assert_one_sentence(run("label-studio", "connect", "--project", "1", **there), "http://")


class TestSettingsThatCannotWork:
    def test_a_typo_in_the_settings_file_is_named(self, run, tmp_path):
        settings = tmp_path / "harambee.yaml"
        settings.write_text("serverr:\n  port: 9\n")

        assert_one_sentence(run("--config", str(settings), "status"), "serverr")

    def test_a_settings_file_that_is_no_yaml_is_named(self, run, tmp_path):
        settings = tmp_path / "harambee.yaml"
        settings.write_text("server: [")

        result = run("--config", str(settings), "status")

        assert result.exit_code == 1
        assert str(settings) in result.stderr.replace("\n", "")
        assert "Traceback" not in result.output

    def test_a_settings_file_that_is_not_there_is_named(self, run, tmp_path):
        assert_one_sentence(run("--config", str(tmp_path / "none.yaml"), "status"), "none.yaml")

    def test_a_wrong_value_in_the_environment_is_named(self, run):
        assert_one_sentence(run("status", PORT="ninety"), "server.port")

    @pytest.mark.parametrize("command", ["status", "serve", "worker"])
    def test_a_data_folder_that_cannot_be_made_is_one_sentence(self, run, tmp_path, command):
        (tmp_path / "file").touch()

        result = run(command, HARAMBEE_STORE__DATA_DIR=str(tmp_path / "file" / "data"))

        assert_one_sentence(result, "HARAMBEE_STORE__DATA_DIR")

    def test_a_queue_that_cannot_be_made_beside_a_database_elsewhere_is_one_sentence(
        self, run, tmp_path
    ):
        (tmp_path / "file").touch()
        elsewhere = {
            "DATABASE_URL": f"sqlite:///{tmp_path}/elsewhere.sqlite3",
            "HARAMBEE_STORE__DATA_DIR": str(tmp_path / "file" / "data"),
        }

        assert_one_sentence(run("worker", **elsewhere), "queue", "HARAMBEE_STORE__DATA_DIR")

    def test_a_database_that_is_none_is_one_sentence(self, run, tmp_path):
        data = tmp_path / "data"
        data.mkdir()
        (data / "harambee.sqlite3").write_text("these are not the rows you are looking for" * 99)

        assert_one_sentence(run("status"), "not a database")

    @pytest.mark.parametrize("url", ["nonsense", "mysterydb://host/name", "sqlite+nothing:///x"])
    def test_a_database_address_of_an_unknown_kind_is_one_sentence(self, run, url):
        assert_one_sentence(run("status", DATABASE_URL=url), "sqlite:///")

    def test_the_install_line_of_a_missing_extra_is_printed_whole(self, run, monkeypatch):
        monkeypatch.setitem(sys.modules, "psycopg", None)

        result = run("status", DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:9/none")

        assert_one_sentence(result, "pip install 'harambee[postgres]'")

    def test_a_tool_that_the_demo_does_not_know_is_one_sentence(self, run):
        assert_one_sentence(run("demo", "--tool", "crayons"), "crayons")


def test_the_data_folder_is_made_where_it_is_configured(run, tmp_path):
    run("status")

    assert (tmp_path / "data" / "harambee.sqlite3").is_file()
