"""Two hundred labels while a tagger trains, and both processes are killed in the middle."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from harambee_processes import (
    LABEL_CONFIG,
    WEB,
    WORKER,
    Harambee,
    numbered_sample,
    wait_until,
)
from sqlalchemy import select

from backend.domain import NO_SOURCE, JobKind, JobState, Suggestion
from backend.label_studio.convert import prediction_to_json, read_annotation
from backend.label_studio.labels import parse_label_config
from backend.store.rows import spans_from_json
from backend.store.schema import AnnotationRow

pytestmark = pytest.mark.e2e

CONFIG = parse_label_config(LABEL_CONFIG)
EARLIER, ACCEPTED = 400, 200
KILL_WEB_AFTER, KILL_WORKER_AFTER = 60, 120
LONGEST_ANSWER_SECONDS = 1.0
"""Label Studio waits no longer, and does not ask again."""
CAUGHT_UP_SECONDS = 60


@dataclass
class Call:
    path: str
    status: int
    seconds: float


@dataclass
class Proxy:
    """Stands between Label Studio and harambee and notes how each call was answered.

    Without a ``target`` it refuses, as the proxy of a team does for a process that is down.
    """

    target: str | None = None
    calls: list[Call] = field(default_factory=list)

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def webhooks(self, *, answered):
        hooks = [call for call in self.calls if call.path == "/webhook"]
        return [call for call in hooks if (call.status < 300) is answered]

    def forward(self, method, path, headers, body):
        """Status and content of the answer, whatever becomes of it."""
        if self.target is None:
            return 503, b""
        started = time.monotonic()
        passed_on = {name: value for name, value in headers.items() if name != "Host"}
        try:
            answer = requests.request(
                method, self.target + path, headers=passed_on, data=body, timeout=30
            )
            status, content = answer.status_code, answer.content
        except requests.RequestException:
            status, content = 502, b""
        self.calls.append(Call(path, status, time.monotonic() - started))
        return status, content

    def _handler(proxy):  # noqa: N805 - the handler's own self is another
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = proxy.forward(self.command, self.path, self.headers, body)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except ConnectionError:
                    """Label Studio has stopped waiting."""

            do_POST = do_GET  # noqa: N815

            def log_message(self, *arguments):
                """Tests read the calls, not a log."""

        return Handler


@dataclass
class Storm:
    """What is known when all labels have been submitted."""

    harambee: Harambee
    proxy: Proxy
    project: int
    submitted: int = 0
    rounds_at_kill: int = 0
    during_training: int = 0

    def train(self):
        project = self.harambee.project(self.project)
        self.harambee.operations.queue.enqueue(JobKind.LEARN, project.id)

    def is_training(self):
        jobs = self.harambee.status(self.project).jobs
        return any(job.kind is JobKind.LEARN and job.state is JobState.RUNNING for job in jobs)

    def kill_and_restart(self, name):
        """``kill -9`` and start again, while labels keep coming."""
        if name == WEB:
            self.proxy.target = None
        self.harambee.kill(name)
        self.rounds_at_kill = len(self.harambee.rounds(self.project))
        self.harambee.start(name)
        self.proxy.target = self.harambee.address


def regions(example):
    """The gold spans, as an annotator submits them."""
    suggestion = Suggestion(example.task_id, example.spans, 1.0, NO_SOURCE)
    return prediction_to_json(suggestion, example.text, "by hand", CONFIG)["result"]


def fill(client, examples):
    """A project in which the earlier texts are labelled; its id and the ids of its tasks."""
    project = client.create_project("storm", LABEL_CONFIG)["id"]
    rows = [
        {
            "data": {"text": example.text},
            "annotations": [{"result": regions(example)}] if place < EARLIER else [],
        }
        for place, example in enumerate(examples)
    ]
    path = f"/api/projects/{project}/import?return_task_ids=true"
    return project, client.http.write("POST", path, rows)["task_ids"]


def submit(storm, client, task_id, example):
    """Accept one label in Label Studio; a training that ends is followed by the next."""
    storm.train()
    client.annotate(task_id, regions(example))
    storm.submitted += 1
    storm.during_training += storm.is_training()


@pytest.fixture(scope="module")
def storm(label_studio, client, tmp_path_factory):
    examples = numbered_sample(EARLIER + ACCEPTED)
    project, task_ids = fill(client, examples)
    with Proxy() as proxy:
        harambee = Harambee(
            tmp_path_factory.mktemp("storm"),
            label_studio,
            server={"public_url": proxy.url},
            llm={"provider": "none"},
            jobs={"lease_seconds": 3, "reconcile_seconds": 2},
        )
        proxy.target = harambee.address
        with harambee:
            client.create_ml_backend(url=proxy.url, project=project, title="a model")
            storm = Storm(harambee, proxy, project)
            wait_until(lambda: harambee.is_idle(project), "the first suggestions")
            new = list(zip(task_ids, examples, strict=True))[EARLIER:]
            with ThreadPoolExecutor(1) as annotators:
                labels = annotators.map(lambda item: submit(storm, client, *item), new)
                wait_until(lambda: storm.submitted >= KILL_WEB_AFTER, "labels")
                storm.kill_and_restart(WEB)
                wait_until(lambda: storm.submitted >= KILL_WORKER_AFTER, "more labels")
                storm.kill_and_restart(WORKER)
                list(labels)
            yield storm


def exported(client, project):
    """What Label Studio exports: id, task, spans and last change of each annotation, in order."""
    rows = client.http.get(f"/api/projects/{project}/export", {"exportType": "JSON"})
    read = (
        read_annotation(raw, str(row["id"]), row["data"]["text"], CONFIG).annotation
        for row in rows
        for raw in row["annotations"]
    )
    return sorted((item.id, item.task_id, item.spans, item.updated_at) for item in read)


def stored(storm):
    """The same of every annotation in harambee's store."""
    number = storm.harambee.project(storm.project).id
    query = select(AnnotationRow).where(AnnotationRow.project_id == number)
    with storm.harambee.services.database.read() as session:
        return sorted(
            (row.external_id, row.task_id, spans_from_json(row.spans), row.updated_at)
            for row in session.scalars(query)
        )


def test_the_labels_came_while_a_tagger_trained(storm):
    assert storm.during_training > ACCEPTED / 2


def test_every_webhook_that_found_a_process_was_answered_within_a_second(storm):
    answered = storm.proxy.webhooks(answered=True)
    assert len(answered) > ACCEPTED / 2
    assert max(call.seconds for call in answered) < LONGEST_ANSWER_SECONDS


def test_some_webhooks_were_lost(storm):
    assert len(storm.proxy.webhooks(answered=True)) < ACCEPTED


def test_the_store_equals_the_export_with_every_label_once(storm, client):
    expected = exported(client, storm.project)
    wait_until(lambda: stored(storm) == expected, "every label", seconds=CAUGHT_UP_SECONDS)
    assert len(expected) == EARLIER + ACCEPTED


def test_training_goes_on_after_the_worker_was_killed(storm):
    wait_until(
        lambda: len(storm.harambee.rounds(storm.project)) > storm.rounds_at_kill, "another round"
    )
