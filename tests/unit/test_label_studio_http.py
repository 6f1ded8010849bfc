"""How harambee speaks HTTP with Label Studio, seen from a scripted server on a real socket."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from scripted_http import ScriptedServer

from backend.errors import (
    ConfigurationError,
    ToolRefusedError,
    ToolRejectedError,
    ToolUnreachableError,
)
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.http import LabelStudioHttp
from backend.tool_http import NotFoundError, NotSentError

LEGACY = "c0ffee" * 6 + "cafe"
PERSONAL = "eyJhbGciOi.eyJ0b2tlbl9.c2lnbmF0dXJl"
PATH = "/api/projects/1/"


@pytest.fixture
def server():
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


def http(server, key=LEGACY, timeout=5.0):
    return LabelStudioHttp(server.url, key, timeout)


class TestCredentials:
    def test_a_legacy_token_is_sent_as_token(self, server):
        http(server).get(PATH)
        assert server.requests[0][2]["Authorization"] == f"Token {LEGACY}"

    def test_a_personal_access_token_is_exchanged_once(self, server):
        server.answer = lambda *request: (200, {"access": "short-lived"})
        tool = http(server, PERSONAL)
        tool.get(PATH)
        tool.get(PATH)
        assert server.paths() == {"/api/token/refresh/": 1, PATH: 2}
        assert server.requests[-1][2]["Authorization"] == "Bearer short-lived"

    def test_an_expired_access_token_is_renewed(self, server):
        server.answer = expiring_after_the_first_exchange()
        assert http(server, PERSONAL).get(PATH) == {"id": 1}
        assert server.paths() == {"/api/token/refresh/": 2, PATH: 2}

    def test_threads_that_meet_an_expired_token_renew_it_once(self, server):
        server.answer = expiring_after_the_first_exchange()
        tool = http(server, PERSONAL)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: tool.get(PATH), range(8)))
        assert server.paths()["/api/token/refresh/"] == 2

    def test_a_renewed_token_that_is_refused_too_ends_the_matter(self, server):
        server.answer = lambda number, method, path, headers: (
            (200, {"access": "a"}) if path.endswith("/refresh/") else (401, {"detail": "no"})
        )
        with pytest.raises(ToolRefusedError, match="does not accept"):
            http(server, PERSONAL).get(PATH)
        assert server.paths()[PATH] == 2

    def test_a_revoked_personal_token_says_where_to_get_another(self, server):
        server.answer = lambda *request: (401, {"detail": "Token is blacklisted"})
        with pytest.raises(ToolRefusedError, match="Account & Settings"):
            http(server, PERSONAL).get(PATH)

    def test_a_netrc_file_does_not_replace_the_key(self, server, tmp_path, monkeypatch):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login someone password else\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        http(server).get(PATH)
        assert server.requests[0][2]["Authorization"] == f"Token {LEGACY}"

    @pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "ключ"])
    def test_a_key_that_cannot_be_one_is_refused_before_it_is_sent(self, key):
        with pytest.raises(ConfigurationError, match="LABEL_STUDIO_API_KEY"):
            LabelStudioHttp("http://localhost:8080", key, 1.0)

    @pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host", "http://", "file:///x"])
    def test_an_address_that_is_none_is_refused(self, url):
        with pytest.raises(ConfigurationError, match="LABEL_STUDIO_URL"):
            LabelStudioHttp(url, LEGACY, 1.0)

    def test_an_address_with_a_password_is_refused(self):
        with pytest.raises(ConfigurationError, match="user name or password") as refusal:
            LabelStudioHttp("http://me:secret@host", LEGACY, 1.0)
        assert "secret" not in str(refusal.value)


def expiring_after_the_first_exchange():
    """Access tokens t1, t2, ...; only those after t1 are accepted."""
    exchanges = iter(range(1, 100))

    def answer(number, method, path, headers):
        if path.endswith("/refresh/"):
            return 200, {"access": f"t{next(exchanges)}"}
        expired = headers["Authorization"] == "Bearer t1"
        return (401, {"detail": "expired"}) if expired else (200, {"id": 1})

    return answer


class TestRedirects:
    def test_credentials_never_follow_a_redirect(self, server):
        elsewhere = ScriptedServer()
        server.answer = lambda *request: (302, {}, ("Location", f"{elsewhere.url}/login?next=x"))
        with pytest.raises(ToolRejectedError, match=elsewhere.url) as error:
            http(server).get(PATH)
        elsewhere.stop()
        assert elsewhere.requests == []
        assert "next=x" not in str(error.value)


class TestRetries:
    def test_a_read_is_tried_again(self, server):
        server.answer = lambda number, *request: (503, {}) if number < 3 else (200, {"id": 1})
        assert http(server).get(PATH) == {"id": 1}

    def test_a_write_that_may_have_been_done_is_not_repeated(self, server):
        server.answer = lambda *request: (500, {"detail": "database is locked"})
        with pytest.raises(ToolUnreachableError, match="database is locked"):
            http(server).write("POST", PATH, {})
        assert len(server.requests) == 1

    def test_a_refusal_is_not_tried_again(self, server):
        server.answer = lambda *request: (403, {"detail": "not yours"})
        with pytest.raises(ToolRefusedError, match="not yours"):
            http(server).get(PATH)
        assert len(server.requests) == 1

    def test_where_nobody_listens_nothing_was_sent(self, server):
        server.stop()
        with pytest.raises(NotSentError, match="cannot be reached"):
            http(server).write("POST", PATH, {})

    def test_a_slow_answer_to_a_write_names_the_timeout_setting(self, server):
        release = threading.Event()
        server.answer = lambda *request: (release.wait(10), (200, {}))[1]
        with pytest.raises(ToolUnreachableError, match="timeout_seconds"):
            http(server, timeout=0.1).write("POST", PATH, {})
        release.set()


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, ToolRejectedError),
            (401, ToolRefusedError),
            (403, ToolRefusedError),
            (404, NotFoundError),
            (429, ToolUnreachableError),
            (500, ToolUnreachableError),
        ],
    )
    def test_each_status_has_its_error(self, server, status, kind):
        server.answer = lambda *request: (status, {"detail": "because"})
        with pytest.raises(kind, match="because"):
            http(server).write("POST", PATH, {})

    def test_what_was_wrong_in_a_field_is_shown(self, server):
        wrong = {"detail": "Validation error", "validation_errors": {"title": ["too short"]}}
        server.answer = lambda *request: (400, wrong)
        with pytest.raises(ToolRejectedError, match="title: too short"):
            http(server).write("POST", PATH, {})

    def test_a_key_that_comes_back_in_an_error_is_not_shown(self, server):
        server.answer = lambda *request: (400, {"detail": f"bad key {LEGACY}"})
        with pytest.raises(ToolRejectedError) as error:
            http(server).get(PATH)
        assert LEGACY not in str(error.value)

    def test_another_site_under_the_address_is_recognised(self, server):
        server.answer = lambda *request: (200, b"<html>hello</html>")
        with pytest.raises(ToolRejectedError, match="LABEL_STUDIO_URL"):
            http(server).get(PATH)

    def test_json_of_another_shape_is_recognised(self, server):
        server.answer = lambda *request: (200, [1, 2])
        with pytest.raises(ToolRejectedError, match="LABEL_STUDIO_URL"):
            LabelStudioClient(server.url, LEGACY).project(1)
