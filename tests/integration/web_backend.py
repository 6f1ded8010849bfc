"""A backend of one's own for each test: real SQLite, real model folders, no Label Studio."""

import threading
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import text
from werkzeug.serving import make_server

from backend.domain import Source, SourceKind, Span, Suggestion
from backend.label_studio.convert import task_from_json
from backend.label_studio.labels import parse_label_config
from backend.services import LABEL_STUDIO, Services
from backend.settings import Settings
from backend.store.database import Database
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.testing.taggers import FakeTagger, FakeTaggerFamily
from backend.web import create_app

LABELS = ("PER", "LOC")
NOWHERE = "http://127.0.0.1:9"
PLACES = {"Ìbàdàn": "LOC", "Kisumu": "LOC", "Thandi": "PER"}


def label_config(labels=LABELS, text_key="text"):
    children = "".join(f'<Label value="{label}"/>' for label in labels)
    return (
        f'<View><Labels name="label" toName="text">{children}</Labels>'
        f'<Text name="text" value="${text_key}"/></View>'
    )


CONFIG = label_config()


def raw_task(number, content, **more):
    """A task as Label Studio sends it."""
    return {"id": number, "data": {"text": content}, "annotations": [], "predictions": []} | more


class ServicesWithTool(Services):
    """Services whose projects are all in one given tool, where there is one."""

    def __init__(self, settings, tool):
        super().__init__(settings)
        self._given_tool = tool

    def workspace(self, project):
        work = super().workspace(project)
        return replace(work, tool=self._given_tool) if self._given_tool else work


class WebBackend:
    """The web application on a data folder, and a view behind its scenes.

    ``settings`` are sections, as in the settings file. ``families`` are further kinds of tagger
    that its model folders may hold. A ``tool`` takes the place of Label Studio.
    """

    def __init__(self, folder, *families, tool=None, **settings):
        sections = {"store": {"data_dir": folder / "data"}} | settings
        self.services = ServicesWithTool(Settings(**sections), tool)
        known = (FakeTaggerFamily(), *families)
        self.services.families = dict(self.services.families) | {
            family.kind: family for family in known
        }
        self.app = create_app(self.services)
        self.operations = self.app.extensions["harambee"]
        self.client = self.app.test_client()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.services.database.close()

    @contextmanager
    def listening(self):
        """The application on a real socket; gives its address."""
        server = make_server("127.0.0.1", 0, self.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    # What the tests set up.

    def know(self, number=1, config=CONFIG, name=""):
        """Make a Label Studio project known, as after connecting it."""
        return self.services.projects.register(LABEL_STUDIO, str(number), config, name)

    def teach(self, project, lexicon=None, tagger=None):
        """Let a tagger serve in a project; by default one that knows three words."""
        shelf = self.services.shelf(project.id)
        shelf.promote(shelf.publish(tagger or FakeTagger(lexicon or PLACES, LABELS), {}))
        self.suggestions(project).serve("harambee-v1")

    def tasks(self, project):
        return SqlTaskRecords(self.services.database, project.id)

    def suggestions(self, project):
        return SqlSuggestionRecords(self.services.database, project.id)

    def remember_llm(self, project, number, *spans, confidence=0.7):
        """Keep what an LLM suggested for a task."""
        source = Source(SourceKind.LLM, "gpt-6-luna", "entities-v1")
        kept = Suggestion(str(number), tuple(Span(*span) for span in spans), confidence, source)
        self.suggestions(project).keep([kept])

    def remember_tasks(self, project, *raw_tasks):
        config = parse_label_config(project.label_config)
        tasks = [task_from_json(raw, config) for raw in raw_tasks]
        self.tasks(project).replace_tasks(tasks)

    # What the tests ask.

    def post(self, path, body, **options):
        return self.client.post(path, json=body, **options)

    def predict(self, raw_tasks, project="1.1700000000", config=CONFIG, **params):
        """Ask for predictions as Label Studio does."""
        body = {"tasks": raw_tasks, "project": project, "label_config": config, "params": params}
        return self.post("/predict", body)

    def results(self, *arguments, **options):
        response = self.predict(*arguments, **options)
        assert response.status_code == 200, response.text
        return response.json["results"]

    def jobs(self, project):
        """Kinds of the project's jobs, oldest first."""
        return [job.kind.value for job in reversed(self.services.jobs.recent(project.id))]

    def stored_text(self):
        """Every byte of the data folder's files as text, to look for what must not be there."""
        folder = self.services.settings.store.data_dir
        files = [path for path in folder.rglob("*") if path.is_file()]
        return "".join(path.read_bytes().decode("utf-8", "replace") for path in files)


def impatient_database(monkeypatch, folder, **settings):
    """A backend that gives up on a locked database at once, not after twenty seconds."""
    monkeypatch.setattr("backend.store.database.BUSY_SECONDS", 0.05)
    return WebBackend(folder, **settings)


def second_connection(backend):
    """The same store, opened by somebody else."""
    return Database(backend.services.settings.database_url)


@contextmanager
def locked(backend):
    """The store while somebody else writes to it and does not end."""
    other = second_connection(backend)
    with other.write() as session:
        session.execute(text("SELECT 1"))
        yield
    other.close()
