"""Structured logs that hold no secrets and no task texts, at DEBUG too."""

from __future__ import annotations

import logging
import sys

import structlog

NOISY = ("openai", "anthropic", "httpx", "httpx2", "httpcore", "urllib3", "alembic", "sqlalchemy")
"""Libraries whose logs can hold prompts, texts, keys or addresses with keys."""


def configure_logging(level: str) -> None:
    """Log to standard error at ``level``: readable on a terminal, JSON lines elsewhere."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=level, stream=sys.stderr)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
