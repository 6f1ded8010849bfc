"""What a request works with."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app, request

from backend.errors import PayloadError
from backend.operations import Operations
from backend.services import Services


def operations() -> Operations:
    """The verbs of the running application."""
    return cast(Operations, current_app.extensions["harambee"])


def services() -> Services:
    """The services of the running application."""
    return operations().services


def json_object() -> dict[str, Any]:
    """The request's body; :class:`~backend.errors.PayloadError` if it is not a JSON object."""
    try:
        body = request.get_json(force=True, silent=True)
    except RecursionError:
        raise PayloadError(
            "The request body is nested too deeply; Label Studio sends no such JSON."
        ) from None
    if not isinstance(body, dict):
        raise PayloadError("The request body must be a JSON object, as Label Studio sends it.")
    return body
