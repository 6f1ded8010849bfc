"""What the tool's calls, the commands and the worker ask for, on top of the services."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from backend import loop
from backend.domain import JobKind, RoundReport, Task
from backend.errors import ConfigurationError, HarambeeError
from backend.jobs import Handler, JobQueue, make_huey, run_worker
from backend.label_studio.connection import BasicAuth, ConnectionReport, connect
from backend.label_studio.tool import find_backend
from backend.laboratory.audit import ProjectAudit, audit_project
from backend.protocols import Progress, silent
from backend.quality.prediction_powered import LEVEL
from backend.services import LABEL_STUDIO, Services
from backend.store.audits import SqlAudits
from backend.store.inbox import Inbox
from backend.store.projects import Project
from backend.store.retention import forget_finished
from backend.store.tasks import SqlTaskRecords
from backend.workspace import Workspace, labels_since_last_round

log = structlog.get_logger(__name__)

SECRET_HEADER = "X-Harambee-Secret"  # noqa: S105 - the header's name, not its value
RECONCILE_AT_MOST = 0.05
"""Share of its time that a worker spends on looking for labels that webhooks lost."""
LONGEST_SAVE_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.25
KEEP_FINISHED = timedelta(days=7)
FORGET_SECONDS = 3600.0
PROXY_FAMILY = "crf"
"""What makes an audit's proxies: it trains in seconds on any machine, and need not be good."""
OPENED_AT_MOST = 4
"""More tasks than that in one request are not an annotator opening one."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A project that has been set up, what the tool allowed, and its first suggestions."""

    project: Project
    connection: ConnectionReport
    report: RoundReport


class Operations:
    """The verbs of the application; one per process, shared by its threads."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.queue = self._make_queue()
        self._next_reconcile: dict[int, float] = {}
        self._next_forgetting = time.monotonic()

    def _make_queue(self) -> JobQueue:
        settings = self.services.settings
        data_dir = settings.store.data_dir
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            huey = make_huey(data_dir, settings.jobs.broker_url, inline=settings.jobs.inline)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"Cannot keep the queue in the data folder {data_dir}: {error}. Choose a writable "
                "one with HARAMBEE_STORE__DATA_DIR."
            ) from error
        return JobQueue(self.services.jobs, huey, self._handlers(), settings.jobs.lease_seconds)

    # What the tool's calls ask for.

    def meet(self, external_id: str, label_config: str) -> Project:
        """The Label Studio project, with a first job for the worker if it is new."""
        known = self.services.project(external_id)
        if known is not None and known.label_config == label_config:
            return known
        project = self.services.projects.register(LABEL_STUDIO, external_id, label_config)
        if known is None and self.services.settings.label_studio.api_key is not None:
            self.queue.enqueue(JobKind.BEGIN, project.id)
        return project

    def answer_opened(self, work: Workspace, tasks: Sequence[Task], deadline: float) -> None:
        """Have the LLM answer tasks that an annotator has just opened, until the deadline.

        Only for a few tasks; an answer that comes late is kept for the next time.
        """
        if work.annotator is None or len(tasks) > OPENED_AT_MOST:
            return
        asking = threading.Thread(target=annotate_opened, args=(work, tasks), daemon=True)
        asking.start()
        asking.join(timeout=max(0.0, deadline - time.monotonic()))

    # Setting a project up.

    def connect(self, external_id: str, progress: Progress = silent) -> Connected:
        """Set Label Studio up for a project and give every task a first suggestion."""
        project = self._refresh(external_id)
        connection = self.set_up(project)
        report = loop.begin(self.services.workspace(project), progress)
        return Connected(project, connection, report)

    def _refresh(self, external_id: str) -> Project:
        """The project with its title and labelling config as the tool has them now."""
        raw = self.services.label_studio.project(int(external_id))
        return self.services.projects.register(
            LABEL_STUDIO, external_id, raw["label_config"], raw.get("title", "")
        )

    def set_up(self, project: Project) -> ConnectionReport:
        """Register this backend and its webhook in Label Studio."""
        server = self.services.settings.server
        password = server.basic_auth_pass
        credentials = (
            BasicAuth(server.basic_auth_user, password.get_secret_value())
            if server.basic_auth_user is not None and password is not None
            else None
        )
        report = connect(
            self.services.label_studio,
            int(project.external_id),
            self.services.settings.public_url,
            self.services.version_of(project),
            credentials=credentials,
            webhook_secret_headers={SECRET_HEADER: project.webhook_secret},
        )
        self.services.projects.mark_connected(project.id)
        return report

    # What a worker does.

    def _handlers(self) -> Mapping[JobKind, Handler]:
        return {
            JobKind.BEGIN: self._begin,
            JobKind.LEARN: self._learn,
            JobKind.INBOX: self._read_inbox,
            JobKind.RECONCILE: self._reconcile,
            JobKind.AUDIT: self._audit,
        }

    def _begin(self, project_id: int, progress: Progress) -> str:
        project = self.services.projects.get(project_id)
        if project.connected_at is None:
            self._wait_until_saved(project)
            self.set_up(project)
        report = loop.begin(self.services.workspace(project), progress)
        return f"{report.pushed} suggestions pushed as {report.version}{_problem_of(report)}"

    def _wait_until_saved(self, project: Project) -> None:
        """Let Label Studio save the backend that a person connects, or there would be two of it.

        It calls ``/setup``, which is how a worker comes here, just before.
        """
        client, address = self.services.label_studio, self.services.settings.public_url
        deadline = time.monotonic() + LONGEST_SAVE_SECONDS
        while time.monotonic() < deadline:
            if find_backend(client.ml_backends(int(project.external_id)), address) is not None:
                return
            time.sleep(LOOK_AGAIN_SECONDS)

    def _learn(self, project_id: int, progress: Progress) -> str:
        report = loop.play_round(
            self.services.workspace(self.services.projects.get(project_id)), progress
        )
        if self.services.settings.audit.share:
            self.queue.enqueue(JobKind.AUDIT, project_id)
        verdict = "promoted" if report.promoted else "not promoted"
        return (
            f"round {report.number}: {verdict} ({report.reason}), {report.pushed} pushed"
            f"{_problem_of(report)}"
        )

    def _audit(self, project_id: int, progress: Progress) -> str:
        project = self.services.projects.get(project_id)
        found = audit_and_keep(self.services, project, progress=progress)
        return f"{found.labelled} of {found.drawn} audited texts are labelled"

    def _read_inbox(self, project_id: int, _progress: Progress) -> str:
        work = self.services.workspace(self.services.projects.get(project_id))
        tasks = SqlTaskRecords(self.services.database, project_id)
        changed = read_inbox(work, self.services.inbox(project_id), tasks)
        self._learn_if_due(project_id, work)
        return f"{changed} labels changed"

    def _reconcile(self, project_id: int, progress: Progress) -> str:
        started = time.monotonic()
        project = self.services.refreshed(self.services.projects.get(project_id))
        work = self.services.workspace(project)
        new = loop.pull(work, progress)
        # A project without a round is being begun by whoever connected it.
        if new and project.connected_at is not None and work.rounds.all():
            self.queue.enqueue(JobKind.BEGIN, project_id)
        self._learn_if_due(project_id, work)
        took = time.monotonic() - started
        self._next_reconcile[project_id] = time.monotonic() + took / RECONCILE_AT_MOST
        return "labels are those of the tool"

    def _learn_if_due(self, project_id: int, work: Workspace) -> None:
        if labels_since_last_round(work) >= self.services.settings.learning.after_labels:
            self.queue.enqueue(JobKind.LEARN, project_id)

    def run_worker(self) -> None:
        """Do jobs until the process is told to stop."""
        run_worker(self.queue, self.services.settings.jobs.reconcile_seconds, self.tick)

    def tick(self) -> None:
        """Ask for what is due by time: reconciliation, and whatever a wake-up was lost for."""
        self._forget_if_due()
        for project in self.services.projects.all():
            due = self._next_reconcile.get(project.id, 0.0) <= time.monotonic()
            if project.connected_at is not None and due:
                self.services.jobs.enqueue(JobKind.RECONCILE, project.id)
            if self.services.inbox(project.id).count_waiting():
                self.services.jobs.enqueue(JobKind.INBOX, project.id)
        self.queue.wake()

    def _forget_if_due(self) -> None:
        if time.monotonic() >= self._next_forgetting:
            forget_finished(self.services.database, datetime.now(UTC) - KEEP_FINISHED)
            self._next_forgetting = time.monotonic() + FORGET_SECONDS


def audit_and_keep(
    services: Services, project: Project, level: float = LEVEL, progress: Progress = silent
) -> ProjectAudit:
    """What the blind audit says now, kept for whoever looks at the project's page."""
    found = audit_project(
        services.workspace(project), services.families[PROXY_FAMILY], level, progress
    )
    SqlAudits(services.database, project.id).keep(found.summary(services.settings.audit.half_width))
    return found


def _problem_of(report: RoundReport) -> str:
    return f"; the LLM could not be asked: {report.llm_problem}" if report.llm_problem else ""


def annotate_opened(work: Workspace, tasks: Sequence[Task]) -> None:
    """Have the LLM answer; nobody waits for an error, so it is only logged."""
    try:
        loop.annotate_tasks(work, tasks)
    except HarambeeError as error:
        log.warning("opened_task_not_annotated", reason=str(error))


def read_inbox(work: Workspace, inbox: Inbox, tasks: SqlTaskRecords) -> int:
    """Fetch the labels of every task that a hint names; returns how many labels changed.

    A hint says only where to look: however often, late or out of order it comes, the store ends up
    equal to the tool.
    """
    changed = 0
    while hints := inbox.waiting():
        task_ids = {task_id for hint in hints for task_id in hint.task_ids}
        task_ids |= tasks.tasks_of_annotations(i for hint in hints for i in hint.annotation_ids)
        if tasks.unknown_tasks(task_ids):
            loop.pull(work)
        changed += loop.pull_labels(work, sorted(task_ids))
        inbox.handled(hints)
    return changed
