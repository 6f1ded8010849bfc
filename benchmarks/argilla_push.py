"""5,000 records in Argilla: pushed, scored anew and pushed again, against the SDK's own ``log``.

Two datasets of the same texts on one server. In one harambee pushes, in the other Argilla's SDK
logs the same suggestions and metadata with ``dataset.records.log``. They take turns: our push stops
after each thousand records while the SDK, in a process of its own, logs a thousand, so that both
meet the same machine. Then a fifth of the suggestions changes and harambee pushes again: what it
sends is counted. Memory is the most that harambee's process ever held, after the first thousand
records and after the last.

Argilla's search engine is the stand-in of the tests (Elasticsearch comes from no package index),
and both arms wait for it alike.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack
from itertools import count, cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.connection import make_dataset, schema_of
from argilla_pipeline.convert import metadata_to_json, suggestion_to_json, text_to_json
from argilla_pipeline.importing import add_records, new_record
from argilla_pipeline.schema import Schema
from argilla_pipeline.testing.argilla_server import ArgillaServer, initialised_folder
from argilla_pipeline.tool import ArgillaTool
from backend.domain import Example, LabelScheme, Source, SourceKind, Span, Suggestion
from backend.samples import LABELS, sample_texts
from backend.settings import ArgillaSettings

VENVS = Path(".venvs")
RECORDS = int(os.environ.get("HARAMBEE_BENCH_RECORDS", "5000"))
WINDOW = 1000
CHANGED_ONE_IN = 5
WORKSPACE = "bench"


def examples() -> list[Example]:
    """The shipped sample over and over, every text with a number of its own behind it."""
    numbered = zip(count(), cycle(sample_texts()), strict=False)
    return [
        Example(str(number), f"{example.text} {number}", example.spans)
        for number, (_, example) in islice(numbered, RECORDS)
    ]


def suggestions(records: dict[str, Example], version: int) -> list[Suggestion]:
    """One for each record; from the second version on, one in five differs from before."""
    made = []
    for place, (record, example) in enumerate(records.items()):
        changes = version if place % CHANGED_ONE_IN == 0 else 1
        source = Source(SourceKind.TAGGER, f"crf-{changes}")
        spans = tuple(Span(span.start, span.end, span.label, 0.9) for span in example.spans)
        confidence = (place * 37 + 11 * changes) % RECORDS / RECORDS
        made.append(Suggestion(record, spans, confidence, source))
    return made


class Bench:
    """A server, the same texts in two datasets, and one way of pushing for each."""

    def __init__(self, server: ArgillaServer) -> None:
        self.client = ArgillaClient(server.url, server.owner.api_key)
        self.workspace = self.client.create_workspace(WORKSPACE)["id"]
        self.texts = examples()
        self.ours, self.our_records = self._dataset("ours")
        self.theirs, self.their_records = self._dataset("theirs")

    def _dataset(self, name: str) -> tuple[ArgillaTool, dict[str, Example]]:
        made = make_dataset(self.client, self.workspace, name, LabelScheme(LABELS), 1)
        tool = ArgillaTool.open(self.client, made)
        new = [new_record(example.task_id, example.text) for example in self.texts]
        added = list(add_records(self.client, made, tool.schema, new))
        return tool, {record: self.texts[int(place)] for place, record in added}


def log_in_turn(pipe: Connection, url: str, key: str, records: dict[str, Example]) -> None:
    """Log the part of the records that the other end names, each time it does.

    Sends the seconds that it took. The SDK needs the fields of each record again.
    """
    import argilla as rg  # noqa: PLC0415 - in this process alone

    dataset = rg.Argilla(api_url=url, api_key=key).datasets("theirs", workspace=WORKSPACE)
    made = suggestions(records, 1)
    schema = schema_of(ArgillaClient(url, key), ArgillaSettings(), str(dataset.id))
    pipe.send(0.0)
    while part := pipe.recv():
        batch = [
            rg.Record(
                id=item.task_id,
                fields=text_to_json(records[item.task_id].text, {}, schema)["fields"],
                metadata=metadata_to_json(item) | {"round": 1},
                suggestions=[rg.Suggestion("spans", **told(item, records, schema))],
            )
            for item in made[slice(*part)]
        ]
        seconds, _ = timed(lambda batch=batch: dataset.records.log(batch))
        pipe.send(seconds)


def told(item: Suggestion, records: dict[str, Example], schema: Schema) -> dict[str, object]:
    """A suggestion in the SDK's words."""
    shown = suggestion_to_json(item, len(records[item.task_id].text), schema) or {}
    return {key: shown[key] for key in ("value", "score", "agent", "type")}


class Turns:
    """Told how far our push has come: stops its clock after each thousand, and lets the SDK log."""

    def __init__(self, sdk: Connection) -> None:
        self.pushing: list[float] = []
        self.logging: list[float] = []
        self.memory: list[float] = []
        self._sdk = sdk
        self._started = time.perf_counter()

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Read the first time as the begin of the first thousand: the reading before counts."""
        if done == 0 or (done % WINDOW and done < total):
            return
        self.pushing.append(time.perf_counter() - self._started)
        self.memory.append(most_memory_mb())
        self._sdk.send((done - WINDOW, done))
        self.logging.append(self._sdk.recv())
        self._started = time.perf_counter()


def timed(work: object) -> tuple[float, object]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    result = work()  # type: ignore[operator]
    return time.perf_counter() - start, result


def most_memory_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Start everything, push and log in turn, push again, and print what was measured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "argilla"
        initialised_folder(VENVS / "argilla", VENVS / "argilla-data", folder)
        server = stack.enter_context(ArgillaServer(VENVS / "argilla", folder))
        bench = Bench(server)
        ours, theirs = multiprocessing.Pipe()
        owner = server.owner.api_key
        sdk = multiprocessing.get_context("spawn").Process(
            target=log_in_turn, args=(theirs, server.url, owner, bench.their_records), daemon=True
        )
        sdk.start()
        ours.recv()
        turns = Turns(ours)
        stored = bench.ours.suggest(suggestions(bench.our_records, 1), "v1", turns)
        if stored != RECORDS:
            raise SystemExit(f"{stored} of {RECORDS} suggestions were stored.")
        ours.send(None)
        sdk.join()
        pushing, logging, memory = turns.pushing, turns.logging, turns.memory
        again = suggestions(bench.our_records, 2)
        second_seconds, sent = timed(lambda: bench.ours.suggest(again, "v2"))
        expected = len(range(0, RECORDS, CHANGED_ONE_IN))
        if sent != expected:
            raise SystemExit(f"The second push sent {sent} records, and {expected} had changed.")
        nothing_seconds, nothing = timed(lambda: bench.ours.suggest(again, "v2"))
        ratio = statistics.median(pushing) / statistics.median(logging)
        print(f"harambee's push  {statistics.median(pushing):8.2f} s per 1,000 records")
        print(f"the SDK's log    {statistics.median(logging):8.2f} s per 1,000 records")
        print(f"push / log       {ratio:8.2f}")
        print(f"second push      {sent} of {RECORDS} sent in {second_seconds:.1f} s")
        print(f"third push       {nothing} sent in {nothing_seconds:.1f} s")
        print(
            f"memory           {memory[0]:.0f} MB after the first 1,000, {memory[-1]:.0f} at last"
        )
        summary = {
            "name": "argilla-push",
            "ratio": round(ratio, 4),
            "records": RECORDS,
            "push_seconds_per_1000": pushing,
            "log_seconds_per_1000": logging,
            "second_push_sent": sent,
            "second_push_seconds": second_seconds,
            "nothing_to_push_seconds": nothing_seconds,
            "memory_mb": [memory[0], memory[-1]],
        }
        print(json.dumps(summary))


if __name__ == "__main__":
    main()
