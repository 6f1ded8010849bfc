"""Which project ``--project`` means."""

from __future__ import annotations

import pytest

from backend.commands.projects import known_project
from backend.errors import InputError
from backend.services import LABEL_STUDIO, Services
from backend.settings import load_settings

CONFIG = '<View><Labels name="l" toName="t"><Label value="PER"/></Labels></View>'


@pytest.fixture
def services(tmp_path):
    opened = Services(load_settings(store={"data_dir": str(tmp_path)}, llm={"provider": "none"}))
    opened.projects.register("argilla", "0b7f", "{}", "names")  # our number 1
    opened.projects.register(LABEL_STUDIO, "7", CONFIG)  # our number 2
    yield opened
    opened.database.close()


def test_label_studios_own_id_names_its_project(services):
    assert known_project(services, 7).tool == LABEL_STUDIO


def test_our_number_names_a_project_of_another_tool(services):
    assert known_project(services, 1).external_id == "0b7f"


def test_our_number_of_a_label_studio_project_names_nothing(services):
    with pytest.raises(InputError, match="not connected"):
        known_project(services, 2)
