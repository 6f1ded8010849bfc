"""5,000 records in Argilla: pushed, scored anew and pushed again, against the SDK's own ``log``.

Two datasets of the same texts on one server. In one harambee pushes, in the other Argilla's SDK
logs the same suggestions and metadata with ``dataset.records.log``. They take turns: our push stops
after each thousand records while the SDK logs a thousand, so that both meet the same machine. Then
a fifth of the suggestions changes and harambee pushes again: what it sends is counted. Memory is
the most that this process ever held, after the first thousand records and after the last.

Argilla's search engine is the stand-in of the tests (Elasticsearch comes from no package index),
and both arms wait for it alike.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack
from itertools import count, cycle, islice
from pathlib import Path

import argilla as rg

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.connection import make_dataset
from argilla_pipeline.convert import metadata_to_json, suggestion_to_json, text_to_json
from argilla_pipeline.importing import add_records, new_record
from argilla_pipeline.testing.argilla_server import ArgillaServer, initialised_folder
from argilla_pipeline.tool import ArgillaTool
from backend.domain import Example, LabelScheme, Source, SourceKind, Span, Suggestion
from backend.samples import LABELS, sample_texts

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
        self.sdk = rg.Argilla(api_url=server.url, api_key=server.owner.api_key)
        self.texts = examples()
        self.ours, self.our_records = self._dataset("ours")
        self.theirs, self.their_records = self._dataset("theirs")

    def _dataset(self, name: str) -> tuple[ArgillaTool, dict[str, Example]]:
        made = make_dataset(self.client, self.workspace, name, LabelScheme(LABELS), 1)
        tool = ArgillaTool.open(self.client, made)
        new = [new_record(example.task_id, example.text) for example in self.texts]
        added = list(add_records(self.client, made, tool.schema, new))
        return tool, {record: self.texts[int(place)] for place, record in added}

    def log(self, batch: list[Suggestion]) -> None:
        """The SDK's way, which needs the fields of each record again."""
        dataset = self.sdk.datasets("theirs", workspace=WORKSPACE)
        schema = self.theirs.schema
        records = []
        for item in batch:
            text = self.their_records[item.task_id].text
            shown = suggestion_to_json(item, len(text), schema)
            suggested = rg.Suggestion(
                "spans", shown["value"], score=shown["score"], agent=shown["agent"], type="model"
            )
            records.append(
                rg.Record(
                    id=item.task_id,
                    fields=text_to_json(text, {}, schema)["fields"],
                    metadata=metadata_to_json(item) | {"round": 1},
                    suggestions=[suggested],
                )
            )
        dataset.records.log(records)


class Turns:
    """Told how far our push has come: stops its clock after each thousand, and lets the SDK log."""

    def __init__(self, bench: Bench) -> None:
        self.pushing: list[float] = []
        self.logging: list[float] = []
        self.memory: list[float] = []
        self._bench = bench
        self._theirs = suggestions(bench.their_records, 1)
        self._started = time.perf_counter()

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Read the first time as the begin of the first thousand: the reading before counts."""
        if done == 0 or (done % WINDOW and done < total):
            return
        self.pushing.append(time.perf_counter() - self._started)
        self.memory.append(most_memory_mb())
        start = done - WINDOW
        seconds, _ = timed(lambda: self._bench.log(self._theirs[start:done]))
        self.logging.append(seconds)
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
        turns = Turns(bench)
        stored = bench.ours.suggest(suggestions(bench.our_records, 1), "v1", turns)
        if stored != RECORDS:
            raise SystemExit(f"{stored} of {RECORDS} suggestions were stored.")
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
