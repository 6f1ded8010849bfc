"""What commands about one project have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.errors import InputError
from backend.services import LABEL_STUDIO, Services
from backend.store.projects import Project

PROJECT_HELP = "Label Studio's project id; for other tools the number that harambee status shows."
ProjectOption = Annotated[int, typer.Option("--project", help=PROJECT_HELP)]


def known_project(services: Services, number: int) -> Project:
    """The project with Label Studio's id, else another tool's with our own number.

    A clear error if it was never connected.
    """
    elsewhere = (item for item in services.projects.all() if item.tool != LABEL_STUDIO)
    project = services.project(str(number)) or next(
        (item for item in elsewhere if item.id == number), None
    )
    if project is None:
        raise InputError(
            f"Project {number} is not connected. Run: harambee label-studio connect "
            f"--project {number}, or harambee-argilla setup"
        )
    return project
