"""``docker/compose.argilla.yaml`` against the code: no engine runs here, so it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_docker import is_read_by_harambee

from argilla_pipeline.testing.argilla_server import ArgillaServer

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker" / "compose.argilla.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][name]
    return found


@pytest.mark.parametrize("name", ["web", "worker"])
def test_harambee_is_given_only_variables_that_it_reads(name: str) -> None:
    assert [key for key in service(name)["environment"] if not is_read_by_harambee(key)] == []


def test_web_and_worker_share_image_settings_and_data() -> None:
    web, worker = service("web"), service("worker")
    assert all(web[key] == worker[key] for key in ("image", "build", "environment", "volumes"))
    assert worker["command"] == ["harambee", "worker"]


def test_argilla_is_the_tested_version() -> None:
    constraints = (ROOT / "config" / "argilla-constraints.txt").read_text("utf-8")
    (tested,) = re.findall(r"^argilla-server==(.+)$", constraints, flags=re.MULTILINE)
    assert service("argilla")["image"] == f"argilla/argilla-server:v{tested}"
    assert service("argilla-worker")["image"] == service("argilla")["image"]


def test_argilla_is_told_what_the_tests_tell_it(tmp_path: Path) -> None:
    tested = ArgillaServer(tmp_path, tmp_path)._environment()
    given = service("argilla")["environment"]
    of_the_process = {"PATH", "HOME", "LANG", "HF_HUB_OFFLINE"}
    first_user = {"USERNAME", "PASSWORD", "API_KEY", "WORKSPACE"}
    assert given.keys() - first_user == tested.keys() - of_the_process


def test_the_environment_is_pinned_completely() -> None:
    lines = (ROOT / "config" / "argilla-constraints.txt").read_text("utf-8").split()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+]+", line)] == []


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for each in COMPOSE["services"].values() for port in each.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_variable_it_needs_is_in_the_example() -> None:
    example = (ROOT / "docker" / ".env.argilla.example").read_text(encoding="utf-8")
    needed = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert needed <= set(re.findall(r"^(\w+)=", example, flags=re.MULTILINE))


def test_each_starts_when_what_it_needs_is_healthy() -> None:
    for each in COMPOSE["services"].values():
        for name, condition in each.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in service(name) or name == "web"


def test_argilla_reaches_harambee_by_its_service() -> None:
    environment = service("web")["environment"]
    assert environment["HARAMBEE_SERVER__PUBLIC_URL"] == "http://web:9090"
    assert environment["ARGILLA_API_URL"] == "http://argilla:6900"
