"""``harambee label-studio connect`` as a team runs it: on a thousand tasks, and when it cannot."""

import os
from itertools import islice
from pathlib import Path

import pytest
from harambee_processes import (
    LABEL_CONFIG,
    Harambee,
    current_predictions,
    numbered_sample,
    predictions,
    scripted,
    wait_until,
)

from backend.domain import Example
from backend.samples import LABELS
from backend.testing.imperfect import gold_with_errors
from backend.testing.scripted_llm import ScriptedLlm
from backend.testing.server_process import free_port
from backend.text.conll import read_conll, to_text

pytestmark = pytest.mark.e2e

TASKS, LATER = 1000, 5


def masakhaner(folder):
    for number, sentence in enumerate(read_conll(folder / "masakhaner2/zul/train.txt.gz")):
        text, spans = to_text(sentence)
        yield Example(str(number), text, spans)


@pytest.fixture(scope="module")
def corpus():
    """A thousand and a few texts: isiZulu news where the data is, else made from the sample."""
    data = os.environ.get("HARAMBEE_DATA")
    if data:
        return list(islice(masakhaner(Path(data)), TASKS + LATER))
    return numbered_sample(TASKS + LATER)


@pytest.fixture(scope="module")
def harambee(label_studio, corpus, tmp_path_factory):
    with (
        ScriptedLlm(gold_with_errors(corpus, LABELS, rng_seed=0)) as llm,
        Harambee(tmp_path_factory.mktemp("connect"), label_studio, llm=scripted(llm)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def project(client, corpus):
    number = client.create_project("a thousand tasks", LABEL_CONFIG)["id"]
    client.import_tasks(number, [{"text": example.text} for example in corpus[:TASKS]])
    return number


@pytest.fixture(scope="module")
def connected(harambee, project):
    """The project after the command, and what the command said."""
    return project, harambee.command("label-studio", "connect", "--project", str(project))


def test_every_task_carries_a_prediction_of_the_current_version(client, connected):
    project, said = connected
    assert (said.returncode, said.stderr) == (0, "")
    assert len(current_predictions(client, project)) == TASKS


def test_the_command_says_what_it_did(harambee, connected):
    project, said = connected
    assert f"{TASKS} suggestions pushed as {harambee.version(project)}" in plain(said.stdout)


def test_the_least_certain_task_is_served_first(client, connected):
    project, _ = connected
    current = current_predictions(client, project)
    lowest = min(current, key=lambda task: (current[task]["score"], task))
    assert client.next_task(project)["id"] == lowest


def test_connecting_again_changes_nothing(client, harambee, connected):
    project, _ = connected
    before = predictions(client, project), set_up_of(client, project)
    said = harambee.command("label-studio", "connect", "--project", str(project))
    assert f"0 suggestions pushed as {harambee.version(project)}" in plain(said.stdout)
    assert (predictions(client, project), set_up_of(client, project)) == before


def test_tasks_that_are_imported_later_get_the_same_version(client, harambee, connected, corpus):
    project, _ = connected
    version = harambee.version(project)
    new = client.import_tasks(project, [{"text": example.text} for example in corpus[TASKS:]])
    wait_until(
        lambda: set(new) <= set(current_predictions(client, project)), "the new tasks' suggestions"
    )
    assert client.project(project)["model_version"] == version
    assert client.version_counts(project) == {version: TASKS + LATER}


@pytest.fixture
def set_up(label_studio, tmp_path):
    """An installation that is not running, with some of its settings changed."""

    def make(server=label_studio, **sections):
        return Harambee(tmp_path / "harambee", server, **sections)

    return make


def test_a_label_studio_that_is_down_is_named(set_up):
    address = f"http://127.0.0.1:{free_port()}"
    refused = set_up(label_studio={"url": address})
    error = error_of(refused, "label-studio", "connect", "--project", "1")
    assert error.startswith(f"Error: Label Studio at {address} cannot be reached")


def test_a_wrong_token_is_explained(set_up):
    refused = set_up(label_studio={"api_key": "0" * 40})
    error = error_of(refused, "label-studio", "connect", "--project", "1")
    assert error.startswith("Error: Label Studio does not accept the API key")
    assert "LABEL_STUDIO_API_KEY" in error
    assert "0" * 40 not in error


def test_a_project_that_does_not_exist_is_explained(set_up):
    error = error_of(set_up(), "label-studio", "connect", "--project", "987654")
    assert "Check the project's number" in error


def test_a_web_process_that_does_not_run_is_explained(set_up, make_project):
    number, _ = make_project(["Wangari lives in Nairobi ."])
    error = error_of(set_up(), "label-studio", "connect", "--project", str(number))
    assert "harambee serve" in error


def test_a_label_studio_that_refuses_private_addresses_is_explained(
    set_up, start_label_studio, tmp_path
):
    strict = start_label_studio(ML_BLOCK_LOCAL_IP="true", SSRF_PROTECTION_ENABLED="true")
    refused = set_up(strict)
    number = refused.services.label_studio.create_project("strict", LABEL_CONFIG)["id"]
    error = error_of(refused, "label-studio", "connect", "--project", str(number))
    assert "ML_BLOCK_LOCAL_IP=false" in error
    assert "SSRF_PROTECTION_ENABLED=false" in error


def error_of(harambee, *arguments):
    """The one sentence or two that a failing command shows, without a traceback."""
    said = harambee.command(*arguments)
    assert said.returncode == 1
    assert "Traceback" not in said.stdout + said.stderr
    return plain(said.stderr)


def plain(output):
    """Output as one line, however a terminal would have broken it."""
    return " ".join(output.split())


def set_up_of(client, project):
    """What connecting sets up in Label Studio, without the times at which it was looked at."""
    backends = [(item["id"], item["title"], item["url"]) for item in client.ml_backends(project)]
    hooks = [(item["id"], item["headers"]) for item in client.webhooks(project)]
    views = [item["id"] for item in client.views(project)]
    return backends, hooks, views, client.project(project)["model_version"]
