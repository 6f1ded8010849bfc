"""The demo in Argilla: the same story as in Label Studio, on a real server of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.convert import SUBMITTED, spans_to_json
from argilla_pipeline.importing import add_records, new_record
from argilla_pipeline.operations import ArgillaOperations
from argilla_pipeline.testing.argilla_server import ArgillaServer
from argilla_pipeline.tool import ArgillaTool
from backend import loop
from backend.demo.stage import FOLDER, scripted_llm, start_harambee
from backend.demo.story import Stage, tell
from backend.domain import Example, JobKind
from backend.samples import LABELS, sample_texts
from backend.settings import Settings

ENVIRONMENT = Path(".venvs/argilla")
STAND_IN = (
    "Argilla's server, its worker and Redis are the real ones; in place of Elasticsearch runs a "
    "small stand-in that comes with harambee and is no search engine for real work."
)


class PlayedAnnotators:
    """Submit the gold labels of records, as a careful annotator would, through Argilla itself."""

    def __init__(
        self, client: ArgillaClient, tool: ArgillaTool, gold: Mapping[str, Example]
    ) -> None:
        self._client = client
        self._tool = tool
        self._gold = gold

    def label(self, task_ids: Iterable[str], tick: Callable[[], object]) -> int:
        """Label these records; returns how many."""
        number = 0
        for number, record_id in enumerate(task_ids, 1):  # noqa: B007 - the count is the result
            spans = self._gold[record_id].spans
            values = spans_to_json(spans, self._tool.schema)
            self._client.respond(record_id, SUBMITTED, values)
            tick()
        return number

    def label_next(self, at_most: int, tick: Callable[[], object]) -> int:
        """Label the records that the sorted link shows, one after the other; returns how many."""
        for number in range(at_most):
            queue = self._tool.queue(1)
            if not queue:
                return number
            self.label(queue, tick)
        return at_most


def run_demo(settings: Settings, console: Console, *, once: bool, ports: tuple[int, int]) -> None:
    """Run the demo in Argilla."""
    tell(lambda stack: set_stage(stack, settings, console, ports), console, once=once)


def set_stage(
    stack: ExitStack, settings: Settings, console: Console, ports: tuple[int, int]
) -> Stage:
    """Start everything; what was started ends with the stack."""
    examples = sample_texts()
    console.print("Starting Argilla (half a minute the first time) ...")
    console.print(f"[yellow]{STAND_IN}[/]")
    port, argilla_port = ports
    server = stack.enter_context(ArgillaServer(ENVIRONMENT, FOLDER / "argilla", port=argilla_port))
    llm = scripted_llm(stack, settings, console, [example for _, example in examples])
    tool = {
        "url": server.url,
        "api_key": server.owner.api_key,
        "labels": dict.fromkeys(LABELS, ""),
    }
    operations = start_harambee(stack, port, {"argilla": tool, "llm": llm})
    argilla = ArgillaOperations(operations.services)
    forget_earlier(argilla.client, settings)
    project, done = argilla.set_up()
    gold = import_sample(argilla, done.dataset_id, examples)
    console.print(f"The LLM pre-annotates {len(gold)} sentences.")
    loop.begin(operations.services.workspace(project))
    return Stage(
        operations,
        project,
        PlayedAnnotators(argilla.client, argilla.tool(project), gold),
        gold,
        start_training=lambda: operations.queue.enqueue(JobKind.LEARN, project.id),
        addresses=f"Argilla:  {done.link}\n"
        f"  log in as {server.owner.username} with the password {server.owner.password}\n"
        f"harambee: {operations.services.settings.public_url}/",
    )


def forget_earlier(client: ArgillaClient, settings: Settings) -> None:
    """Delete the datasets of earlier demos: this server is the demo's own."""
    for dataset in client.datasets():
        if dataset["name"] == settings.argilla.dataset:
            client.delete_dataset(dataset["id"])


def import_sample(
    argilla: ArgillaOperations, dataset_id: str, examples: Sequence[tuple[str, Example]]
) -> dict[str, Example]:
    """Add the sample's texts; returns the gold labels by record id."""
    new = [
        new_record(str(place), example.text, language)
        for place, (language, example) in enumerate(examples)
    ]
    added = add_records(argilla.client, dataset_id, argilla.tool(argilla.project()).schema, new)
    return {record_id: examples[int(place)][1] for place, record_id in added}
