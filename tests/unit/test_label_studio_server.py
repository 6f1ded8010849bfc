"""How the Label Studio of tests and demo starts and stops, with a program that plays it."""

import socket
import sys
import time
from pathlib import Path

import pytest

from backend.errors import ConfigurationError, ToolUnreachableError
from backend.testing.label_studio_server import LabelStudioServer, initialised_folder

FAILS = """
print("something is wrong")
sys.exit(3)
"""
SERVES = """
import http.server, os, pathlib, subprocess

folder = pathlib.Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"])
child = subprocess.Popen(["sleep", "600"])
(folder / "child").write_text(str(child.pid))
(folder / "environment").write_text("\\n".join(os.environ))
(folder / "starts").open("a").write("x")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ours = self.headers["Authorization"] == "Token " + os.environ["LABEL_STUDIO_USER_TOKEN"]
        self.send_response(200 if ours else 401)
        self.end_headers()


port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def install(tmp_path):
    def write(program):
        path = tmp_path / "venv" / "bin" / "label-studio"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!{sys.executable}\nimport sys\n{program}")
        path.chmod(0o755)
        return tmp_path / "venv"

    return write


def is_alive(pid):
    """Whether a process runs; a dead one that nobody waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_inside_it_answers_and_afterwards_it_is_gone_with_its_children(install, tmp_path):
    with LabelStudioServer(install(SERVES), tmp_path / "data") as server:
        child = int((server.folder / "child").read_text())
        assert is_alive(child)
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(child)


def test_settings_of_this_process_do_not_reach_it(install, tmp_path, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_HOST", "http://elsewhere")
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    with LabelStudioServer(install(SERVES), tmp_path / "data") as server:
        names = (server.folder / "environment").read_text().split()
    assert {"LABEL_STUDIO_HOST", "OPENAI_API_KEY"}.isdisjoint(names)


def test_variables_can_be_set(install, tmp_path):
    variables = {"TASK_LOCK_TTL": "1"}
    with LabelStudioServer(install(SERVES), tmp_path / "data", variables=variables) as server:
        assert "TASK_LOCK_TTL" in (server.folder / "environment").read_text().split()


def test_a_start_that_fails_shows_the_end_of_the_log(install, tmp_path):
    server = LabelStudioServer(install(FAILS), tmp_path / "data")
    with pytest.raises(ToolUnreachableError, match=r"code 3.*\n.*something is wrong"):
        server.start()


def test_a_missing_installation_gives_the_commands_that_make_it(tmp_path):
    with pytest.raises(ConfigurationError, match="pip install label-studio"):
        LabelStudioServer(tmp_path / "nowhere", tmp_path / "data").start()


def test_a_taken_port_is_an_error_and_not_another_port(install, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = LabelStudioServer(install(SERVES), tmp_path / "data", other.getsockname()[1])
        with pytest.raises(ConfigurationError, match="is taken"):
            server.start()


def test_the_template_is_made_once_and_copied_for_each(install, tmp_path):
    environment, template = install(SERVES), tmp_path / "template"
    for name in ("one", "two"):
        initialised_folder(environment, template, tmp_path / name)
    assert [(tmp_path / name / "starts").read_text() for name in ("one", "two")] == ["x", "x"]
