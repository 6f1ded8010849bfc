"""How harambee speaks HTTP with Argilla, seen from a scripted server on a real socket."""

import pytest
from scripted_http import ScriptedServer

from argilla_pipeline.http import ArgillaHttp
from backend.errors import (
    ConfigurationError,
    ToolRefusedError,
    ToolRejectedError,
    ToolUnreachableError,
)
from backend.tool_http import NotFoundError, UnprocessableError

KEY = "owner.apikey"


@pytest.fixture
def server():
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture
def http(server):
    return ArgillaHttp(server.url, KEY, 5.0)


def test_the_key_goes_into_argillas_own_header(server, http):
    http.get("/me")
    method, path, headers = server.requests[0]
    assert (method, path, headers["X-Argilla-Api-Key"]) == ("GET", "/api/v1/me", KEY)


def test_what_may_be_done_twice_is_tried_again(server, http):
    server.answer = lambda number, *request: (500, {}) if number < 3 else (200, {"id": 1})
    assert http.repeat("PUT", "/datasets/1/publish") == {"id": 1}


def test_what_must_not_be_done_twice_is_not(server, http):
    server.answer = lambda *request: (500, {"detail": "no engine"})
    with pytest.raises(ToolUnreachableError, match=r"no engine.*search engine may be down"):
        http.once("POST", "/datasets", {})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UnprocessableError),
        (401, ToolRefusedError),
        (403, ToolRefusedError),
        (404, NotFoundError),
        (405, ToolRejectedError),
        (409, UnprocessableError),
        (413, UnprocessableError),
        (422, UnprocessableError),
        (429, ToolUnreachableError),
    ],
)
def test_each_status_has_its_error(server, http, status, kind):
    server.answer = lambda *request: (status, {"detail": "because"})
    with pytest.raises(kind, match="because") as error:
        http.once("POST", "/datasets", {})
    assert error.type is kind


def test_what_is_wrong_is_shown_with_its_place(server, http):
    wrong = {"msg": "too long", "loc": ["body", "items", 3]}
    server.answer = lambda *request: (422, {"detail": {"params": {"errors": [wrong]}}})
    with pytest.raises(UnprocessableError, match=r"body\.items\.3: too long"):
        http.once("POST", "/datasets", {})


def test_a_key_that_comes_back_in_an_error_is_not_shown(server, http):
    server.answer = lambda *request: (401, {"detail": f"bad key {KEY}"})
    with pytest.raises(ToolRefusedError, match="ARGILLA_API_KEY") as error:
        http.get("/me")
    assert KEY not in str(error.value)


def test_the_key_never_follows_a_redirect(server, http):
    elsewhere = ScriptedServer()
    server.answer = lambda *request: (302, {}, ("Location", f"{elsewhere.url}/sign-in?next=x"))
    with pytest.raises(ToolRejectedError, match=elsewhere.url):
        http.get("/me")
    elsewhere.stop()
    assert elsewhere.requests == []


def test_another_site_under_the_address_is_recognised(server, http):
    server.answer = lambda *request: (200, b"<html>hello</html>")
    with pytest.raises(ToolRejectedError, match="ARGILLA_API_URL"):
        http.get("/me")


@pytest.mark.parametrize("url", ["", "localhost:6900", "http://me:secret@host"])
def test_an_address_that_cannot_be_used_names_its_setting(url):
    with pytest.raises(ConfigurationError, match="ARGILLA_API_URL") as refusal:
        ArgillaHttp(url, KEY, 1.0)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("key", ["", "two words", "ключ"])
def test_a_key_that_cannot_be_one_names_its_setting(key):
    with pytest.raises(ConfigurationError, match="ARGILLA_API_KEY"):
        ArgillaHttp("http://localhost:6900", key, 1.0)
