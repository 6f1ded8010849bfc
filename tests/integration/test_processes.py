"""The commands as processes of their own: they start, serve and stop."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import requests
from web_backend import CONFIG, NOWHERE, WebBackend, raw_task

from backend import __version__
from backend.domain import JobKind, JobState
from backend.testing.server_process import free_port

CANARY = "canary-5be1d90c44"
PATIENCE_SECONDS = 60


@contextmanager
def process(folder, *command, **environment):
    """A process on a data folder; its standard error goes to ``folder/stderr``."""
    settings = {"HARAMBEE_STORE__DATA_DIR": str(folder / "data")} | environment
    with (folder / "stderr").open("w") as stderr:
        started = subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def stop(started):
    """Ask a process to end; gives its exit code."""
    started.send_signal(signal.SIGTERM)
    return started.wait(timeout=PATIENCE_SECONDS)


def when(condition):
    """Wait until a condition holds, and give its value."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    pytest.fail(f"waited {PATIENCE_SECONDS} s in vain")


def answers(url, **options):
    """The response of an address, once there is one."""

    def ask():
        try:
            return requests.get(url, timeout=10, **options)
        except requests.ConnectionError:
            return None

    return when(ask)


def test_python_m_backend_says_the_version():
    said = subprocess.run(
        [sys.executable, "-m", "backend", "--version"], capture_output=True, text=True, check=True
    )

    assert said.stdout == f"harambee {__version__}\n"


def test_serve_answers_keeps_secrets_at_debug_and_stops_when_told(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "PORT": str(port), "LOG_LEVEL": "DEBUG", "LABEL_STUDIO_URL": NOWHERE,
        "LABEL_STUDIO_API_KEY": f"{CANARY}-key", "BASIC_AUTH_USER": "us",
        "BASIC_AUTH_PASS": f"{CANARY}-pass",
    }  # fmt: skip
    us = ("us", f"{CANARY}-pass")
    body = {
        "project": "1.1", "label_config": CONFIG, "schema": CONFIG, "hostname": CANARY,
        "access_token": CANARY, "tasks": [raw_task(1, CANARY), {"id": 2, "data": {}}],
        "params": {"password": CANARY},
    }  # fmt: skip

    with process(tmp_path, "-m", "backend", "serve", **settings) as server:
        assert answers(f"{url}/health").json()["status"] == "UP"
        setup = requests.post(f"{url}/setup", json=body, auth=us, timeout=30)
        predict = requests.post(f"{url}/predict", json=body, auth=us, timeout=30)
        refused = requests.post(f"{url}/predict", json=body, timeout=30)
        code = stop(server)

    assert (setup.status_code, predict.status_code, refused.status_code) == (200, 200, 401)
    assert len(predict.json()["results"]) == 2
    assert code == 0
    logged = (tmp_path / "stderr").read_text()
    assert "task_without_text" in logged
    assert "Traceback" not in logged
    assert CANARY not in logged + predict.text + refused.text


def test_gunicorn_serves_the_application_from_the_environment(tmp_path):
    gunicorn = ["-m", "gunicorn", "--bind", "127.0.0.1:0", "backend.web:create_app()"]
    with process(tmp_path, *gunicorn) as server:
        listening = re.compile(r"Listening at: (http://\S+)")
        (url,) = when(lambda: listening.findall((tmp_path / "stderr").read_text()))
        assert answers(f"{url}/health").json()["status"] == "UP"
        code = stop(server)

    assert code == 0


def test_a_worker_does_what_waits_and_stops_when_told(tmp_path):
    with WebBackend(tmp_path) as backend, process(tmp_path, "-m", "backend", "worker") as worker:
        project = backend.know()
        backend.services.jobs.enqueue(JobKind.LEARN, project.id)

        def job():
            (found,) = backend.services.jobs.recent(project.id)
            return found.state is JobState.FAILED and found

        message = when(job).message
        code = stop(worker)

    assert "LABEL_STUDIO_API_KEY" in message
    assert code == 0
