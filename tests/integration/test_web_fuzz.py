"""Whatever JSON arrives on whatever route: an answer below 500, and never a traceback."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_backend import CONFIG, WebBackend

from backend.operations import SECRET_HEADER

EXAMPLES = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ROUTES = ("/setup", "/predict", "/webhook", "/versions", "/health", "/", "/projects/1/tasks/1")
ACTIONS = ("START_TRAINING", "TASKS_CREATED", "ANNOTATION_CREATED", "ANNOTATIONS_DELETED", "?")

# Lone surrogates, NUL and numbers that no column holds are all legal JSON.
anything_textual = st.text(st.characters(codec=None)) | st.text(
    "<>&\x00\ud800🎉e\u0301", max_size=9
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | anything_textual
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(anything_textual, inner, max_size=4)
    ),
    max_leaves=12,
)


def often(likely):
    """Mostly what Label Studio would send, sometimes anything."""
    return likely | likely | json_values


ids = often(st.integers(0, 50))
tasks = often(
    st.fixed_dictionaries(
        {"id": ids, "data": often(st.fixed_dictionaries({"text": often(anything_textual)}))},
        optional={"annotations": json_values, "predictions": json_values, "meta": json_values},
    )
)
bodies = {
    "/predict": st.fixed_dictionaries(
        {
            "project": often(st.sampled_from(["1.1700000000", "1", "2.5"])),
            "label_config": often(st.just(CONFIG)),
            "tasks": often(st.lists(tasks, max_size=5)),
        },
        optional={"params": json_values},
    ),
    "/setup": st.fixed_dictionaries(
        {
            "project": often(st.sampled_from(["1.1700000000", "3"])),
            "schema": often(st.just(CONFIG)),
        },
        optional={"hostname": json_values, "access_token": json_values},
    ),
    "/webhook": st.fixed_dictionaries(
        {
            "action": often(st.sampled_from(ACTIONS)),
            "project": often(st.fixed_dictionaries({"id": ids})),
        },
        optional={
            name: often(st.fixed_dictionaries({"id": ids, "task": ids}))
            for name in ("task", "tasks", "annotation", "annotations")
        },
    ),
}


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    """One backend for all examples, with a project in which a tagger serves."""
    with WebBackend(tmp_path_factory.mktemp("fuzz")) as backend:
        backend.teach(backend.know())
        yield backend


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """One backend for all examples that lets in one user only."""
    server = {"basic_auth_user": "us", "basic_auth_pass": "password"}
    with WebBackend(tmp_path_factory.mktemp("guarded"), server=server) as backend:
        yield backend


def assert_polite(response):
    assert response.status_code < 500, response.text
    assert "Traceback" not in response.text
    assert 'File "' not in response.text


@pytest.mark.parametrize("path", bodies)
@EXAMPLES
@given(data=st.data())
def test_requests_that_are_nearly_right_are_answered_or_refused(backend, path, data):
    body = data.draw(bodies[path])

    response = backend.post(path, body)

    assert_polite(response)
    if path == "/predict" and response.status_code == 200:
        assert len(response.json["results"]) == len(body["tasks"])


@pytest.mark.parametrize("path", ROUTES)
@EXAMPLES
@given(body=json_values, method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]))
def test_any_json_on_any_route_is_answered_or_refused(backend, path, body, method):
    assert_polite(backend.client.open(path, method=method, json=body))


@pytest.mark.parametrize("path", bodies)
@EXAMPLES
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(backend, path, body):
    assert_polite(backend.client.post(path, data=body, content_type="application/json"))


@EXAMPLES
@given(
    body=bodies["/predict"],
    at=st.integers(0, 400),
    junk=st.sampled_from(["", "{", "]", "\\", '"', "\x00", "NaN", "1e999", "-"]),
)
def test_json_that_was_cut_or_damaged_on_the_way_is_answered_or_refused(backend, body, at, junk):
    sent = json.dumps(body)
    damaged = sent[:at] + junk + sent[at + 1 :]

    assert_polite(backend.client.post("/predict", data=damaged.encode()))


@EXAMPLES
@given(
    path=st.text(st.characters(codec="utf-8"), max_size=40),
    number=st.integers(-1, 10**40),
)
def test_any_path_is_answered_or_refused(backend, path, number):
    assert_polite(backend.client.get("/" + path.replace("?", "").lstrip("/")))
    assert_polite(backend.client.get(f"/projects/{number}/tasks/{number}"))


header_values = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40)


@EXAMPLES
@given(secret=header_values)
def test_any_secret_but_the_right_one_is_refused(backend, secret):
    body = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}

    response = backend.post("/webhook", body, headers={SECRET_HEADER: secret})

    assert response.status_code == 401


@EXAMPLES
@given(kind=st.sampled_from(["Basic ", "basic ", "Bearer ", "Digest ", ""]), value=header_values)
def test_any_credentials_but_the_right_ones_are_refused(guarded, kind, value):
    response = guarded.client.get("/versions", headers={"Authorization": kind + value})

    assert response.status_code == 401
