"""What commands about one project have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.errors import InputError
from backend.services import Services
from backend.store.projects import Project

ProjectOption = Annotated[int, typer.Option("--project", help="Label Studio's project id.")]


def known_project(services: Services, number: int) -> Project:
    """The project with Label Studio's id; a clear error if it was never connected."""
    project = services.project(str(number))
    if project is None:
        raise InputError(
            f"Project {number} is not connected. Run: harambee label-studio connect "
            f"--project {number}"
        )
    return project
