"""The web process: Label Studio's ML backend wire, its webhooks, and a page for people."""

from __future__ import annotations

from flask import Flask

from backend.logs import configure_logging
from backend.operations import Operations
from backend.services import Services
from backend.settings import load_settings
from backend.web import (
    access,
    dashboard,
    health,
    ml_backend,
    problems,
    signed_webhooks,
    webhooks,
)


def create_app(services: Services | None = None) -> Flask:
    """The application; ``gunicorn 'backend.web:create_app()'`` serves it.

    Settings come from the environment unless ``services`` are given.
    """
    if services is None:
        settings = load_settings()
        configure_logging(settings.server.log_level)
        services = Services(settings)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.server.max_body_mb * 2**20
    app.extensions["harambee"] = Operations(services)
    access.guard(app)
    problems.install(app)
    for blueprint in (
        health.routes,
        ml_backend.routes,
        webhooks.routes,
        signed_webhooks.routes,
        dashboard.routes,
    ):
        app.register_blueprint(blueprint)
    return app
