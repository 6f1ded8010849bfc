"""A real Argilla for the whole test session, and datasets in it for single tests."""

from __future__ import annotations

import functools
import itertools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.convert import text_to_json
from argilla_pipeline.schema import field_to_json, missing_properties, question_to_json
from argilla_pipeline.testing.argilla_server import ArgillaServer, initialised_folder
from argilla_pipeline.tool import ArgillaTool
from backend.domain import LabelScheme

VENVS = Path(__file__).parents[1] / ".venvs"
ENVIRONMENT = VENVS / "argilla"
TEMPLATE = VENVS / "argilla-data"
WORKSPACE = "tests"
_numbers = itertools.count(1)


def start_argilla(config: pytest.Config, **variables: str) -> ArgillaServer:
    """A server of one's own, stopped at the end of the session."""
    folder = Path(tempfile.mkdtemp(prefix="harambee-argilla-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    initialised_folder(ENVIRONMENT, TEMPLATE, folder / "data")
    server = ArgillaServer(ENVIRONMENT, folder / "data", variables=variables)
    config.add_cleanup(server.stop)
    server.start()
    return server


@functools.cache
def argilla_server(config: pytest.Config) -> ArgillaServer:
    """The server that all tests share; each makes datasets of its own."""
    return start_argilla(config)


@functools.cache
def other_argilla_server(config: pytest.Config) -> ArgillaServer:
    """Another server, for tests that stop one or move to one; it takes 1,000 labels a question."""
    return start_argilla(config, ARGILLA_SPAN_OPTIONS_MAX_ITEMS="1000")


def workspace_of(client: ArgillaClient, name: str = WORKSPACE) -> str:
    """The id of a workspace, made if it is not there."""
    found = [item for item in client.workspaces() if item["name"] == name]
    return (found[0] if found else client.create_workspace(name))["id"]


class ArgillaDataset:
    """A new dataset with one record per text."""

    def __init__(
        self, server: ArgillaServer, texts: Sequence[str], labels: Sequence[str] = ("PER", "LOC")
    ) -> None:
        self.client = ArgillaClient(server.url, server.owner.api_key)
        self.name = f"dataset-{next(_numbers)}"
        self.id = self.client.create_dataset(
            name=self.name, workspace_id=workspace_of(self.client)
        )["id"]
        self.client.create_field(self.id, **field_to_json())
        self.client.create_question(self.id, **question_to_json(LabelScheme(tuple(labels))))
        for item in missing_properties([]):
            self.client.create_metadata_property(self.id, **item)
        self.client.publish(self.id)
        self.tool = ArgillaTool.open(self.client, self.id)
        self.records = self.add(texts)

    def add(self, texts: Sequence[str]) -> list[str]:
        """More records; returns their ids."""
        items = [text_to_json(text, {}, self.tool.schema) for text in texts]
        rows = [
            self.client.upsert(self.id, items[at : at + 500]) for at in range(0, len(items), 500)
        ]
        return [row["id"] for page in rows for row in page]
