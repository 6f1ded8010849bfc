"""HTTP to one Label Studio: its credentials, and what is tried again.

Reads are tried again; writes only when the connection could not be made, because a write whose
answer was lost may have been done.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

import requests

from backend.errors import ToolRefusedError, ToolUnreachableError
from backend.tool_http import NotSentError, ToolHttp, ToolNames

REFRESH = "/api/token/refresh/"
LABEL_STUDIO = ToolNames(
    name="Label Studio",
    address="LABEL_STUDIO_URL",
    example="http://localhost:8080",
    key="LABEL_STUDIO_API_KEY",
    key_place="Account & Settings in Label Studio",
    timeout="label_studio.timeout_seconds",
    not_accepted=(
        "Legacy tokens are off by default in current versions: create a personal access token "
        "under Account & Settings, or let an administrator allow legacy tokens, and set "
        "LABEL_STUDIO_API_KEY."
    ),
    not_allowed="The API key's user lacks the right.",
    overloaded="It may be starting or overloaded; its log says more.",
    not_found=(
        "Check the project's number and that the API key's user is in the same organisation."
    ),
)


class Exchange(Protocol):
    """Trades a long-lived token for one of a few minutes."""

    def __call__(self, refresh: str) -> str:
        """The access token."""


class Credentials(Protocol):
    """What goes into the ``Authorization`` header."""

    def header(self, exchange: Exchange) -> str:
        """The current value."""

    def renew(self, used: str) -> bool:
        """Whether a 401 for ``used`` is worth one more try with a fresh :meth:`header`."""


class LegacyToken:
    """The token of a user's account page in older versions; it never changes."""

    def __init__(self, key: str) -> None:
        self._header = f"Token {key}"

    def header(self, exchange: Exchange) -> str:
        """The token itself."""
        return self._header

    def renew(self, used: str) -> bool:
        """Never: another try would send the same token."""
        return False


class PersonalAccessToken:
    """A long-lived token that buys access tokens of a few minutes. Safe to share by threads."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._header: str | None = None
        self._lock = threading.Lock()

    def header(self, exchange: Exchange) -> str:
        """A bearer token, fetched on first use and after :meth:`renew`."""
        with self._lock:
            if self._header is None:
                self._header = f"Bearer {exchange(self._key)}"
            return self._header

    def renew(self, used: str) -> bool:
        """Forget ``used``, unless another thread has replaced it already."""
        with self._lock:
            if self._header == used:
                self._header = None
        return True


def credentials_for(key: str) -> Credentials:
    """The kind of token a key is: personal access tokens are JSON Web Tokens, of three parts."""
    return PersonalAccessToken(key) if key.count(".") == 2 else LegacyToken(key)


class LabelStudioHttp(ToolHttp):
    """JSON requests to one Label Studio. See :class:`~backend.tool_http.ToolHttp`."""

    names = LABEL_STUDIO

    def __init__(self, url: str, api_key: str, timeout: float) -> None:
        super().__init__(url, api_key, timeout)
        self._credentials = credentials_for(self._key)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read JSON, trying again while Label Studio cannot be reached."""
        return self._retrying(ToolUnreachableError)(self._exchange, "GET", path, params, None)

    def write(self, method: str, path: str, content: Any = None) -> Any:
        """Send JSON once; again only where no connection was made."""
        return self._retrying(NotSentError)(self._exchange, method, path, None, content)

    def _exchange(
        self, method: str, path: str, params: Mapping[str, Any] | None, content: Any
    ) -> Any:
        def send(authorization: str) -> requests.Response:
            headers = {"Authorization": authorization}
            return self._send(method, path, headers, params=params, json=content)

        used = self._credentials.header(self._access_token)
        response = send(used)
        if response.status_code == requests.codes.unauthorized and self._credentials.renew(used):
            response = send(self._credentials.header(self._access_token))
        return self._content(response, f"{method} {path}")

    def _access_token(self, refresh: str) -> str:
        response = self._send("POST", REFRESH, {}, json={"refresh": refresh})
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise ToolRefusedError(
                "Label Studio does not accept the personal access token: it was revoked, has "
                "expired, or belongs to another installation. Create a new one under Account & "
                "Settings and set LABEL_STUDIO_API_KEY."
            )
        return str(self._content(response, f"POST {REFRESH}")["access"])

    def _sentences(self, content: object) -> list[str]:
        if isinstance(content, dict):
            content = content.get("validation_errors") or content.get("detail") or content
        return sentences(content)


def sentences(content: object) -> list[str]:
    """The strings in an error, each with the field it is about."""
    if isinstance(content, dict):
        return [f"{key}: {said}" for key, value in content.items() for said in sentences(value)]
    if isinstance(content, list):
        return [said for value in content for said in sentences(value)]
    return [str(content)]
