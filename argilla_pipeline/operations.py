"""What the commands ask for, on top of the application's services."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.connection import SetUp, find_dataset, schema_of, set_up
from argilla_pipeline.kind import ARGILLA, ArgillaKind
from argilla_pipeline.tool import ArgillaTool
from backend import loop
from backend.errors import ConfigurationError, InputError
from backend.llm.guidelines import find_guidelines
from backend.protocols import Progress, silent
from backend.services import Services
from backend.store.projects import Project


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull has read: for each annotator, how many responses of each status."""

    tasks: int
    labelled: int
    by_annotator: Mapping[str, Counter[str]]


class ArgillaOperations:
    """The configured dataset of Argilla, and the verbs of ``harambee-argilla``."""

    def __init__(self, services: Services) -> None:
        self.services = services
        kind = services.tool_kinds.get(ARGILLA)
        if not isinstance(kind, ArgillaKind):
            raise ConfigurationError(
                "harambee is installed without its entry points. Install it anew: pip install "
                "'harambee[argilla]'."
            )
        self.kind = kind

    @property
    def client(self) -> ArgillaClient:
        """The configured Argilla."""
        return self.kind.client

    def set_up(self) -> tuple[Project, SetUp]:
        """Make the dataset, or make one that exists ready, and remember it as a project."""
        team = find_guidelines(self.services.settings.llm.guidelines).general
        done = set_up(self.client, self.services.settings, team)
        projects = self.services.projects
        project = projects.register(ARGILLA, done.dataset_id, done.schema.to_text(), done.title)
        projects.mark_connected(project.id, done.secret)
        return projects.get(project.id), done

    def project(self) -> Project:
        """The configured dataset as a project; a clear error where setup has not been run."""
        chosen = self.services.settings.argilla
        found = find_dataset(self.client, chosen.workspace, chosen.dataset)
        known = found and self.services.projects.find(ARGILLA, str(found["id"]))
        if not found or not known:
            raise InputError(
                f"The dataset {chosen.dataset!r} in the workspace {chosen.workspace!r} is not set "
                "up. Run: harambee-argilla setup"
            )
        schema = schema_of(self.client, chosen, known.external_id)
        return self.services.projects.register(
            ARGILLA, known.external_id, schema.to_text(), chosen.dataset
        )

    def tool(self, project: Project) -> ArgillaTool:
        """The dataset itself."""
        return self.kind.tool(project)

    def pull(self, project: Project, progress: Progress = silent) -> Pulled:
        """Make the store equal to Argilla, and count what each annotator did."""
        work = self.services.workspace(project)
        loop.pull(work, progress)
        by_annotator: dict[str, Counter[str]] = defaultdict(Counter)
        names = self.names()
        for read in self.tool(project).responses():
            who = names.get(read.annotation.annotator, read.annotation.annotator)
            by_annotator[who][read.status] += 1
        tasks = sum(1 for _ in work.tool.tasks())
        return Pulled(tasks, len(work.tasks.labelled()), dict(by_annotator))

    def responses(self, project: Project) -> Iterator[dict[str, Any]]:
        """Every response with its provenance, each annotator's apart."""
        tool, names = self.tool(project), self.names()
        texts = {task.id: task.text for task in tool.tasks()}
        for read in tool.responses():
            made = read.annotation
            yield {
                "record": made.task_id,
                "text": texts.get(made.task_id),
                "response": made.id,
                "annotator": names.get(made.annotator, made.annotator),
                "status": read.status,
                "updated_at": made.updated_at.isoformat(),
                "spans": [[span.start, span.end, span.label] for span in made.spans],
                "left_out": list(read.left_out),
            }

    def names(self) -> dict[str, str]:
        """User names by id, as far as the key's user sees them."""
        return self.client.usernames()
