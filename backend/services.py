"""The composition root: settings in, wired objects out. Heavy imports stay inside.

Everything a process needs is reached from one :class:`Services`; tests subclass it to put another
part in place of one.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from backend.domain import (
    Annotation,
    LabelScheme,
    ReviewItem,
    ReviewKind,
    ReviewQueue,
    Suggestion,
    Task,
)
from backend.errors import ConfigurationError
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.labels import LabelConfig, parse_label_config
from backend.label_studio.review import labelling_view
from backend.label_studio.tool import LabelStudioTool
from backend.protocols import AnnotationTool, Annotator, Progress, TaggerFamily, silent
from backend.settings import Settings
from backend.store.database import Database
from backend.store.inbox import Inbox
from backend.store.jobs import SqlJobTable
from backend.store.money import SqlAnswerCache, SqlLedger
from backend.store.projects import Project, Projects
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords, version_name
from backend.store.tasks import SqlTaskRecords
from backend.tagger.checkpoints import ModelShelf
from backend.tagger.families import all_families, build_family
from backend.tool_kinds import ToolKind, installed_tools, kind_of
from backend.workspace import Workspace

if TYPE_CHECKING:
    from backend.llm.factory import Accepted
    from backend.llm.gate import Gates

LABEL_STUDIO = "label_studio"
FIRST_VERSION = version_name(0)


def no_token() -> ConfigurationError:
    """The error for whatever needs Label Studio's REST interface."""
    return ConfigurationError(
        "No Label Studio token is set. Copy one from Label Studio's Account & Settings page into "
        "LABEL_STUDIO_API_KEY and start again."
    )


def dollars(amount: float) -> Decimal:
    """An amount in the settings, as it is written there."""
    return Decimal(str(amount))


class NoTool:
    """:class:`backend.protocols.AnnotationTool` without a token: it can only say what is missing.

    Predictions that Label Studio asks for need no token, so a backend without one still serves.
    ``url`` is Label Studio's address.
    """

    def __init__(self, url: str, project_id: str) -> None:
        self._url = url.strip().rstrip("/")
        self._project_id = project_id

    def tasks(self) -> Iterator[Task]:
        """Ask for a token."""
        raise no_token()

    def suggest(
        self, suggestions: Sequence[Suggestion], version: str, progress: Progress = silent
    ) -> int:
        """Ask for a token."""
        raise no_token()

    def accepted(self, task_ids: Collection[str] | None = None) -> Iterator[Annotation]:
        """Ask for a token."""
        raise no_token()

    def annotators(self) -> Mapping[str, str]:
        """Nobody: annotators go by their ids."""
        return {}

    def prioritise(self, version: str) -> None:
        """Ask for a token."""
        raise no_token()

    def task_link(self, task: Task) -> str:
        """The labelling view of a task."""
        return labelling_view(self._url, self._project_id, task.id)

    def review(
        self, kind: ReviewKind, items: Sequence[ReviewItem], progress: Progress = silent
    ) -> ReviewQueue:
        """Ask for a token."""
        raise no_token()


class Services:
    """Everything one process works with; opened once, shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.database.migrate()
        self.projects = Projects(self.database)
        self.jobs = SqlJobTable(self.database)
        self._shelves: dict[int, ModelShelf] = {}
        self._annotators: dict[int, Annotator | None] = {}
        self._lock = threading.Lock()

    @cached_property
    def label_studio(self) -> LabelStudioClient:
        """The configured Label Studio."""
        chosen = self.settings.label_studio
        if chosen.api_key is None:
            raise no_token()
        return LabelStudioClient(
            chosen.url, chosen.api_key.get_secret_value(), timeout=chosen.timeout_seconds
        )

    @cached_property
    def tool_kinds(self) -> Mapping[str, ToolKind]:
        """Labelling tools beside Label Studio, by name."""
        return installed_tools(self.settings)

    @cached_property
    def families(self) -> Mapping[str, TaggerFamily]:
        """All kinds of tagger, for loading whatever a version on disk is."""
        return all_families(self.settings.tagger)

    # One project.

    def scheme(self, project: Project) -> LabelScheme:
        """The labels of a project, as they were when it was last looked at."""
        return self._opened(project)[0]

    def workspace(self, project: Project) -> Workspace:
        """Everything the loop needs for a project."""
        scheme, tool = self._opened(project)
        return Workspace(
            scheme=scheme,
            tool=tool,
            tasks=SqlTaskRecords(self.database, project.id),
            suggestions=SqlSuggestionRecords(self.database, project.id),
            rounds=SqlRoundRecords(self.database, project.id),
            models=self.shelf(project.id),
            family=build_family(self.settings.tagger),
            annotator=self._annotator(project.id),
            learning=self.settings.learning,
            showing=self.settings.suggestions,
            audit_share=self.settings.audit.share,
            routing=self.settings.routing,
            crowd=self.settings.crowd,
            stopping=self.settings.stopping,
        )

    def _opened(self, project: Project) -> tuple[LabelScheme, AnnotationTool]:
        """A project's labels, and the project itself in its labelling tool."""
        if project.tool != LABEL_STUDIO:
            return kind_of(project, self.tool_kinds).open(project)
        config = parse_label_config(project.label_config)
        return config.scheme, self._tool(project, config)

    def _tool(self, project: Project, config: LabelConfig) -> AnnotationTool:
        if self.settings.label_studio.api_key is None:
            return NoTool(self.settings.label_studio.url, project.external_id)
        return LabelStudioTool(
            self.label_studio,
            int(project.external_id),
            config,
            backend_url=self.settings.public_url,
            push_batch=self.settings.label_studio.push_batch,
        )

    def check(self) -> None:
        """Refuse to start with settings that no call could work with; nothing is asked yet."""
        annotator = self._build_annotator(None)
        build_family(self.settings.tagger)
        strategy = self.settings.suggestions.strategy
        if strategy == "bald" and self.settings.tagger.kind != "transformer":
            raise ConfigurationError(
                f"The strategy bald needs dropout, and a {self.settings.tagger.kind} has none. Set "
                f"suggestions.strategy to committee-kl, the same measure over a committee, or "
                f"tagger.kind to transformer."
            )
        if strategy == "llm-disagreement" and annotator is None:
            raise ConfigurationError(
                "The strategy llm-disagreement needs an LLM to compare the tagger with. Set one up "
                "(llm.provider and its key), or choose another suggestions.strategy."
            )

    def _annotator(self, project_id: int) -> Annotator | None:
        """The LLM for a project; one object per process, which keeps its connections."""
        with self._lock:
            if project_id not in self._annotators:
                self._annotators[project_id] = self._build_annotator(project_id)
            return self._annotators[project_id]

    def _build_annotator(self, project_id: int | None) -> Annotator | None:
        from backend.llm.confidence import confident  # noqa: PLC0415 - pulls in the LLM SDKs
        from backend.llm.fallback import with_fallback  # noqa: PLC0415 - as above

        return confident(
            self.settings.llm,
            lambda llm, repetition: with_fallback(
                llm,
                project_id=project_id,
                ledger=self.ledger(),
                cache=SqlAnswerCache(self.database),
                gates=self.gates,
                accepted=None if project_id is None else self._showable(project_id),
                repetition=repetition,
            ),
        )

    def _showable(self, project_id: int) -> Accepted:
        """A project's accepted labels, as far as its LLM may see them."""
        from backend.llm.demonstrations import showable  # noqa: PLC0415 - as above

        records = SqlTaskRecords(self.database, project_id)
        share = self.settings.learning.held_out_share
        return lambda scheme: showable(records.labelled(), scheme, share)

    @cached_property
    def gates(self) -> Gates:
        """The ways to the LLM providers, which all threads of the process share."""
        from backend.llm.gate import Gates  # noqa: PLC0415 - pulls in what calls are made of

        llm = self.settings.llm
        return Gates(llm.requests_per_minute, llm.tokens_per_minute)

    def ledger(self, account: str | None = None) -> SqlLedger:
        """The ledger under the configured budgets; ``account`` pays for calls of no project."""
        llm = self.settings.llm
        return SqlLedger(
            self.database,
            dollars(llm.budget_usd),
            per_day_usd=None if llm.budget_usd_per_day is None else dollars(llm.budget_usd_per_day),
            per_run_usd=None if llm.budget_usd_per_run is None else dollars(llm.budget_usd_per_run),
            account=account,
        )

    def shelf(self, project_id: int) -> ModelShelf:
        """The model versions of a project; one object per process, which caches the loaded one."""
        with self._lock:
            if project_id not in self._shelves:
                folder = self.settings.model_dir / f"project-{project_id}"
                self._shelves[project_id] = ModelShelf(folder, self.families)
            return self._shelves[project_id]

    def inbox(self, project_id: int) -> Inbox:
        """The durable inbox of a project."""
        return Inbox(self.database, project_id)

    def project(self, external_id: str) -> Project | None:
        """The Label Studio project with this id, if it is known."""
        return self.projects.find(LABEL_STUDIO, external_id)

    def refreshed(self, project: Project) -> Project:
        """A project with its title and labelling config as its tool has them now."""
        if project.tool == LABEL_STUDIO:
            raw = self.label_studio.project(int(project.external_id))
            config, title = raw["label_config"], raw.get("title", "")
        else:
            config, title = kind_of(project, self.tool_kinds).describe(project.external_id)
        return self.projects.register(project.tool, project.external_id, config, title)

    def link_of(self, project: Project) -> str | None:
        """Where annotators begin, for tools that have to be told; ``None`` for the others."""
        kind = self.tool_kinds.get(project.tool)
        return kind.link(project) if kind else None

    def push_command(self, project: Project) -> str:
        """What a person runs to have suggestions sent to the project's tool anew."""
        if project.tool == LABEL_STUDIO:
            return f"harambee label-studio connect --project {project.external_id}"
        return kind_of(project, self.tool_kinds).push_command

    def version_of(self, project: Project) -> str:
        """The version string of what is suggested in the project now."""
        records = SqlSuggestionRecords(self.database, project.id)
        return records.serving_version() or FIRST_VERSION
