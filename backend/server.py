"""The web process as a command: gunicorn, with the settings of this backend."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from backend.services import Services
from backend.settings import Settings

REQUEST_SECONDS = 120


class Server(BaseApplication):
    """gunicorn with thread workers, serving :func:`backend.web.create_app`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = settings.server
        super().__init__()

    def load_config(self) -> None:
        """Take gunicorn's settings from ours."""
        self.cfg.set("bind", f"{self._server.host}:{self._server.port}")
        self.cfg.set("workers", self._server.workers)
        self.cfg.set("threads", self._server.threads)
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("timeout", REQUEST_SECONDS)
        self.cfg.set("control_socket_disable", True)
        self.cfg.set("loglevel", self._server.log_level.lower())

    def load(self) -> Any:
        """Make the application, once in each worker process."""
        from backend.web import create_app  # noqa: PLC0415 - the command line needs no server

        return create_app(Services(self._settings))
