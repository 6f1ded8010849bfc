"""HTTP to one Argilla: the key, retries, and errors that say what to do.

Redirects are never followed, so the key goes to the configured address and nowhere else. Argilla
may commit a write and still answer 500, when its search engine is down, and then drops the
connection; so everything that can be repeated without harm is, reads and most writes alike.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from backend.errors import (
    ConfigurationError,
    ToolRefusedError,
    ToolRejectedError,
    ToolUnreachableError,
)

ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 4.0
SHOWN_CHARACTERS = 500
KEY_HEADER = "X-Argilla-Api-Key"


class NotFoundError(ToolRejectedError):
    """Argilla has no such thing, or does not show it to this user."""


class UnprocessableError(ToolRejectedError):
    """Argilla refused a request as it stands (HTTP 400, 409 or 422), and did none of it."""


class ArgillaHttp:
    """JSON requests to one Argilla. Safe to share between threads.

    ``timeout`` in seconds bounds connecting, each wait for bytes, and how long a request is tried
    again. Raises :class:`~backend.errors.ConfigurationError` for an address or key that cannot
    work.
    """

    def __init__(self, url: str, api_key: str, timeout: float) -> None:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"The Argilla address {url!r} is not an http:// or https:// address. Set "
                "ARGILLA_API_URL, for example to http://localhost:6900."
            )
        if parts.username or parts.password:
            raise ConfigurationError(
                "The Argilla address holds a user name or password. Remove them from "
                "ARGILLA_API_URL; harambee uses ARGILLA_API_KEY."
            )
        key = api_key.strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigurationError(
                "The Argilla API key is missing or holds blanks. Copy it from 'My settings' in "
                "Argilla and set ARGILLA_API_KEY."
            )
        self.url = url.strip().rstrip("/")
        self._key = key
        self._timeout = timeout
        self._local = threading.local()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read JSON, trying again while Argilla cannot be reached."""
        return self.repeat("GET", path, None, params)

    def repeat(
        self, method: str, path: str, content: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Send what may be done twice, trying again while Argilla cannot be reached."""
        retrying = Retrying(
            retry=retry_if_exception_type(ToolUnreachableError),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(self._timeout),
            wait=wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT_SECONDS),
            reraise=True,
        )
        return retrying(self.once, method, path, content, params)

    def once(
        self, method: str, path: str, content: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Send what must not be done twice."""
        try:
            response = self._session.request(
                method,
                f"{self.url}/api/v1{path}",
                params=params,
                json=content,
                headers={KEY_HEADER: self._key},
                auth=keep_headers,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise unreachable(self.url, error) from error
        raise_for(response, f"{method} {path}", self._key)
        return body(response, path)

    @property
    def _session(self) -> requests.Session:
        """One session per thread: requests does not promise more."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        kept: requests.Session = self._local.session
        return kept


def keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep a ``.netrc`` file on this machine from adding credentials."""
    return request


def unreachable(url: str, error: requests.RequestException) -> ToolUnreachableError:
    """What a failed connection means."""
    if isinstance(error, requests.Timeout) and not isinstance(error, requests.ConnectTimeout):
        return ToolUnreachableError(
            f"Argilla at {url} took too long to answer. It may be busy; raise "
            "argilla.timeout_seconds if this happens again."
        )
    return ToolUnreachableError(
        f"Argilla at {url} cannot be reached ({type(error).__name__}). Check that it runs and that "
        "ARGILLA_API_URL is the address that this machine sees it under."
    )


def raise_for(response: requests.Response, asked: str, secret: str) -> None:
    """Raise the typed error for anything but success."""
    status = response.status_code
    if status < requests.codes.multiple_choices:
        return
    if status < requests.codes.bad_request:
        raise ToolRejectedError(
            f"Argilla redirects {asked}. Redirects are not followed, so that the API key stays "
            "here: set ARGILLA_API_URL to the final address (often https:// instead of http://)."
        )
    said = detail(response).replace(secret, "[key]")
    if status == requests.codes.unauthorized:
        raise ToolRefusedError(
            f"Argilla does not accept the API key ({said}). Copy it again from 'My settings' in "
            "Argilla and set ARGILLA_API_KEY."
        )
    if status == requests.codes.forbidden:
        raise ToolRefusedError(
            f"Argilla does not allow {asked} ({said}). The key's user lacks the right: webhooks "
            "and users need an owner, datasets an owner or an admin of their workspace."
        )
    if status >= requests.codes.server_error or status == requests.codes.too_many_requests:
        raise ToolUnreachableError(
            f"Argilla could not do {asked} (HTTP {status}: {said}). Its search engine may be down "
            "or starting, or it is overloaded; its log says more."
        )
    if status == requests.codes.not_found:
        raise NotFoundError(
            f"Argilla finds nothing for {asked} ({said}). Check argilla.workspace and "
            "argilla.dataset, and that the key's user is a member of the workspace."
        )
    raise UnprocessableError(f"Argilla rejected {asked} (HTTP {status}: {said}).")


def detail(response: requests.Response) -> str:
    """What Argilla says about an error, short; pages of HTML say nothing of use."""
    try:
        content = response.json()
    except requests.JSONDecodeError:
        return response.reason or "no explanation"
    return "; ".join(sentences(content))[:SHOWN_CHARACTERS] or "no explanation"


def sentences(content: object) -> list[str]:
    """The messages in an error, each with the place it is about where one is given."""
    if isinstance(content, list):
        return [said for item in content for said in sentences(item)]
    if not isinstance(content, dict):
        return [str(content)]
    for key in ("detail", "params", "errors"):
        if key in content:
            return sentences(content[key])
    if "msg" in content:
        place = ".".join(str(part) for part in content.get("loc", ()))
        return [f"{place}: {content['msg']}" if place else str(content["msg"])]
    return [f"{key}: {value}" for key, value in content.items()]


def body(response: requests.Response, path: str) -> Any:
    """The JSON of a successful response, ``None`` for an empty one."""
    if not response.content:
        return None
    try:
        return response.json()
    except requests.JSONDecodeError as error:
        raise ToolRejectedError(
            f"The answer to {path} is not JSON, so this is probably not Argilla's address. Check "
            "ARGILLA_API_URL."
        ) from error
