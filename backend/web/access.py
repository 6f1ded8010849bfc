"""Who may call: basic auth for everything but ``/health``, a secret header for webhooks."""

from __future__ import annotations

import hmac
import re

from flask import Flask, Response, request

from backend.settings import ServerSettings
from backend.web.context import services

OPEN_PATHS = frozenset({"/health"})
WEBHOOK_PATHS = re.compile(r"/webhook|/webhooks/[^/]+")


def guard(app: Flask) -> None:
    """Check every request before it reaches a route.

    Webhooks of projects carry no basic auth; they are let through to their routes, which know the
    project and compare its secret or check the signature.
    """

    @app.before_request
    def check_credentials() -> Response | None:
        path = request.path
        if path in OPEN_PATHS or WEBHOOK_PATHS.fullmatch(path) or has_basic_auth():
            return None
        return Response(
            "Wrong or missing credentials: set the backend's user and password in Label Studio "
            "to BASIC_AUTH_USER and BASIC_AUTH_PASS.\n",
            status=401,
            headers={"WWW-Authenticate": 'Basic realm="harambee"'},
        )


def has_basic_auth() -> bool:
    """Whether the request carries the configured credentials, or none are configured."""
    server: ServerSettings = services().settings.server
    if server.basic_auth_user is None or server.basic_auth_pass is None:
        return True
    try:
        given = request.authorization
    except ValueError:  # werkzeug decodes base64, and stumbles over what is not ASCII
        return False
    if given is None or given.type != "basic":
        return False
    return equal(given.username, server.basic_auth_user) & equal(
        given.password, server.basic_auth_pass.get_secret_value()
    )


def equal(given: str | None, expected: str) -> bool:
    """Compare in a time that does not tell how much was right."""
    return hmac.compare_digest((given or "").encode(), expected.encode())
