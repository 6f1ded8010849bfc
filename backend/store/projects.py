"""The projects that this backend serves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, select

from backend.store.database import Database
from backend.store.schema import ProjectRow


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a labelling tool, as the store knows it.

    ``id`` is the store's own number, ``external_id`` the tool's. ``webhook_secret`` is what the
    tool's webhooks have to carry. ``connected_at`` is ``None`` until the tool was set up for it.
    """

    id: int
    tool: str
    external_id: str
    name: str
    label_config: str
    webhook_secret: str
    connected_at: datetime | None


class Projects:
    """All projects in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, tool: str, external_id: str, label_config: str, name: str = "") -> Project:
        """The project, made if it is new, with the newest label config."""
        with self._database.write() as session:
            row = session.scalars(_find(tool, external_id)).one_or_none()
            if row is None:
                row = ProjectRow(
                    tool=tool,
                    external_id=external_id,
                    name=name,
                    label_config=label_config,
                    webhook_secret=secrets.token_urlsafe(24),
                    created_at=datetime.now(UTC),
                )
                session.add(row)
                session.flush()
            row.label_config = label_config
            row.name = name or row.name
            return _project(row)

    def find(self, tool: str, external_id: str) -> Project | None:
        """The project with the tool's own id, if it is known."""
        with self._database.read() as session:
            row = session.scalars(_find(tool, external_id)).one_or_none()
            return _project(row) if row else None

    def get(self, project_id: int) -> Project:
        """The project with the store's number."""
        with self._database.read() as session:
            return _project(session.get_one(ProjectRow, project_id))

    def all(self) -> list[Project]:
        """Every project, oldest first."""
        with self._database.read() as session:
            return [_project(row) for row in session.scalars(select(ProjectRow).order_by("id"))]

    def mark_connected(self, project_id: int, webhook_secret: str | None = None) -> None:
        """The tool has been set up for this project; some tools make up the secret themselves."""
        with self._database.write() as session:
            row = session.get_one(ProjectRow, project_id)
            row.connected_at = datetime.now(UTC)
            row.webhook_secret = webhook_secret or row.webhook_secret


def _find(tool: str, external_id: str) -> Select[ProjectRow]:
    return select(ProjectRow).where(ProjectRow.tool == tool, ProjectRow.external_id == external_id)


def _project(row: ProjectRow) -> Project:
    return Project(
        id=row.id,
        tool=row.tool,
        external_id=row.external_id,
        name=row.name,
        label_config=row.label_config,
        webhook_secret=row.webhook_secret,
        connected_at=row.connected_at,
    )
