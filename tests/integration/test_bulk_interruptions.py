"""``kill -9`` at random moments of a bulk run: no durable answer is paid again, nothing is lost.

Eight kills by default; HARAMBEE_KILLS says otherwise. Half of them hit runs that ask for each text
alone, half runs that ask for several at once.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from backend.store.charges import charges
from backend.store.database import Database
from backend.store.money import SqlAnswerCache
from backend.testing.scripted_llm import ScriptedLlm
from backend.text.spans import Mention

KILLS = int(os.environ.get("HARAMBEE_KILLS", "8"))
SECONDS_PER_ANSWER = 0.1
NAME = re.compile(r"Name\d+")
SENTENCES = 12 * KILLS


class BulkRun:
    """``harambee annotate`` on a data folder of its own."""

    def __init__(self, folder: Path, server: ScriptedLlm, texts_per_call: int) -> None:
        folder.mkdir()
        self.out = folder / "out.jsonl"
        self.database = Database(f"sqlite:///{folder / 'harambee.sqlite3'}")
        self.database.migrate()
        self._corpus = folder / "corpus.jsonl"
        lines = (
            json.dumps({"id": n, "text": f"Today Name{n} went home to Kano ."})
            for n in range(SENTENCES)
        )
        self._corpus.write_text("\n".join(lines), encoding="utf-8")
        self._environment = {
            **os.environ,
            "OPENAI_API_KEY": server.api_key,
            "OPENAI_BASE_URL": server.openai_url,
            "HARAMBEE_LLM__CONCURRENCY": "2",
            "HARAMBEE_LLM__SENTENCES_PER_CALL": str(texts_per_call),
            "HARAMBEE_STORE__DATA_DIR": str(folder),
        }

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "backend", "annotate", self._corpus, "--out", self.out]
        return subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def to_its_end(self) -> None:
        with self.start() as process:
            output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output.decode()

    def answers_on_disk(self) -> set[str]:
        """The names in the texts whose answers are kept; each text has its own."""
        stored = SqlAnswerCache(self.database).everything()
        return {name for _, answer in stored for name in NAME.findall(answer)}

    @property
    def ledger_total(self) -> Decimal:
        return sum((charge.usd for charge in charges(self.database)), Decimal(0))


def name_in(text: str) -> list[Mention]:
    return [Mention(name, "PER", 1, 0.9) for name in NAME.findall(text)]


def kill_at_a_random_moment(run: BulkRun, server: ScriptedLlm, rng: random.Random) -> None:
    """Kill it once some further requests, at most four, have arrived."""
    enough = server.requests + rng.randint(1, 4)
    process = run.start()
    try:
        while server.requests < enough and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 2 * SECONDS_PER_ANSWER))
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    time.sleep(2 * SECONDS_PER_ANSWER)  # the server ends, and bills, what is under way


@pytest.mark.parametrize("texts_per_call", [1, 3])
def test_no_answer_on_the_disk_is_asked_again_after_kill_9(tmp_path, texts_per_call) -> None:
    rng = random.Random(20)
    with ScriptedLlm(name_in, seconds=SECONDS_PER_ANSWER) as server:
        run = BulkRun(tmp_path / "killed", server, texts_per_call)
        for _ in range(KILLS // 2):
            before, kept = len(server.calls), run.answers_on_disk()
            kill_at_a_random_moment(run, server, rng)
            assert not names_asked(server, before) & kept
            assert run.ledger_total >= server.billed_usd
            assert not run.out.exists()
        before, kept = len(server.calls), run.answers_on_disk()
        run.to_its_end()
        assert not names_asked(server, before) & kept
        assert run.ledger_total >= server.billed_usd

        undisturbed = BulkRun(tmp_path / "undisturbed", server, texts_per_call)
        undisturbed.to_its_end()
        assert run.out.read_bytes() == undisturbed.out.read_bytes()
        assert len(run.out.read_text(encoding="utf-8").splitlines()) == SENTENCES


def names_asked(server: ScriptedLlm, since: int) -> set[str]:
    texts = (text for call in server.calls[since:] for text in call.texts)
    return {name for text in texts for name in NAME.findall(text)}
