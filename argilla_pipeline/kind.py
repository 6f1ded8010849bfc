"""Argilla as a kind of labelling tool, which the application finds by its entry point."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from argilla_pipeline import webhooks
from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.connection import client_for, schema_of
from argilla_pipeline.schema import Schema, sorted_link
from argilla_pipeline.tool import ArgillaTool
from backend.domain import LabelScheme
from backend.protocols import AnnotationTool
from backend.settings import Settings
from backend.store.projects import Project
from backend.tool_kinds import ToolEvent

ARGILLA = "argilla"


class ArgillaKind:
    """Implements :class:`~backend.tool_kinds.ToolKind`; a project's id is its dataset's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.argilla

    @property
    def name(self) -> str:
        """What the store says of its projects."""
        return ARGILLA

    @property
    def push_command(self) -> str:
        """For the dataset in the settings."""
        return "harambee-argilla push"

    @cached_property
    def client(self) -> ArgillaClient:
        """The configured Argilla."""
        return client_for(self._settings)

    def open(self, project: Project) -> tuple[LabelScheme, AnnotationTool]:
        """The labels of a dataset, and the dataset itself."""
        schema = Schema.from_text(project.label_config)
        return schema.scheme, self.tool(project)

    def tool(self, project: Project) -> ArgillaTool:
        """The dataset of a project."""
        schema = Schema.from_text(project.label_config)
        batch = self._settings.push_batch
        return ArgillaTool(self.client, project.external_id, schema, push_batch=batch)

    def describe(self, external_id: str) -> tuple[str, str]:
        """Where a dataset keeps texts and spans, and its name."""
        schema = schema_of(self.client, self._settings, external_id)
        return schema.to_text(), str(self.client.dataset(external_id)["name"])

    def link(self, project: Project) -> str:
        """The annotation page in order of uncertainty."""
        return sorted_link(self._settings.url.strip().rstrip("/"), project.external_id)

    def read_event(self, headers: Mapping[str, str], body: bytes) -> ToolEvent:
        """What a webhook says."""
        return webhooks.read_event(headers, body)

    def is_genuine(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Whether its signature is right and fresh."""
        return webhooks.is_genuine(headers, body, secret)
