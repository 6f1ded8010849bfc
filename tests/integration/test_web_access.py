"""Who may call what, and how much they may send."""

import pytest
import requests
from web_backend import CONFIG, WebBackend, raw_task

from backend.operations import SECRET_HEADER

US, PASSWORD = "us", "pässwörd: with a colon"
GOOD = (US, PASSWORD)
GUARDED = [
    ("GET", "/"),
    ("GET", "/versions"),
    ("GET", "/projects/1/tasks/1"),
    ("GET", "/no/such/page"),
    ("POST", "/setup"),
    ("POST", "/predict"),
]
CREATED = {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "task": {"id": 1}}


@pytest.fixture
def guarded(tmp_path):
    """A backend with a user and a password."""
    server = {"basic_auth_user": US, "basic_auth_pass": PASSWORD}
    with WebBackend(tmp_path, server=server) as backend:
        yield backend


@pytest.fixture
def open_backend(tmp_path):
    with WebBackend(tmp_path) as backend:
        yield backend


class TestBasicAuth:
    @pytest.mark.parametrize(("method", "path"), GUARDED)
    def test_everything_but_health_needs_it(self, guarded, method, path):
        response = guarded.client.open(path, method=method, json={})

        assert response.status_code == 401
        assert "BASIC_AUTH_USER" in response.text
        assert response.headers["WWW-Authenticate"].startswith("Basic")

    def test_health_never_needs_it(self, guarded):
        assert guarded.client.get("/health").json["status"] == "UP"

    @pytest.mark.parametrize(
        "credentials",
        [
            (US, "wrong"),
            ("them", PASSWORD),
            (US, ""),
            ("", ""),
            (US, PASSWORD + "x"),
            (PASSWORD, US),
        ],
    )
    def test_a_wrong_user_or_password_is_refused(self, guarded, credentials):
        assert guarded.client.get("/versions", auth=credentials).status_code == 401

    @pytest.mark.parametrize(
        "header",
        ["", "Basic", "Basic !!!", "Basic dXM=", "Bearer token", "Token abc", "Basic \xff"],
    )
    def test_a_malformed_header_is_refused_not_a_crash(self, guarded, header):
        response = guarded.client.get("/versions", headers={"Authorization": header})

        assert response.status_code == 401

    def test_the_right_ones_open_every_route(self, guarded):
        body = {"project": "1.1", "label_config": CONFIG, "tasks": [raw_task(1, "Kisumu")]}

        assert guarded.client.get("/", auth=GOOD).status_code == 200
        assert guarded.client.post("/predict", json=body, auth=GOOD).status_code == 200

    def test_the_right_ones_open_it_over_a_socket_too(self, guarded):
        credentials = tuple(part.encode() for part in GOOD)
        with guarded.listening() as url:
            allowed = requests.get(f"{url}/versions", auth=credentials, timeout=10)
            refused = requests.get(f"{url}/versions", auth=(US, "no"), timeout=10)

        assert (allowed.status_code, refused.status_code) == (200, 401)

    def test_nothing_is_required_when_nothing_is_configured(self, open_backend):
        open_backend.know()

        assert open_backend.client.get("/").status_code == 200
        assert open_backend.client.get("/versions").status_code == 200
        assert open_backend.post("/webhook", CREATED).status_code == 200

    def test_a_refused_request_leaves_nothing_behind(self, guarded):
        guarded.post("/setup", {"project": "1.1", "schema": CONFIG})

        assert guarded.services.projects.all() == []


class TestWebhooks:
    def test_a_projects_secret_opens_it_without_basic_auth(self, guarded):
        headers = {SECRET_HEADER: guarded.know().webhook_secret}

        assert guarded.post("/webhook", CREATED, headers=headers).status_code == 200

    def test_start_training_comes_with_the_backends_basic_auth(self, guarded):
        project = guarded.know()
        body = {"action": "START_TRAINING", "project": {"id": 1}}

        assert guarded.post("/webhook", body, auth=GOOD).status_code == 202
        assert guarded.jobs(project) == ["learn"]

    @pytest.mark.parametrize("auth", [None, (US, "wrong")])
    def test_neither_secret_nor_basic_auth_is_refused(self, guarded, auth):
        project = guarded.know()

        assert guarded.post("/webhook", CREATED, auth=auth).status_code == 401
        assert guarded.services.inbox(project.id).count_waiting() == 0

    def test_good_basic_auth_does_not_make_up_for_a_wrong_secret(self, guarded):
        guarded.know()

        response = guarded.post("/webhook", CREATED, auth=GOOD, headers={SECRET_HEADER: "guess"})

        assert response.status_code == 401


class TestSizeAndShape:
    @pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook"])
    def test_a_body_above_the_limit_is_refused_with_the_setting_to_raise(self, tmp_path, path):
        with WebBackend(tmp_path, server={"max_body_mb": 1}) as backend:
            response = backend.post(path, {"tasks": "x" * 2**20})

        assert response.status_code == 413
        assert "max_body_mb" in response.json["error"]

    def test_a_body_of_unstated_length_is_limited_as_well(self, tmp_path):
        with (
            WebBackend(tmp_path, server={"max_body_mb": 1}) as backend,
            backend.listening() as url,
        ):
            chunks = (b"x" * 2**16 for _ in range(64))
            response = requests.post(f"{url}/predict", data=chunks, timeout=30)

        assert response.status_code in (400, 413)
        assert "error" in response.json()

    def test_compressed_bodies_are_not_unpacked(self, open_backend):
        response = open_backend.client.post(
            "/predict", data=b"\x1f\x8b\x08bomb", headers={"Content-Encoding": "gzip"}
        )

        assert response.status_code == 400

    def test_an_unknown_path_and_a_wrong_method_are_answered_in_json(self, open_backend):
        unknown = open_backend.client.get("/no/such/page")
        wrong = open_backend.client.get("/predict")

        assert (unknown.status_code, wrong.status_code) == (404, 405)
        assert unknown.json["error"]
        assert wrong.json["error"]
        assert "POST" in wrong.headers["Allow"]
