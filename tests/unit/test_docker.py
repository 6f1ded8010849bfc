"""``docker/`` against the code: no engine runs here, so what can be read is checked."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.settings import ECOSYSTEM_NAMES, Settings
from backend.testing.label_studio_server import LabelStudioServer

ROOT = Path(__file__).parents[2]
HEALTH = "http://127.0.0.1:9090/health"


def dockerfile() -> list[tuple[str, str]]:
    """Instruction and arguments, in order; comments left out, continued lines joined."""
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^\s*#.*\n|\\\n", "", text, flags=re.MULTILINE).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]  # type: ignore[misc]


def final_stage() -> dict[str, list[str]]:
    """Arguments of each kind of instruction in the stage that becomes the image."""
    stage: dict[str, list[str]] = {}
    for instruction, arguments in dockerfile():
        if instruction == "FROM":
            stage = defaultdict(list)
        stage[instruction].append(arguments)
    return stage


def environment_of_the_image() -> dict[str, str]:
    words = [word for line in final_stage()["ENV"] for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))


def service(name: str) -> dict[str, Any]:
    return compose()["services"][name]


def is_read_by_harambee(name: str) -> bool:
    """Whether the settings know the variable."""
    match = re.fullmatch(r"HARAMBEE_([A-Z_]+?)__([A-Z_]+)", name)
    if match is None:
        return name in ECOSYSTEM_NAMES
    section, key = match[1].lower(), match[2].lower()
    return key in Settings().model_dump().get(section, {})


class TestDockerfile:
    def test_the_build_stage_stays_out_of_the_image(self) -> None:
        bases = [arguments for instruction, arguments in dockerfile() if instruction == "FROM"]

        assert bases == ["python:3.11-slim AS build", "python:3.11-slim"]
        assert all(copy.startswith("--from=build ") for copy in final_stage()["COPY"])

    def test_it_does_not_run_as_root(self) -> None:
        assert final_stage()["USER"] == ["1000"]
        assert any("useradd --uid 1000 " in line for line in final_stage()["RUN"])

    def test_its_data_folder_is_a_volume_that_the_user_owns(self) -> None:
        kinds = [instruction for instruction, _ in dockerfile()]

        assert final_stage()["VOLUME"] == ["/data"]
        assert "--owner=harambee" in final_stage()["RUN"][0]
        assert kinds.index("VOLUME") > kinds.index("USER")

    def test_state_goes_into_the_volume(self) -> None:
        assert environment_of_the_image()["HARAMBEE_STORE__DATA_DIR"] == "/data"

    def test_it_listens_where_it_says(self) -> None:
        environment = environment_of_the_image()

        assert final_stage()["EXPOSE"] == [environment["PORT"]] == ["9090"]
        assert environment["HOST"] == "0.0.0.0"

    def test_its_health_is_asked_for(self) -> None:
        (check,) = final_stage()["HEALTHCHECK"]

        assert HEALTH in json.loads(check.partition("CMD ")[2])[-1]

    def test_it_serves_by_the_command_that_harambee_has(self) -> None:
        assert json.loads(final_stage()["CMD"][0]) == ["harambee", "serve"]

    def test_it_sets_only_variables_that_are_read(self) -> None:
        names = set(environment_of_the_image()) - {"PATH", "PYTHONUNBUFFERED"}

        assert [name for name in names if not is_read_by_harambee(name)] == []

    def test_the_builder_is_sent_what_is_copied(self) -> None:
        ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
        copied = [
            name
            for instruction, arguments in dockerfile()
            if instruction == "COPY" and not arguments.startswith("--from")
            for name in arguments.split()[:-1]
        ]

        assert "*" in ignored
        assert all(f"!{name}" in ignored and (ROOT / name).exists() for name in copied)


class TestCompose:
    @pytest.mark.parametrize("name", ["web", "worker"])
    def test_harambee_is_given_only_variables_that_it_reads(self, name: str) -> None:
        names = service(name)["environment"]

        assert [name for name in names if not is_read_by_harambee(name)] == []

    def test_web_and_worker_share_image_settings_and_data(self) -> None:
        web, worker = service("web"), service("worker")

        assert all(web[key] == worker[key] for key in ("image", "build", "environment", "volumes"))
        assert web["volumes"] == ["data:/data"]
        assert "data" in compose()["volumes"]

    def test_the_worker_runs_the_command_that_harambee_has(self) -> None:
        assert service("worker")["command"] == ["harambee", "worker"]

    def test_no_secret_is_written_down(self) -> None:
        text = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
        values = re.findall(r"\w*(?:KEY|PASS|PASSWORD|TOKEN): (.*)", text)

        assert [value for value in values if not value.startswith(("${", '"true"'))] == []

    def test_a_password_is_asked_for(self) -> None:
        for name in ("BASIC_AUTH_USER", "BASIC_AUTH_PASS", "LABEL_STUDIO_API_KEY"):
            assert service("web")["environment"][name].startswith(f"${{{name}:?")

    def test_every_variable_it_needs_is_in_the_example(self) -> None:
        text = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
        example = (ROOT / "docker" / ".env.example").read_text(encoding="utf-8")
        needed = set(re.findall(r"\$\{(\w+):\?", text))

        assert needed <= set(re.findall(r"^(\w+)=", example, flags=re.MULTILINE))

    def test_nothing_is_published_beyond_this_machine(self) -> None:
        ports = [port for each in compose()["services"].values() for port in each.get("ports", [])]

        assert ports
        assert all(port.startswith("127.0.0.1:") for port in ports)

    def test_each_starts_when_what_it_needs_is_healthy(self) -> None:
        waits = {name: each.get("depends_on", {}) for name, each in compose()["services"].items()}

        assert waits == {
            "label-studio": {},
            "web": {"label-studio": {"condition": "service_healthy"}},
            "worker": {"web": {"condition": "service_healthy"}},
        }

    def test_label_studio_finds_harambee_by_its_service(self) -> None:
        environment = service("web")["environment"]

        assert environment["HARAMBEE_SERVER__PUBLIC_URL"] == "http://web:9090"
        assert environment["LABEL_STUDIO_URL"] == "http://label-studio:8080"


class TestLabelStudio:
    """The container is what the demo and the tests run, so that what is tested is what is used."""

    def test_it_is_the_tested_version(self) -> None:
        constraints = (ROOT / "config" / "label-studio-constraints.txt").read_text("utf-8")
        (tested,) = re.findall(r"^label-studio==(.+)$", constraints, flags=re.MULTILINE)

        assert service("label-studio")["image"] == f"heartexlabs/label-studio:{tested}"

    def test_it_has_the_tested_switches(self, tmp_path: Path) -> None:
        tested = LabelStudioServer(tmp_path, tmp_path)._environment()
        given = service("label-studio")["environment"]
        personal = {"LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD", "LABEL_STUDIO_USER_TOKEN"}
        of_the_process = {"PATH", "HOME", "LANG", "LABEL_STUDIO_BASE_DATA_DIR"}

        assert given.keys() == tested.keys() - of_the_process
        assert {name: given[name] for name in given.keys() - personal} == {
            name: tested[name] for name in given.keys() - personal
        }

    def test_its_two_walls_against_private_addresses_are_down(self) -> None:
        environment = service("label-studio")["environment"]

        assert environment["ML_BLOCK_LOCAL_IP"] == "false"
        assert environment["SSRF_PROTECTION_ENABLED"] == "false"

    def test_the_environment_is_pinned_completely(self) -> None:
        lines = (ROOT / "config" / "label-studio-constraints.txt").read_text("utf-8").split()

        assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+]+", line)] == []
