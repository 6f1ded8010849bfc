"""Logs: lines for machines, readable on a terminal, and no secrets at any level."""

import io
import json
import logging
import sys

import pytest
import structlog

from backend.logs import NOISY, configure_logging

SECRET = "canary-91ab"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def log_to(monkeypatch):
    """Configure logging onto a stream, and undo it afterwards."""
    root = logging.getLogger()

    def log_to(stream, level):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(root, "handlers", [])
        monkeypatch.setattr(root, "level", root.level)
        configure_logging(level)
        return stream

    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield log_to
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


def fail_with_a_secret_at_hand():
    password = SECRET
    return len(password) / 0


def test_elsewhere_than_on_a_terminal_each_event_is_a_line_of_json(log_to):
    stream = log_to(io.StringIO(), "INFO")

    structlog.get_logger().info("job_done", result="Ọjọ́ Ajé")

    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "job_done"
    assert json.loads(line)["level"] == "info"
    assert "Ọjọ́ Ajé" in line


def test_on_a_terminal_events_are_for_people(log_to):
    stream = log_to(Terminal(), "INFO")

    structlog.get_logger().warning("job_failed")

    assert "job_failed" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize(("level", "lines"), [("DEBUG", 3), ("INFO", 2), ("ERROR", 1)])
def test_the_level_decides_what_is_said(log_to, level, lines):
    stream = log_to(io.StringIO(), level)

    for say in ("debug", "info", "error"):
        getattr(structlog.get_logger(), say)("event")

    assert len(stream.getvalue().splitlines()) == lines


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_traceback_shows_where_and_never_the_values_of_variables(log_to, stream):
    log = log_to(stream(), "DEBUG")

    try:
        fail_with_a_secret_at_hand()
    except ZeroDivisionError:
        structlog.get_logger().exception("crashed")

    assert "fail_with_a_secret_at_hand" in log.getvalue()
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize("name", NOISY)
def test_libraries_that_log_prompts_and_keys_say_nothing_below_a_warning(log_to, name):
    stream = log_to(io.StringIO(), "DEBUG")

    logging.getLogger(name).debug("Authorization: Bearer %s", SECRET)
    logging.getLogger(f"{name}.deeper").info("POST %s", SECRET)
    logging.getLogger(name).warning("still heard")

    assert SECRET not in stream.getvalue()
    assert "still heard" in stream.getvalue()
