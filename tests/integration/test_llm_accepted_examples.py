"""Accepted labels as examples for the LLM, in a project as the loop has it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend import loop
from backend.domain import Annotation, Span, Task
from backend.errors import ConfigurationError
from backend.quality.holdout import is_held_out
from backend.services import LABEL_STUDIO, Services
from backend.settings import LlmSettings, Settings, StoreSettings
from backend.testing.scripted_llm import ScriptedLlm
from backend.text.spans import Mention

LABEL_CONFIG = (
    '<View><Labels name="label" toName="text"><Label value="PER"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
LABELLED = [f"Obi{number} planted yam" for number in range(40)]
OPEN = [f"Ada{number} sold yam" for number in range(6)]


@pytest.fixture
def server() -> Iterator[ScriptedLlm]:
    with ScriptedLlm(lambda text: [Mention(text.split()[0], "PER", 1, 0.9)]) as server:
        yield server


def settings(server: ScriptedLlm, folder: Path, **llm: object) -> Settings:
    provider = {"openai_api_key": server.api_key, "openai_base_url": server.openai_url}
    return Settings(
        store=StoreSettings(data_dir=folder), llm=LlmSettings.model_validate(provider | llm)
    )


def annotate(server: ScriptedLlm, folder: Path, **llm: object) -> list[str]:
    """The prompts that a project with labels sends for its open tasks."""
    services = Services(settings(server, folder, **llm))
    project = services.projects.register(LABEL_STUDIO, "1", LABEL_CONFIG)
    work = services.workspace(project)
    texts = [*LABELLED, *OPEN]
    work.tasks.replace_tasks([Task(str(number), text) for number, text in enumerate(texts)])
    now = datetime.now(UTC)
    work.tasks.replace_annotations(
        [
            Annotation(str(n), str(n), (Span(0, len(text.split()[0]), "PER"),), "ann", now)
            for n, text in enumerate(LABELLED)
        ],
        now + timedelta(seconds=1),
        None,
    )
    counted = loop.annotate_tasks(work, work.tasks.pool())
    assert counted.outcomes.total() == len(OPEN)
    services.database.close()
    return [call.prompt for call in server.calls]


def shown(prompts: list[str]) -> set[str]:
    return {text for text in LABELLED for prompt in prompts if f"\n{text}\n" in prompt}


def test_by_default_no_labels_leave_the_house(server, tmp_path):
    assert shown(annotate(server, tmp_path)) == set()


@pytest.mark.parametrize(("choice", "calls"), [("static", 1), ("nearest", len(OPEN))])
def test_accepted_labels_are_shown_except_held_out_ones(server, tmp_path, choice, calls):
    prompts = annotate(server, tmp_path, demonstrations=choice, demonstration_count=40)
    share = Settings().learning.held_out_share
    assert len(prompts) == calls
    assert shown(prompts) == {text for text in LABELLED if not is_held_out(text, share)}


def test_as_many_are_shown_as_the_settings_say(server, tmp_path):
    prompts = annotate(server, tmp_path, demonstrations="static", demonstration_count=3)
    assert len(shown(prompts)) == 3


def test_a_prompt_without_a_place_for_examples_is_refused_at_the_start(server, tmp_path):
    chosen = settings(server, tmp_path, demonstrations="static", prompt="entities-v1")
    services = Services(chosen)
    with pytest.raises(ConfigurationError, match=r"llm\.demonstrations"):
        services.check()
    services.database.close()
