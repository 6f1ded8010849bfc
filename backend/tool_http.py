"""HTTP to one labelling tool: sessions, retries, and errors that say what to do.

Redirects are never followed, so credentials go to the configured address and nowhere else.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
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
UNPROCESSABLE = frozenset({400, 409, 413, 422})


class NotSentError(ToolUnreachableError):
    """No connection was made, so the tool cannot have done anything: safe to repeat."""


class NotFoundError(ToolRejectedError):
    """The tool has no such thing, or does not show it to this user."""


class UnprocessableError(ToolRejectedError):
    """The tool refused a request as it stands (HTTP 400, 409, 413 or 422), and did none of it."""


@dataclass(frozen=True, slots=True)
class ToolNames:
    """How errors speak of a tool: its name, its settings, and what helps against which refusal.

    ``address`` and ``key`` are environment variables, ``timeout`` is a setting; the others are
    sentences.
    """

    name: str
    address: str
    example: str
    key: str
    key_place: str
    timeout: str
    not_accepted: str
    not_allowed: str
    overloaded: str
    not_found: str


class ToolHttp(ABC):
    """JSON requests to one labelling tool. Safe to share between threads.

    ``timeout`` in seconds bounds connecting, each wait for bytes, and how long a request is tried
    again. Raises :class:`~backend.errors.ConfigurationError` for an address or key that cannot
    work.
    """

    names: ToolNames

    def __init__(self, url: str, api_key: str, timeout: float) -> None:
        self.url = self._checked_address(url.strip())
        self._key = self._checked_key(api_key.strip())
        self._timeout = timeout
        self._local = threading.local()

    def _checked_address(self, url: str) -> str:
        names, parts = self.names, urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"The {names.name} address {url!r} is not an http:// or https:// address. "
                f"Set {names.address}, for example to {names.example}."
            )
        if parts.username or parts.password:
            raise ConfigurationError(
                f"The {names.name} address holds a user name or password. Remove them from "
                f"{names.address}; harambee uses {names.key}."
            )
        return url.rstrip("/")

    def _checked_key(self, key: str) -> str:
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigurationError(
                f"The {self.names.name} API key is missing or holds blanks. Copy it from "
                f"{self.names.key_place} and set {self.names.key}."
            )
        return key

    def _retrying(self, kind: type[ToolError]) -> Retrying:
        """Calls a function again, a few times, while it raises this kind of error."""
        return Retrying(
            retry=retry_if_exception_type(kind),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(self._timeout),
            wait=wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT_SECONDS),
            reraise=True,
        )

    def _send(
        self, method: str, path: str, headers: dict[str, str], **content: Any
    ) -> requests.Response:
        """One exchange, whatever its status."""
        try:
            return self._session.request(
                method,
                self.url + path,
                headers=headers,
                auth=keep_headers,
                timeout=self._timeout,
                allow_redirects=False,
                **content,
            )
        except requests.RequestException as error:
            raise self._unreachable(error) from error

    @property
    def _session(self) -> requests.Session:
        """One session per thread: requests does not promise more."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        kept: requests.Session = self._local.session
        return kept

    # What went wrong.

    def _unreachable(self, error: requests.RequestException) -> ToolUnreachableError:
        """What a failed connection means."""
        names = self.names
        if isinstance(error, requests.Timeout) and not isinstance(error, requests.ConnectTimeout):
            return ToolUnreachableError(
                f"{names.name} at {self.url} took too long to answer. It may be busy; raise "
                f"{names.timeout} if this happens again."
            )
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        unsent = isinstance(error, requests.ConnectTimeout) or isinstance(
            reason, NewConnectionError
        )
        kind = NotSentError if unsent else ToolUnreachableError
        return kind(
            f"{names.name} at {self.url} cannot be reached ({type(error).__name__}). Check that it "
            f"runs and that {names.address} is the address that this machine sees it under."
        )

    def _content(self, response: requests.Response, asked: str) -> Any:
        """The JSON of a successful response, ``None`` for an empty one; else the typed error."""
        self._raise_for(response, asked)
        if not response.content:
            return None
        try:
            return response.json()
        except requests.JSONDecodeError as error:
            raise ToolRejectedError(
                f"The answer to {asked} is not JSON, so this is probably not {self.names.name}'s "
                f"address. Check {self.names.address}."
            ) from error

    def _raise_for(self, response: requests.Response, asked: str) -> None:
        """Raise the typed error for anything but success."""
        status, names = response.status_code, self.names
        if status < requests.codes.multiple_choices:
            return
        if status < requests.codes.bad_request:
            raise ToolRejectedError(
                f"{names.name} redirects {asked} to {origin(response.headers.get('Location', ''))}."
                " Redirects are not followed, so that the API key stays here: set "
                f"{names.address} to the final address (often https:// instead of http://)."
            )
        said = self._detail(response).replace(self._key, "[key]")
        if status == requests.codes.unauthorized:
            raise ToolRefusedError(
                f"{names.name} does not accept the API key ({said}). {names.not_accepted}"
            )
        if status == requests.codes.forbidden:
            raise ToolRefusedError(
                f"{names.name} does not allow {asked} ({said}). {names.not_allowed}"
            )
        if status >= requests.codes.server_error or status == requests.codes.too_many_requests:
            raise ToolUnreachableError(
                f"{names.name} could not do {asked} (HTTP {status}: {said}). {names.overloaded}"
            )
        if status == requests.codes.not_found:
            raise NotFoundError(
                f"{names.name} finds nothing for {asked} ({said}). {names.not_found}"
            )
        kind = UnprocessableError if status in UNPROCESSABLE else ToolRejectedError
        raise kind(f"{names.name} rejected {asked} (HTTP {status}: {said}).")

    def _detail(self, response: requests.Response) -> str:
        """What the tool says about an error, short; pages of HTML say nothing of use."""
        try:
            content = response.json()
        except requests.JSONDecodeError:
            return response.reason or "no explanation"
        return "; ".join(self._sentences(content))[:SHOWN_CHARACTERS] or "no explanation"

    @abstractmethod
    def _sentences(self, content: object) -> list[str]:
        """The messages in the JSON of an error, each with the place it is about."""


def keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep a ``.netrc`` file on this machine from adding or replacing credentials."""
    return request


def origin(location: str) -> str:
    """Scheme and host of a redirect's target; the rest could hold secrets."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another page of the same host"
