"""What Label Studio gets from ``/setup``, and what becomes of what it sends there: nothing."""

import io
import logging
import socket
import sys

import pytest
import structlog
from web_backend import CONFIG, NOWHERE, WebBackend, label_config, raw_task

from backend.logs import configure_logging

CANARY = "canary-7f3a9c51e2"
WITH_TOKEN = {"url": NOWHERE, "api_key": "0" * 40}


@pytest.fixture
def backend(tmp_path):
    """A backend with a Label Studio token, and no Label Studio that answers."""
    with WebBackend(tmp_path, label_studio=WITH_TOKEN) as backend:
        yield backend


@pytest.fixture
def debug_logs(monkeypatch):
    """Everything that is logged at DEBUG, by us and by every library."""
    stderr = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure_logging("DEBUG")
    yield stderr.getvalue
    structlog.reset_defaults()


def setup_body(project="1.1700000000", config=CONFIG, **more):
    """What Label Studio sends before each batch of predictions."""
    return {"project": project, "schema": config, "hostname": NOWHERE, "access_token": "t"} | more


class TestMeetingAProject:
    def test_a_project_is_registered_once_however_often_label_studio_asks(self, backend):
        for _ in range(3):
            backend.post("/setup", setup_body())

        assert [known.external_id for known in backend.services.projects.all()] == ["1"]

    def test_one_job_gives_a_new_project_its_first_suggestions(self, backend):
        for _ in range(3):
            backend.post("/setup", setup_body())
        backend.predict([raw_task(1, "Kisumu")])

        assert backend.jobs(backend.services.project("1")) == ["begin"]

    def test_without_a_token_there_is_nothing_a_job_could_do(self, tmp_path):
        with WebBackend(tmp_path) as backend:
            backend.post("/setup", setup_body())

            assert backend.jobs(backend.services.project("1")) == []

    def test_the_serving_version_is_named(self, backend):
        project = backend.know()
        before = backend.post("/setup", setup_body()).json["model_version"]
        backend.suggestions(project).serve("harambee-v7")

        after = backend.post("/setup", setup_body()).json["model_version"]

        assert (before, after) == ("harambee-v0", "harambee-v7")

    def test_a_version_is_named_from_the_first_call_on(self, backend):
        # With null, Label Studio would store another copy at every "Retrieve predictions".
        assert backend.post("/setup", setup_body()).json["model_version"]

    def test_a_changed_labelling_config_is_taken_over(self, backend):
        backend.post("/setup", setup_body())
        changed = label_config(["RIVER"])

        backend.post("/setup", setup_body(config=changed))

        assert backend.services.project("1").label_config == changed

    def test_all_spellings_of_a_project_id_are_one_project(self, backend):
        for spelling in ("7", "7.1700000000", "007.3"):
            backend.post("/setup", setup_body(spelling))

        assert [known.external_id for known in backend.services.projects.all()] == ["7"]

    def test_versions_of_all_projects_are_listed(self, backend):
        backend.suggestions(backend.know(1)).serve("harambee-v2")
        backend.suggestions(backend.know(2)).serve("harambee-v5")

        assert backend.client.get("/versions").json == {"versions": ["harambee-v2", "harambee-v5"]}


class TestHostileRequests:
    @pytest.mark.parametrize(
        "project",
        ["../x", "1;drop", "1/../2", "-1", "", "1e3", "٣", "9" * 19, "9" * 5000, "%31", "1\x00"],
    )
    def test_a_project_id_that_is_no_number_is_refused_and_leaves_nothing(self, backend, project):
        response = backend.post("/setup", setup_body(project))

        assert response.status_code == 400
        assert "'project'" in response.json["error"]
        assert backend.services.projects.all() == []

    @pytest.mark.parametrize("project", [None, 1, 1.5, True, ["1"], {"id": 1}])
    def test_a_project_id_that_is_no_text_is_refused(self, backend, project):
        assert backend.post("/setup", setup_body(project)).status_code == 400

    @pytest.mark.parametrize("config", [None, 5, "", "<View/>", "no xml", "<!DOCTYPE a><View/>"])
    def test_an_unusable_config_is_refused_and_leaves_nothing(self, backend, config):
        response = backend.post("/setup", setup_body(config=config))

        assert response.status_code == 400
        assert len(response.json["error"]) > 20
        assert backend.services.projects.all() == []


class TestSecretsInWhatLabelStudioSends:
    BODY = setup_body(
        access_token=f"{CANARY}-token",
        hostname=f"http://{CANARY}.example",
        extra_params=f'{{"password": "{CANARY}-extra"}}',
    )

    def say_everything(self, backend):
        """Every call in which Label Studio sends secrets, well and badly formed."""
        params = {"login": f"{CANARY}-login", "password": f"{CANARY}-password"}
        started = {
            "action": "START_TRAINING",
            "project": {"id": 1, "token": CANARY, "task_data_password": CANARY},
        }
        created = {
            "action": "ANNOTATION_CREATED",
            "project": {"id": 1, "token": CANARY},
            "task": {"id": 5, "data": {"text": CANARY}},
            "annotation": {"id": 9, "task": 5, "result": [CANARY]},
        }
        return [
            backend.post("/setup", self.BODY),
            backend.post("/setup", self.BODY | {"schema": f"<View>{CANARY}</View>"}),
            backend.predict([raw_task(1, CANARY), {"id": 2, "data": {CANARY: 1}}], **params),
            backend.post("/webhook", started),
            backend.post("/webhook", created),
            backend.post("/webhook", created | {"action": None}),
        ]

    def test_they_are_in_no_log_at_debug_no_file_and_no_answer(self, backend, debug_logs):
        answers = self.say_everything(backend)

        logged = debug_logs()
        assert [answer.status_code for answer in answers] == [200, 400, 200, 202, 200, 400]
        assert "request_refused" in logged
        assert CANARY not in logged
        assert CANARY not in backend.stored_text()
        assert CANARY not in "".join(answer.text for answer in answers)

    def test_our_own_secrets_are_in_no_log_and_no_answer(self, tmp_path, debug_logs):
        ours = {
            "label_studio": {"url": NOWHERE, "api_key": CANARY},
            "server": {"basic_auth_user": "us", "basic_auth_pass": CANARY},
            "llm": {
                "provider": "openai", "openai_api_key": CANARY, "max_attempts": 1,
                "openai_base_url": NOWHERE,
            },
        }  # fmt: skip
        with WebBackend(tmp_path, **ours) as backend:
            backend.client.post("/predict", json={}, auth=("us", "wrong"))
            answer = backend.client.post(
                "/predict",
                json={"project": "1.1", "label_config": CONFIG, "tasks": [raw_task(1, "Kisumu")]},
                auth=("us", CANARY),
            )
            page = backend.client.get("/", auth=("us", CANARY))
            secret = backend.services.project("1").webhook_secret

        told = debug_logs() + answer.text + page.text
        assert (answer.status_code, page.status_code) == (200, 200)
        assert CANARY not in told
        assert secret not in told

    def test_the_hostname_is_never_called(self, backend):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.2)
            hostname = f"http://127.0.0.1:{listener.getsockname()[1]}"

            backend.post("/setup", setup_body(hostname=hostname))
            backend.predict([raw_task(1, "Kisumu", file_upload=f"{hostname}/x")])

            with pytest.raises(TimeoutError):
                listener.accept()
