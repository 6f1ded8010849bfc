"""Labelling tools beside Label Studio: what the application needs of one, and which there are.

A tool lives in a package of its own, which imports this one and never the other way round. It makes
itself known under the entry point group ``harambee.tools``, and then every command, the worker and
the web process serve its projects as they serve Label Studio's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from backend.domain import JobKind, LabelScheme
from backend.errors import ConfigurationError
from backend.protocols import AnnotationTool
from backend.settings import Settings
from backend.store.projects import Project

ENTRY_POINTS = "harambee.tools"


@dataclass(frozen=True, slots=True)
class ToolEvent:
    """What a signed webhook says has changed; only ids are taken from it.

    ``job`` is what is to be done about it, ``None`` for nothing. ``delivery`` names this sending
    and ``content`` what it is about, which is the same when it is sent again.
    """

    external_id: str
    action: str
    job: JobKind | None
    task_ids: tuple[str, ...]
    annotation_ids: tuple[str, ...]
    delivery: str
    content: str


class ToolKind(Protocol):
    """A kind of labelling tool, as it is configured here."""

    @property
    def name(self) -> str:
        """What ``Project.tool`` says of its projects."""

    @property
    def push_command(self) -> str:
        """What a person runs to have suggestions sent anew."""

    def open(self, project: Project) -> tuple[LabelScheme, AnnotationTool]:
        """The labels of a project, and the project itself as the loop sees it."""

    def describe(self, external_id: str) -> tuple[str, str]:
        """A project's labelling config and title, as the tool has them now."""

    def link(self, project: Project) -> str:
        """Where annotators of a project begin, least certain task first; the tool is not asked."""

    def read_event(self, headers: Mapping[str, str], body: bytes) -> ToolEvent:
        """What a webhook says, before it is known to be genuine.

        Raises :class:`~backend.errors.PayloadError` where it is not what the tool sends.
        """

    def is_genuine(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Whether the tool itself has sent a webhook, a short time ago."""


def installed_tools(settings: Settings) -> dict[str, ToolKind]:
    """Every kind of tool that is installed, by name."""
    kinds = [entry.load()(settings) for entry in entry_points(group=ENTRY_POINTS)]
    return {kind.name: kind for kind in kinds}


def kind_of(project: Project, kinds: Mapping[str, ToolKind]) -> ToolKind:
    """The kind of a project's tool; a clear error where it is not installed."""
    if project.tool not in kinds:
        raise ConfigurationError(
            f"Project {project.external_id} lives in {project.tool!r}, and this installation knows "
            f"no such tool. Install harambee anew: pip install 'harambee[{project.tool}]'."
        )
    return kinds[project.tool]
