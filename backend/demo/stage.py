"""What the demo needs: Label Studio, harambee's two processes, a project with the sample."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from backend.demo.annotators import PlayedAnnotator
from backend.demo.processes import running, wait_for_health
from backend.demo.story import Stage, tell
from backend.domain import Example
from backend.errors import ConfigurationError, ToolError
from backend.label_studio.labels import parse_label_config
from backend.label_studio.tool import find_backend
from backend.operations import Operations
from backend.samples import LABELS, sample_texts
from backend.services import Services
from backend.settings import Settings, load_settings
from backend.store.projects import Project
from backend.testing.imperfect import gold_with_errors
from backend.testing.label_studio_server import LabelStudioServer
from backend.testing.scripted_llm import ScriptedLlm
from backend.testing.server_process import free_port

FOLDER = Path(".demo")
LABEL_STUDIO_ENVIRONMENT = Path(".venvs/label-studio")
LABEL_CONFIG = Path("config/label_schemes/ner.xml")
TITLE = "harambee demo"
SCRIPTED = (
    "No OPENAI_API_KEY or ANTHROPIC_API_KEY is set, so the LLM is a SCRIPTED stand-in on this "
    "machine: it answers over real HTTP from the sample's gold labels, with errors mixed in. "
    "Nothing is billed; its spend is what the same tokens would cost."
)
AUTOMATIC_LEARNING_OFF = 1_000_000


def run_demo(settings: Settings, console: Console, *, once: bool, ports: tuple[int, int]) -> None:
    """Run the demo in Label Studio."""
    tell(lambda stack: set_stage(stack, settings, console, ports), console, once=once)


def set_stage(
    stack: ExitStack, settings: Settings, console: Console, ports: tuple[int, int]
) -> Stage:
    """Start everything; what was started ends with the stack."""
    if not LABEL_CONFIG.exists():
        raise ConfigurationError("Run the demo in harambee's source folder, with 'make demo'.")
    examples = sample_texts()
    console.print("Starting Label Studio (half a minute the first time) ...")
    port, label_studio_port = ports
    server = stack.enter_context(
        LabelStudioServer(LABEL_STUDIO_ENVIRONMENT, FOLDER / "label-studio", port=label_studio_port)
    )
    llm = scripted_llm(stack, settings, console, [example for _, example in examples])
    tool = {"label_studio": {"url": server.url, "api_key": server.login.token}}
    operations = start_harambee(stack, port, tool | {"llm": llm})
    project_id, gold = _import_sample(operations.services, examples)
    console.print(f"Connecting project {project_id}: the LLM pre-annotates {len(gold)} sentences.")
    project = operations.connect(str(project_id)).project
    config = parse_label_config(project.label_config)
    client = operations.services.label_studio
    return Stage(
        operations,
        project,
        PlayedAnnotator(client, project_id, config, gold),
        gold,
        start_training=lambda: press_start_training(operations, project),
        addresses=f"Label Studio: {server.url}/projects/{project_id}/data\n"
        f"  log in as {server.login.email} with the password {server.login.password}\n"
        f"harambee:     {operations.services.settings.public_url}/",
    )


def press_start_training(operations: Operations, project: Project) -> None:
    """Do what the button in Label Studio does."""
    client = operations.services.label_studio
    backends = client.ml_backends(int(project.external_id))
    backend = find_backend(backends, operations.services.settings.public_url)
    if backend is None:
        raise ToolError("Label Studio no longer knows this backend.")
    client.start_training(backend["id"])


def scripted_llm(
    stack: ExitStack, settings: Settings, console: Console, examples: Sequence[Example]
) -> dict[str, Any]:
    """Settings for the LLM: none where a real key is set, else those of a scripted server."""
    if settings.llm.openai_api_key or settings.llm.anthropic_api_key:
        console.print("A real LLM annotates, as your API key allows; the budget is the settings'.")
        return {}
    console.print(f"[yellow]{SCRIPTED}[/]")
    brain = gold_with_errors(examples, LABELS, rng_seed=0)
    server = stack.enter_context(ScriptedLlm(brain))
    return {
        "provider": "openai",
        "openai_api_key": server.api_key,
        "openai_base_url": server.openai_url,
    }


def start_harambee(stack: ExitStack, port: int, sections: dict[str, Any]) -> Operations:
    """Start harambee's two processes from nothing, with these settings on top of the demo's.

    Earlier demos' state would mix with this one's.
    """
    data_dir = FOLDER / "harambee"
    shutil.rmtree(data_dir, ignore_errors=True)
    content = {
        "server": {"port": port or free_port()},
        "store": {"data_dir": str(data_dir)},
        "learning": {"after_labels": AUTOMATIC_LEARNING_OFF},
        **sections,
    }
    config_file = FOLDER / "harambee.yaml"
    config_file.parent.mkdir(parents=True, exist_ok=True)
    config_file.write_text(yaml.safe_dump(content), encoding="utf-8")
    operations = Operations(Services(load_settings(config_file)))
    web_log = FOLDER / "serve.log"
    web = stack.enter_context(running("serve", config_file, web_log))
    wait_for_health(operations.services.settings.public_url, web, web_log)
    stack.enter_context(running("worker", config_file, FOLDER / "worker.log"))
    return operations


def _import_sample(
    services: Services, examples: Sequence[tuple[str, Example]]
) -> tuple[int, dict[int, Example]]:
    """Make a project of the sample in place of earlier demos'; returns its id and the gold."""
    client = services.label_studio
    for earlier in list(client.projects()):
        if earlier["title"] == TITLE:
            client.delete_project(earlier["id"])
    project = client.create_project(TITLE, LABEL_CONFIG.read_text(encoding="utf-8"))
    data = [{"text": example.text, "language": language} for language, example in examples]
    ids = client.import_tasks(project["id"], data)
    return project["id"], {
        task_id: example for task_id, (_, example) in zip(ids, examples, strict=True)
    }
