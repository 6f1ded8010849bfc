"""``/health``: answered from memory, within Label Studio's second, whatever else runs."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

routes = Blueprint("health", __name__)


@routes.get("/health")
def health() -> Response:
    """Say that the process is up."""
    return jsonify(status="UP", model_class="harambee")
