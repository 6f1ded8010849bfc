"""A project of either labelling tool whose audited texts people have labelled, and its page."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime

from werkzeug.serving import make_server

from argilla_pipeline.kind import ARGILLA
from argilla_pipeline.schema import Schema
from backend.domain import (
    Annotation,
    JobKind,
    LabelScheme,
    Source,
    SourceKind,
    Span,
    Suggestion,
    Task,
)
from backend.quality.audit import is_audited
from backend.services import LABEL_STUDIO, Services
from backend.settings import Settings
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.web import create_app

TEXTS, SHARE = 400, 0.2
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho")
SCHEME = LabelScheme(("PER", "LOC"))
CONFIGS = {
    LABEL_STUDIO: (
        '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/>'
        '</Labels><Text name="text" value="$text"/></View>'
    ),
    ARGILLA: Schema("text", "spans", "00000000-0000-0000-0000-000000000001", SCHEME).to_text(),
}


def text_of(number):
    return f"{NAMES[number % 6]} visited Lagos on trip {number}"


def gold_of(number):
    name = NAMES[number % 6]
    at = len(name) + len(" visited ")
    return Span(0, len(name), "PER"), Span(at, at + 5, "LOC")


class AuditedPage:
    """A project of ``tool`` that an LLM has answered, which misses every third place."""

    def __init__(self, folder, tool, share=SHARE):
        settings = Settings(
            store={"data_dir": folder / "data"},
            audit={"share": share},
            learning={"held_out_share": 0.3},
            jobs={"inline": True},
            argilla={"api_key": "never.asked"},
        )
        self.services = Services(settings)
        self.app = create_app(self.services)
        self.operations = self.app.extensions["harambee"]
        self.project = self.services.projects.register(tool, "7", CONFIGS[tool], "Safari")
        self._tasks = SqlTaskRecords(self.services.database, self.project.id)
        self._tasks.replace_tasks([Task(str(n), text_of(n)) for n in range(TEXTS)])
        source = Source(SourceKind.LLM, "gpt-6-luna", "entities-v2")
        SqlSuggestionRecords(self.services.database, self.project.id).keep(
            [
                Suggestion(str(n), gold_of(n) if n % 3 else gold_of(n)[:1], 0.7, source)
                for n in range(TEXTS)
            ]
        )

    def label_audited(self, at_most=TEXTS):
        """People label the audited texts, or some of them; returns how many."""
        audited = [n for n in range(TEXTS) if is_audited(text_of(n), SHARE)][:at_most]
        notes = [Annotation(str(n), str(n), gold_of(n), "ada", MOMENT) for n in audited]
        self._tasks.replace_annotations(notes, MOMENT, None)
        return len(audited)

    def audit(self):
        """Have the worker do what a round ends with."""
        self.operations.queue.enqueue(JobKind.AUDIT, self.project.id)

    def html(self):
        """The page, without a browser."""
        return self.app.test_client().get("/").text

    def close(self):
        self.services.database.close()

    @contextmanager
    def listening(self):
        """The page on a real socket; gives its address."""
        server = make_server("127.0.0.1", 0, self.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
