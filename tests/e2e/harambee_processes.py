"""A harambee as users run it: a settings file, a web process and a worker."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

import yaml

from backend.demo.processes import running, wait_for_health
from backend.domain import Example, JobKind, JobState
from backend.label_studio.tool import find_backend
from backend.operations import Operations
from backend.samples import sample_texts
from backend.services import Services
from backend.settings import load_settings
from backend.status import project_status
from backend.testing.server_process import free_port

LABEL_CONFIG = Path("config/label_schemes/ner.xml").read_text(encoding="utf-8")
LONGEST_WAIT_SECONDS = 90
NEVER = 1_000_000
WEB, WORKER = "serve", "worker"


class Harambee:
    """One installation; a context manager that runs both processes. ``server``: a Label Studio.

    ``sections`` are settings on top of those that the test server needs. What the processes have
    written is read through ``operations``, which opens the same store.
    """

    def __init__(self, folder, server, /, **sections):
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        content = {
            "server": {"port": port},
            "store": {"data_dir": str(folder / "data")},
            "learning": {"after_labels": NEVER},
        }
        if server is not None:
            content["label_studio"] = {"url": server.url, "api_key": server.login.token}
        for name, values in sections.items():
            content[name] = content.get(name, {}) | values
        self.config = folder / "harambee.yaml"
        self.config.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.operations = Operations(Services(load_settings(self.config)))
        self.services = self.operations.services
        self.url = self.services.settings.public_url
        self.address = f"http://127.0.0.1:{port}"
        self._folder = folder
        self._running = {}

    def __enter__(self):
        self.start(WEB)
        self.start(WORKER)
        return self

    def __exit__(self, *_):
        for _, stack in self._running.values():
            stack.close()
        self.services.database.close()

    def start(self, name):
        """Start one of the two processes; the web process answers when this returns."""
        stack = ExitStack()
        log_file = self.log_file(name)
        process = stack.enter_context(running(name, self.config, log_file))
        self._running[name] = process, stack
        if name == WEB:
            wait_for_health(self.address, process, log_file)

    def kill(self, name):
        """End a process with its children as a power cut would: ``kill -9``."""
        process, stack = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        stack.close()

    def log_file(self, name):
        return self._folder / f"{name}.log"

    def command(self, *arguments):
        """Run a harambee command with these settings, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "backend", "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    # What the store holds of a Label Studio project.

    def project(self, number):
        return self.services.project(str(number))

    def workspace(self, number):
        return self.services.workspace(self.project(number))

    def status(self, number):
        return project_status(self.services, self.project(number))

    def version(self, number):
        """The version that is served, ``None`` before the first."""
        return self.workspace(number).suggestions.serving_version()

    def rounds(self, number):
        return self.workspace(number).rounds.all()

    def is_idle(self, number):
        """Whether nothing waits or runs, apart from the sweeps that run all the time."""
        status = self.status(number)
        busy = {JobState.QUEUED, JobState.RUNNING}
        jobs = [job for job in status.jobs if job.kind is not JobKind.RECONCILE]
        failed = [job.message for job in jobs if job.state is JobState.FAILED]
        assert not failed, f"{failed}; see {self.log_file(WORKER)}"
        return status.inbox == 0 and not any(job.state in busy for job in jobs)


def numbered_sample(number):
    """The sample corpus over and over, every text with a number of its own behind it."""
    sample = islice(cycle(sample_texts()), number)
    return [
        Example(str(place), f"{example.text} {place}", example.spans)
        for place, (_, example) in enumerate(sample)
    ]


def scripted(llm):
    """Settings of an LLM that is a scripted server."""
    return {
        "provider": "openai",
        "openai_api_key": llm.api_key,
        "openai_base_url": llm.openai_url,
    }


def wait_until(condition, what, seconds=LONGEST_WAIT_SECONDS):
    """Wait for other processes; returns the first true value of ``condition``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)
    return value


def press_start_training(harambee, client, project):
    """Do what the button in Label Studio does, and wait for the round that comes of it."""
    before = len(harambee.rounds(project))
    client.start_training(find_backend(client.ml_backends(project), harambee.url)["id"])
    wait_until(lambda: len(harambee.rounds(project)) > before, "a new round")
    wait_until(lambda: harambee.is_idle(project), "the worker to be idle")


def predictions(client, project):
    """All predictions of a project by task, oldest first."""
    rows = client.http.get("/api/predictions/", {"project": project})
    by_task = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        by_task.setdefault(row["task"], []).append(row)
    return by_task


def current_predictions(client, project):
    """The prediction of the project's current version of each task that carries just one."""
    version = client.project(project)["model_version"]
    found = {
        task: [row for row in rows if row["model_version"] == version]
        for task, rows in predictions(client, project).items()
    }
    return {task: rows[0] for task, rows in found.items() if len(rows) == 1}
