"""What somebody gets who installs harambee."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points, requires
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from typer.testing import CliRunner

import backend
from backend.cli import app
from backend.errors import MissingExtraError
from backend.settings import Settings
from backend.tool_kinds import installed_tools

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend", "argilla_pipeline")
HEAVY = {"torch", "transformers"}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def applies(requirement: Requirement, extras: set[str]) -> bool:
    """Whether a requirement is one on this machine, for somebody who asked for the extras."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""})


def everything_below(requirements: list[str]) -> set[str]:
    """Names of all distributions that these bring along."""
    waiting, found = [Requirement(each) for each in requirements], set()
    while waiting:
        requirement = waiting.pop()
        known = (normal(requirement.name), frozenset(requirement.extras))
        if known not in found:
            found.add(known)
            below = map(Requirement, requires(requirement.name) or [])
            waiting += [each for each in below if applies(each, requirement.extras)]
    return {name for name, _ in found}


@pytest.fixture(scope="module")
def wheel_contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel made from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder))
    with ZipFile(path) as wheel:
        return set(wheel.namelist())


class TestDependencies:
    def test_the_base_install_brings_no_torch(self) -> None:
        assert everything_below(project()["dependencies"]) & HEAVY == set()

    def test_the_tagger_extra_brings_it(self) -> None:
        assert everything_below(project()["optional-dependencies"]["tagger"]) >= HEAVY

    def test_each_extra_that_an_error_may_name_exists(self) -> None:
        named = {
            extra
            for path in (ROOT / "backend").rglob("*.py")
            for extra in re.findall(r'MissingExtraError\([^)]*"(\w+)"\)', path.read_text("utf-8"))
        }

        assert named <= project()["optional-dependencies"].keys()
        assert "pip install 'harambee[tagger]'" in str(MissingExtraError("Training", "tagger"))


class TestWheel:
    def test_it_holds_every_file_of_both_packages(self, wheel_contents: set[str]) -> None:
        shipped = {
            path.relative_to(ROOT).as_posix()
            for package in PACKAGES
            for path in (ROOT / package).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

        assert {name for name in wheel_contents if ".dist-info/" not in name} == shipped

    @pytest.mark.parametrize(
        "pattern",
        [
            r"backend/llm/prompts/.+\.jinja",
            r"backend/samples/.+\.jsonl",
            r"backend/web/templates/.+\.html",
            r"backend/store/migrations/versions/\d+_.+\.py",
            r"harambee-.+\.dist-info/licenses/LICENSE",
        ],
    )
    def test_it_holds_what_is_not_imported(self, wheel_contents: set[str], pattern: str) -> None:
        assert any(re.fullmatch(pattern, name) for name in wheel_contents)


class TestCommand:
    def test_it_is_installed(self) -> None:
        (script,) = entry_points(group="console_scripts", name="harambee")

        assert script.load() is app

    def test_so_is_the_one_for_argilla_which_is_found_as_a_tool(self) -> None:
        points = project()["entry-points"]["harambee.tools"]

        assert project()["scripts"]["harambee-argilla"] == "argilla_pipeline.cli:app"
        assert {name: kind.name for name, kind in installed_tools(Settings()).items()} == {
            name: name for name in points
        }

    def test_it_says_the_version(self) -> None:
        result = CliRunner().invoke(app, ["--version"])

        assert result.output == f"harambee {backend.__version__}\n"

    def test_the_version_is_one_that_indexes_accept(self) -> None:
        assert re.fullmatch(r"\d+\.\d+\.\d+([ab]|rc)?\d*", backend.__version__)
