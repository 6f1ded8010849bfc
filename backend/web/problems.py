"""Errors as JSON with a sentence that helps; never a traceback to the client."""

from __future__ import annotations

import structlog
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from backend.errors import HarambeeError, InputError, StoreError, ToolError

log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    """Answer every kind of error."""

    @app.errorhandler(HarambeeError)
    def known(error: HarambeeError) -> tuple[Response, int]:
        log.warning("request_refused", path=request.path, reason=str(error))
        return jsonify(error=str(error)), status_of(error)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> tuple[Response, int, dict[str, str]]:
        allowed = getattr(error, "valid_methods", None)
        headers = {"Allow": ", ".join(allowed)} if allowed else {}
        return jsonify(error=error.description), error.code or 500, headers

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_error: RequestEntityTooLarge) -> tuple[Response, int]:
        limit = app.config["MAX_CONTENT_LENGTH"] // 2**20
        sentence = (
            f"The request is larger than {limit} MB. Retrieve predictions for fewer tasks at a "
            "time, or raise server.max_body_mb."
        )
        return jsonify(error=sentence), 413

    @app.errorhandler(Exception)
    def unknown(_error: Exception) -> tuple[Response, int]:
        log.exception("request_crashed", path=request.path)
        return jsonify(error="Something went wrong here; the server's log has the details."), 500


def status_of(error: HarambeeError) -> int:
    """The HTTP status for one of our errors."""
    if isinstance(error, InputError):
        return 400
    return 503 if isinstance(error, (StoreError, ToolError)) else 500
