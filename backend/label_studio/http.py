"""HTTP to one Label Studio: credentials, retries, and errors that say what to do.

Redirects are never followed, so credentials go to the configured address and nowhere else. Reads
are tried again; writes only when the connection could not be made, because a write whose answer
was lost may have been done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)
from urllib3.exceptions import NewConnectionError

from backend.errors import (
    ConfigurationError,
    ToolError,
    ToolRefusedError,
    ToolRejectedError,
    ToolUnreachableError,
)

ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 4.0
SHOWN_CHARACTERS = 500
TOO_MANY_REQUESTS = 429

Send = Callable[..., requests.Response]


class NotSentError(ToolUnreachableError):
    """No connection was made, so the tool cannot have done anything: safe to repeat."""


class NotFoundError(ToolRejectedError):
    """Label Studio has no such thing, or does not show it to this user."""


class BadRequestError(ToolRejectedError):
    """Label Studio refused the whole request as it stands (HTTP 400), and did none of it."""


class Credentials(Protocol):
    """What goes into the ``Authorization`` header."""

    def header(self, send: Send) -> str:
        """The current value."""

    def renew(self, used: str) -> bool:
        """Whether a 401 for ``used`` is worth one more try with a fresh :meth:`header`."""


class LegacyToken:
    """The token of a user's account page in older versions; it never changes."""

    def __init__(self, key: str) -> None:
        self._header = f"Token {key}"

    def header(self, send: Send) -> str:
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

    def header(self, send: Send) -> str:
        """A bearer token, fetched on first use and after :meth:`renew`."""
        with self._lock:
            if self._header is None:
                response = send("POST", "/api/token/refresh/", json={"refresh": self._key})
                if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
                    raise ToolRefusedError(
                        "Label Studio does not accept the personal access token: it was revoked, "
                        "has expired, or belongs to another installation. Create a new one under "
                        "Account & Settings and set LABEL_STUDIO_API_KEY."
                    )
                raise_for(response, "POST", "/api/token/refresh/", self._key)
                self._header = f"Bearer {body(response, '/api/token/refresh/')['access']}"
            return self._header

    def renew(self, used: str) -> bool:
        """Forget ``used``, unless another thread has replaced it already."""
        with self._lock:
            if self._header == used:
                self._header = None
        return True


def credentials_for(key: str) -> Credentials:
    """The kind of token a key is: personal access tokens are JSON Web Tokens, of three parts."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            "The Label Studio API key is missing or holds blanks. Copy it from Account & Settings "
            "in Label Studio and set LABEL_STUDIO_API_KEY."
        )
    return PersonalAccessToken(key) if key.count(".") == 2 else LegacyToken(key)


class LabelStudioHttp:
    """JSON requests to one Label Studio. Safe to share between threads.

    ``timeout`` in seconds bounds connecting, each wait for bytes, and how long a read is tried
    again. Raises
    :class:`~backend.errors.ConfigurationError` for an address or key that cannot work.
    """

    def __init__(self, url: str, api_key: str, timeout: float) -> None:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"The Label Studio address {url!r} is not an http:// or https:// address. "
                "Set LABEL_STUDIO_URL, for example to http://localhost:8080."
            )
        if parts.username or parts.password:
            raise ConfigurationError(
                "The Label Studio address holds a user name or password. Remove them from "
                "LABEL_STUDIO_URL; harambee uses LABEL_STUDIO_API_KEY."
            )
        self.url = url.strip().rstrip("/")
        self._key = api_key.strip()
        self._timeout = timeout
        self._credentials = credentials_for(self._key)
        self._local = threading.local()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read JSON, trying again while Label Studio cannot be reached."""
        return self._retrying(ToolUnreachableError)(self._exchange, "GET", path, params, None)

    def write(self, method: str, path: str, content: Any = None) -> Any:
        """Send JSON once; again only where no connection was made."""
        return self._retrying(NotSentError)(self._exchange, method, path, None, content)

    def _retrying(self, kind: type[ToolError]) -> Retrying:
        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, kind)),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(self._timeout),
            wait=wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT_SECONDS),
            reraise=True,
        )

    def _exchange(
        self, method: str, path: str, params: Mapping[str, Any] | None, content: Any
    ) -> Any:
        header = self._credentials.header(self._send)
        response = self._send(method, path, header, params=params, json=content)
        if response.status_code == requests.codes.unauthorized and self._credentials.renew(header):
            header = self._credentials.header(self._send)
            response = self._send(method, path, header, params=params, json=content)
        raise_for(response, method, path, self._key)
        return body(response, path)

    def _send(
        self, method: str, path: str, authorization: str | None = None, **content: Any
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                self.url + path,
                headers={"Authorization": authorization} if authorization else {},
                auth=keep_headers,
                timeout=self._timeout,
                allow_redirects=False,
                **content,
            )
        except requests.RequestException as error:
            raise unreachable(self.url, error) from error

    @property
    def _session(self) -> requests.Session:
        """One session per thread: requests does not promise more."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


def keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep a ``.netrc`` file on this machine from replacing the ``Authorization`` header."""
    return request


def unreachable(url: str, error: requests.RequestException) -> ToolUnreachableError:
    """What a failed connection means."""
    if isinstance(error, requests.Timeout) and not isinstance(error, requests.ConnectTimeout):
        return ToolUnreachableError(
            f"Label Studio at {url} took too long to answer. It may be busy; raise "
            "label_studio.timeout_seconds if this happens again."
        )
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    unsent = isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)
    kind = NotSentError if unsent else ToolUnreachableError
    return kind(
        f"Label Studio at {url} cannot be reached ({type(error).__name__}). Check that it runs and "
        "that LABEL_STUDIO_URL is the address that this machine sees it under."
    )


def raise_for(response: requests.Response, method: str, path: str, secret: str) -> None:
    """Raise the typed error for anything but success."""
    status = response.status_code
    if status < requests.codes.multiple_choices:
        return
    asked = f"{method} {path}"
    if status < requests.codes.bad_request:
        raise ToolRejectedError(
            f"Label Studio redirects {asked} to {origin(response.headers.get('Location', ''))}. "
            "Redirects are not followed, so that the API key stays here: set LABEL_STUDIO_URL to "
            "the final address (often https:// instead of http://)."
        )
    said = detail(response).replace(secret, "[key]")
    if status == requests.codes.unauthorized:
        raise ToolRefusedError(
            f"Label Studio does not accept the API key ({said}). Legacy tokens are off by default "
            "in current versions: create a personal access token under Account & Settings, or let "
            "an administrator allow legacy tokens, and set LABEL_STUDIO_API_KEY."
        )
    if status == requests.codes.forbidden:
        raise ToolRefusedError(
            f"Label Studio does not allow {asked} ({said}). The API key's user lacks the right."
        )
    if status >= requests.codes.server_error or status == TOO_MANY_REQUESTS:
        raise ToolUnreachableError(
            f"Label Studio could not do {asked} (HTTP {status}: {said}). It may be starting or "
            "overloaded; its log says more."
        )
    if status == requests.codes.not_found:
        raise NotFoundError(
            f"Label Studio finds nothing for {asked} ({said}). Check the project's number and "
            "that the API key's user is in the same organisation."
        )
    kind = BadRequestError if status == requests.codes.bad_request else ToolRejectedError
    raise kind(f"Label Studio rejected {asked} (HTTP {status}: {said}).")


def detail(response: requests.Response) -> str:
    """What Label Studio says about an error, short; its HTML pages say nothing of use."""
    try:
        content = response.json()
    except requests.JSONDecodeError:
        return response.reason or "no explanation"
    if isinstance(content, dict):
        content = content.get("validation_errors") or content.get("detail") or content
    return "; ".join(sentences(content))[:SHOWN_CHARACTERS]


def sentences(content: object) -> list[str]:
    """The strings in an error, each with the field it is about."""
    if isinstance(content, dict):
        return [f"{key}: {said}" for key, value in content.items() for said in sentences(value)]
    if isinstance(content, list):
        return [said for value in content for said in sentences(value)]
    return [str(content)]


def body(response: requests.Response, path: str) -> Any:
    """The JSON of a successful response, ``None`` for an empty one."""
    if not response.content:
        return None
    try:
        return response.json()
    except requests.JSONDecodeError as error:
        raise ToolRejectedError(
            f"The answer to {path} is not JSON, so this is probably not Label Studio's address. "
            "Check LABEL_STUDIO_URL."
        ) from error


def origin(location: str) -> str:
    """Scheme and host of a redirect's target; the rest could hold secrets."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another page of the same host"
