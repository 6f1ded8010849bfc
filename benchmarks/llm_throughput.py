"""How much faster 32 calls at a time are than one, and what a call costs our own processor.

1,000 sentences through ``annotate_items``, the heart of ``harambee annotate``, with the ledger and
the cache on disk, against a scripted provider in another process that thinks for a second about
each answer. One call at a time would take 1,000 seconds, so 30 sentences are measured that way and
their time is multiplied.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from harness import Arm, compare, report
from pydantic import SecretStr

from backend.bulk.annotation import account_of, annotate_items
from backend.bulk.annotators import asking_at_once
from backend.bulk.items import Item
from backend.domain import LabelScheme, Outcome, Task
from backend.services import Services
from backend.settings import LlmSettings, Settings, StoreSettings
from backend.testing.scripted_process import ScriptedLlmProcess

SCHEME = LabelScheme(("PER", "ORG", "LOC", "DATE"))
CONCURRENCY = 32


def sentences(count: int) -> list[Item]:
    return [
        Item(Task(str(n), f"On that day Ada{n} went from Ìbàdàn to Lagos to see her mother ."))
        for n in range(count)
    ]


class Run:
    """Annotates sentences in a store of its own, once, and remembers what that took."""

    def __init__(self, server: ScriptedLlmProcess, count: int, concurrency: int) -> None:
        self._server = server
        self._items = sentences(count)
        self._concurrency = concurrency
        self.cpu_seconds: list[float] = []

    def seconds(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            services = Services(self._settings(Path(folder)))
            account = account_of(self._items)
            annotator = asking_at_once(services, account)
            wall, cpu = time.perf_counter(), time.process_time()
            results = annotate_items(annotator, self._items, SCHEME)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            services.database.close()
        failed = [r for r in results if r.answer.outcome is not Outcome.ANNOTATED]
        if failed:
            raise SystemExit(f"{len(failed)} sentences failed: {failed[0].answer.detail}")
        self.cpu_seconds.append(cpu)
        return wall

    def _settings(self, folder: Path) -> Settings:
        llm = LlmSettings(
            provider="openai",
            openai_api_key=SecretStr(self._server.api_key),
            openai_base_url=self._server.openai_url,
            concurrency=self._concurrency,
            sentences_per_call=1,
        )
        return Settings(store=StoreSettings(data_dir=folder), llm=llm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--one-by-one", type=int, default=30, help="of which the slow arm asks")
    parser.add_argument("--latency", type=float, default=1.0, help="seconds per answer")
    arguments = parser.parse_args()
    count, few = arguments.sentences, arguments.one_by_one
    with ScriptedLlmProcess(seconds=arguments.latency) as server:
        alone = Run(server, few, 1)
        together = Run(server, count, CONCURRENCY)
        one = Arm(
            f"one at a time, {few} x {count / few:.4g}", lambda: alone.seconds() * count / few
        )
        many = Arm(f"{CONCURRENCY} at a time", together.seconds)
        comparison = compare("llm-throughput", baseline=one, candidate=many, repeats=1)
        asked = len(server.calls())
    cpu = sum(together.cpu_seconds) / (count * len(together.cpu_seconds))
    print(f"own processor time per call: {1000 * cpu:.2f} ms")
    report(
        comparison,
        sentences=count,
        latency_seconds=arguments.latency,
        baseline_extrapolated_from=few,
        calls_asked=asked,
        cpu_ms_per_call=round(1000 * cpu, 2),
    )


if __name__ == "__main__":
    main()
