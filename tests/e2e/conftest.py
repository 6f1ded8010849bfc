"""A real Label Studio for the whole test session, and small ways to fill and watch it."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsing import start_browser

from backend.label_studio.client import LabelStudioClient
from backend.testing.label_studio_server import LabelStudioServer, initialised_folder

VENVS = Path(__file__).parents[2] / ".venvs"
ENVIRONMENT = VENVS / "label-studio"
TEMPLATE = VENVS / "label-studio-data"
CONFIG = (
    '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def start_label_studio(tmp_path_factory):
    """Start a server on a fresh copy of an initialised folder; all are stopped at the end."""
    servers = []

    def start(**variables):
        folder = tmp_path_factory.mktemp("label-studio") / "data"
        initialised_folder(ENVIRONMENT, TEMPLATE, folder)
        server = LabelStudioServer(ENVIRONMENT, folder, variables=variables)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def label_studio(start_label_studio):
    """A running Label Studio that all tests share; each makes projects of its own."""
    return start_label_studio()


@pytest.fixture(scope="session")
def client(label_studio):
    """A client with the legacy token of the server's user."""
    return LabelStudioClient(label_studio.url, label_studio.login.token)


@pytest.fixture
def make_project(client):
    """Create a project with one task per text; returns its number and the tasks' ids."""
    made = []

    def make(texts, config=CONFIG, **settings):
        project = client.create_project("a project", config, **settings)["id"]
        made.append(project)
        return project, client.import_tasks(project, [{"text": text} for text in texts])

    yield make
    for project in made:
        client.delete_project(project)


class StandInBackend:
    """Answers Label Studio as an ML backend does, and remembers what it was asked."""

    def __init__(self):
        self.version = "v1"
        self.basic_auth = None
        self.calls = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def called(self, path):
        """Headers and bodies of the calls to one path."""
        return [(headers, body) for called, headers, body in self.calls if called == path]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path, body):
        if path == "/predict":
            empty = {"result": [], "score": 0.5, "model_version": self.version}
            return {"results": [empty for _ in body["tasks"]]}
        return {"status": "UP", "model_version": self.version}

    def refuses(self, path, headers):
        if self.basic_auth is None or path == "/webhook":
            return False
        expected = "Basic " + base64.b64encode(":".join(self.basic_auth).encode()).decode()
        return headers.get("Authorization") != expected

    def _handler(stand_in):  # noqa: N805 - the handler's own self is another
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or "{}")
                stand_in.calls.append((self.path, self.headers, body))
                refused = stand_in.refuses(self.path, self.headers)
                content = json.dumps(stand_in.answer(self.path, body)).encode()
                self.send_response(401 if refused else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *arguments):
                """Tests read the calls, not a log."""

        return Handler


@pytest.fixture
def stand_in_backend():
    backend = StandInBackend()
    yield backend
    backend.stop()
