"""``/webhook``: on the disk before it is acknowledged, whatever it holds and whatever else runs."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from web_backend import CONFIG, NOWHERE, WebBackend, impatient_database, locked, second_connection

from backend.domain import JobKind, JobState
from backend.jobs import JobQueue, make_huey
from backend.operations import SECRET_HEADER
from backend.store.inbox import Inbox

DEEP = 200_000


@pytest.fixture
def backend(tmp_path):
    with WebBackend(tmp_path) as backend:
        yield backend


@pytest.fixture
def project(backend):
    return backend.know(7)


def event(action, project=7, **more):
    """A webhook as Label Studio sends it."""
    return {"action": action, "project": {"id": project, "title": "Corpus"}} | more


def saved(task, annotation, action="ANNOTATION_CREATED", project=7):
    return event(
        action,
        project,
        task={"id": task},
        annotation={"id": annotation, "task": task, "result": []},
    )


def waiting(backend, project):
    """What the inbox holds: action, tasks, annotations."""
    hints = backend.services.inbox(project.id).waiting()
    return [(hint.action, hint.task_ids, hint.annotation_ids) for hint in hints]


class TestActions:
    @pytest.mark.parametrize("action", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"])
    def test_a_saved_annotation_waits_in_the_inbox_and_a_worker_is_told(
        self, backend, project, action
    ):
        response = backend.post("/webhook", saved(31, 62, action))

        assert response.status_code == 200
        assert waiting(backend, project) == [(action, ("31",), ("62",))]
        assert backend.jobs(project) == ["inbox"]

    def test_a_deletion_names_annotations_only(self, backend, project):
        body = event("ANNOTATIONS_DELETED", annotations=[{"id": 62}, {"id": 63}])

        assert backend.post("/webhook", body).status_code == 200

        assert waiting(backend, project) == [("ANNOTATIONS_DELETED", (), ("62", "63"))]

    def test_annotations_in_bulk_are_one_hint(self, backend, project):
        body = event(
            "ANNOTATIONS_CREATED", annotations=[{"id": 1, "task": 5}, {"id": 2, "task": 6}]
        )

        backend.post("/webhook", body)

        assert waiting(backend, project) == [("ANNOTATIONS_CREATED", ("5", "6"), ("1", "2"))]

    @pytest.mark.parametrize(
        ("action", "job"),
        [
            ("START_TRAINING", "learn"),
            ("TASKS_CREATED", "begin"),
            ("TASKS_DELETED", "reconcile"),
            ("PROJECT_UPDATED", "reconcile"),
        ],
    )
    def test_other_events_become_jobs(self, backend, project, action, job):
        response = backend.post("/webhook", event(action))

        assert response.status_code in (200, 202)
        assert backend.jobs(project) == [job]

    def test_many_events_while_a_job_waits_are_one_job(self, backend, project):
        for task in range(20):
            backend.post("/webhook", saved(task, task))

        assert backend.jobs(project) == ["inbox"]
        assert len(waiting(backend, project)) == 20

    def test_an_action_that_means_nothing_here_is_ignored_with_a_reason(self, backend, project):
        response = backend.post("/webhook", event("LABEL_LINK_CREATED"))

        assert response.status_code == 200
        assert response.json["status"] == "ignored"
        assert backend.jobs(project) == []

    def test_a_project_that_is_not_connected_is_ignored_with_a_reason(self, backend, project):
        response = backend.post("/webhook", saved(1, 2, project=8))

        assert response.status_code == 200
        assert "not connected" in response.json["reason"]
        assert waiting(backend, project) == []

    def test_hints_of_two_projects_do_not_mix(self, backend, project):
        other = backend.know(8)

        backend.post("/webhook", saved(1, 2, project=7))
        backend.post("/webhook", saved(3, 4, project=8))

        assert waiting(backend, project) == [("ANNOTATION_CREATED", ("1",), ("2",))]
        assert waiting(backend, other) == [("ANNOTATION_CREATED", ("3",), ("4",))]


class TestDurability:
    def test_a_hint_is_in_the_database_file_when_it_is_acknowledged(self, backend, project):
        backend.post("/webhook", saved(31, 62))

        other = second_connection(backend)
        assert Inbox(other, project.id).count_waiting() == 1
        other.close()

    def test_two_hundred_events_from_sixteen_threads_all_end_in_the_inbox(self, backend, project):
        with backend.listening() as url, ThreadPoolExecutor(16) as pool:
            responses = list(
                pool.map(
                    lambda task: requests.post(
                        f"{url}/webhook", json=saved(task, task), timeout=60
                    ),
                    range(200),
                )
            )

        assert {response.status_code for response in responses} == {200}
        tasks = {task for _, task_ids, _ in waiting(backend, project) for task in task_ids}
        assert tasks == {str(task) for task in range(200)}

    def test_a_queue_that_is_down_delays_work_and_loses_none(self, backend, project):
        queue = backend.services.settings.store.data_dir / "queue.sqlite3"
        queue.unlink()
        queue.mkdir()

        response = backend.post("/webhook", saved(1, 2))

        assert response.status_code == 200
        assert backend.jobs(project) == ["inbox"]


class TestAStoreThatRefuses:
    def test_a_locked_database_means_503_and_an_explanation(self, tmp_path, monkeypatch):
        with impatient_database(monkeypatch, tmp_path) as backend:
            project = backend.know(7)
            with locked(backend):
                response = backend.post("/webhook", saved(1, 2))

            assert response.status_code == 503
            assert "locked" in response.json["error"]
            assert waiting(backend, project) == []

    def test_it_takes_events_again_when_the_lock_is_gone(self, tmp_path, monkeypatch):
        with impatient_database(monkeypatch, tmp_path) as backend:
            project = backend.know(7)
            with locked(backend):
                backend.post("/webhook", saved(1, 2))

            assert backend.post("/webhook", saved(1, 2)).status_code == 200
            assert len(waiting(backend, project)) == 1

    def test_a_folder_that_cannot_be_written_means_503_and_an_explanation(self, tmp_path):
        with WebBackend(tmp_path) as backend:
            backend.know(7)
            # SQLite keeps its journal beside the database; root may write anywhere but here.
            (tmp_path / "data" / "harambee.sqlite3-journal").mkdir()

            response = backend.post("/webhook", saved(1, 2))

        assert response.status_code == 503
        assert "disk has room" in response.json["error"]
        assert "Traceback" not in response.text


class TestMalformedRequests:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"7",
            b'"text"',
            b"\xff\xfe",
            b"[" * DEEP,
            b'{"action":' * DEEP,
            b"[" * DEEP + b"]" * DEEP,
            b'{"action": "ANNOTATION_CREATED"}',
            b'{"project": {"id": 7}}',
            b'{"action": 5, "project": {"id": 7}}',
            b'{"action": ["ANNOTATION_CREATED"], "project": {"id": 7}}',
            b'{"action": "ANNOTATION_CREATED", "project": "7"}',
            b'{"action": "ANNOTATION_CREATED", "project": {"id": "7"}}',
            b'{"action": "ANNOTATION_CREATED", "project": {"id": true}}',
            b'{"action": "ANNOTATION_CREATED", "project": {"id": 7.0}}',
            b'{"action": "ANNOTATION_CREATED", "project": {}}',
            b'{"action": "ANNOTATION_CREATED", "project": {"id": %s}}' % (b"9" * 5000),
        ],
        ids=lambda body: repr(body[:50]),
    )
    def test_they_are_refused_with_a_sentence_and_no_traceback(self, backend, project, body):
        response = backend.client.post("/webhook", data=body, content_type="application/json")

        assert response.status_code == 400
        assert len(response.json["error"].split()) > 5
        assert "Traceback" not in response.text
        assert waiting(backend, project) == []

    @pytest.mark.parametrize(
        "parts",
        [
            {"task": [1, "x", None], "annotation": 5},
            {"task": {"id": "1"}, "annotation": {"id": None, "task": [1]}},
            {"tasks": {"id": True}, "annotations": [[{"id": 1}]]},
            {"task": {"id": 1.5}},
            {},
        ],
    )
    def test_ids_of_the_wrong_type_are_passed_over_and_the_event_still_noted(
        self, backend, project, parts
    ):
        response = backend.post("/webhook", event("ANNOTATION_UPDATED", **parts))

        assert response.status_code == 200
        assert waiting(backend, project) == [("ANNOTATION_UPDATED", (), ())]


class TestWhileALongJobRuns:
    def test_events_are_answered_without_waiting_for_its_end(self, backend, project):
        started, release = threading.Event(), threading.Event()

        def train(_project_id, progress):
            started.set()
            while not release.wait(0.01):
                progress(1, 2, "training")
            return "trained"

        settings = backend.services.settings
        queue = JobQueue(
            backend.services.jobs,
            make_huey(settings.store.data_dir, None, inline=False),
            {JobKind.LEARN: train},
            settings.jobs.lease_seconds,
        )
        queue.enqueue(JobKind.LEARN, project.id)
        worker = threading.Thread(target=queue.drain, args=("learning",))
        worker.start()
        started.wait()

        with backend.listening() as url:
            answers = [
                requests.post(f"{url}/webhook", json=saved(task, task), timeout=60)
                for task in range(50)
            ]
        (meanwhile,) = (
            job.state for job in backend.services.jobs.recent(project.id) if job.kind == "learn"
        )
        release.set()
        worker.join()

        assert {answer.status_code for answer in answers} == {200}
        assert meanwhile is JobState.RUNNING
        assert len(waiting(backend, project)) == 50
        done = [job for job in backend.services.jobs.recent(project.id) if job.kind == "learn"]
        assert [job.state for job in done] == [JobState.DONE]


class TestSecrets:
    def test_a_wrong_secret_is_refused_and_nothing_is_noted(self, backend, project):
        response = backend.post("/webhook", saved(1, 2), headers={SECRET_HEADER: "guess"})

        assert response.status_code == 401
        assert "secret" in response.json["error"]
        assert project.webhook_secret not in response.text
        assert waiting(backend, project) == []

    def test_the_projects_secret_is_accepted(self, backend, project):
        headers = {SECRET_HEADER: project.webhook_secret}

        assert backend.post("/webhook", saved(1, 2), headers=headers).status_code == 200

    def test_another_projects_secret_is_refused(self, backend, project):
        headers = {SECRET_HEADER: backend.know(8).webhook_secret}

        assert backend.post("/webhook", saved(1, 2), headers=headers).status_code == 401

    def test_an_empty_secret_is_refused(self, backend, project):
        assert backend.post("/webhook", saved(1, 2), headers={SECRET_HEADER: ""}).status_code == 401


class TestStartTraining:
    def test_it_reaches_a_worker_that_fails_in_plain_words_without_a_token(self, backend, project):
        backend.post("/webhook", event("START_TRAINING"))

        backend.operations.queue.drain("learning")

        (job,) = backend.services.jobs.recent(project.id)
        assert job.state is JobState.FAILED
        assert "LABEL_STUDIO_API_KEY" in job.message

    def test_it_waits_while_label_studio_is_down(self, tmp_path):
        unreachable = {"url": NOWHERE, "api_key": "0" * 40}
        with WebBackend(tmp_path, label_studio=unreachable) as backend:
            project = backend.know(7, CONFIG)
            backend.post("/webhook", event("START_TRAINING"))

            backend.operations.queue.drain("learning")

            (job,) = backend.services.jobs.recent(project.id)
        assert job.state is JobState.QUEUED
        assert "cannot be reached" in job.message
