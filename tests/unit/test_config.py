"""The files under ``config/`` say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from defusedxml import ElementTree

from backend.settings import ECOSYSTEM_NAMES, Settings, load_settings

CONFIG = Path(__file__).parents[2] / "config"
DEFAULTS = CONFIG / "default.yaml"


def settings_of(content: dict[str, Any]) -> set[str]:
    """Every setting's dotted name."""
    return {f"{section}.{name}" for section, values in content.items() for name in values}


def written() -> dict[str, Any]:
    return yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))


def test_the_file_names_every_setting_and_no_other() -> None:
    assert settings_of(written()) == settings_of(Settings().model_dump())


def test_the_file_changes_no_default() -> None:
    assert load_settings(DEFAULTS) == Settings()


@pytest.mark.parametrize("section", Settings.model_fields)
def test_each_value_is_written_as_the_code_holds_it(section: str) -> None:
    """``load_settings`` would forgive ``port: "9090"``; a reader of the file should not have to."""
    defaults = Settings().model_dump(mode="json")[section]

    assert written()[section] == defaults
    assert {name: type(value) for name, value in written()[section].items()} == {
        name: type(value) for name, value in defaults.items()
    }


def test_the_file_holds_no_secret() -> None:
    secrets = {name for name in settings_of(written()) if re.search("api_key|pass$", name)}

    assert secrets == {
        "server.basic_auth_pass",
        "label_studio.api_key",
        "argilla.api_key",
        "llm.openai_api_key",
        "llm.anthropic_api_key",
    }
    assert all(written()[s][n] is None for s, n in (name.split(".") for name in secrets))


def test_each_setting_or_its_group_is_explained() -> None:
    """A comment stands above each setting, or above the group of lines it belongs to."""
    lines = DEFAULTS.read_text(encoding="utf-8").splitlines()
    first_of_section = [i + 1 for i, line in enumerate(lines) if re.match(r"\w+:", line)]

    unexplained = [lines[i] for i in first_of_section if not lines[i].lstrip().startswith("#")]

    assert unexplained == []


@pytest.mark.parametrize("name", ECOSYSTEM_NAMES)
def test_each_ecosystem_name_is_mentioned(name: str) -> None:
    bracketed = re.findall(r"\[([A-Z_, ]+)\]", DEFAULTS.read_text(encoding="utf-8"))

    assert name in {each for group in bracketed for each in group.split(", ")}


def test_the_sample_scheme_describes_its_four_labels() -> None:
    scheme = ElementTree.parse(CONFIG / "label_schemes" / "ner.xml")
    labels = scheme.findall("./Labels/Label")

    assert [label.get("value") for label in labels] == ["PER", "ORG", "LOC", "DATE"]
    for attribute in ("hotkey", "background", "hint"):
        assert len({label.get(attribute) for label in labels} - {None}) == len(labels)


def test_the_sample_scheme_labels_the_text_of_a_task() -> None:
    scheme = ElementTree.parse(CONFIG / "label_schemes" / "ner.xml")

    assert scheme.find("./Labels").get("toName") == scheme.find("./Text").get("name")
    assert scheme.find("./Text").get("value") == "$text"


def test_folders_without_code_stay_without_code() -> None:
    """A module in ``config/`` or ``docker/`` would be importable under that common name."""
    root = CONFIG.parent

    assert [*CONFIG.rglob("*.py"), *(root / "docker").rglob("*.py")] == []
