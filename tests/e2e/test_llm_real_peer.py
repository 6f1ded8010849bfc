# ruff: noqa: PLC0415 - torch is an extra; tests without it import this file too
"""A server that we did not write: ``transformers serve`` with a tiny model of random weights.

It speaks OpenAI's protocol and passes over the schema of the answer, as many servers of one's own
do, and what it answers is noise: every answer has to be found out as one that is of no use.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from backend.domain import LabelScheme, Outcome, Task
from backend.llm.factory import build_annotator
from backend.settings import LlmSettings
from backend.testing.annotators import MemoryAnswerCache, MemoryLedger
from backend.testing.server_process import free_port

STARTS_WITHIN_SECONDS = 180
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def write_tiny_chat_model(folder: Path) -> Path:
    """A two-layer Llama over bytes. One token in eight ends its answer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        GenerationConfig,
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {sign: number for number, sign in enumerate([*signs, "<end>"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    ends = list(range(0, len(vocabulary), 8))
    model.generation_config = GenerationConfig(do_sample=True, eos_token_id=ends, pad_token_id=256)
    model.save_pretrained(folder)
    return folder


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(STARTS_WITHIN_SECONDS):
        try:
            with urlopen(f"{address}/health", timeout=5):
                return
        except (URLError, OSError):
            assert server.poll() is None, log.read_text(encoding="utf-8")[-3000:]
            time.sleep(1)
    raise AssertionError(log.read_text(encoding="utf-8")[-3000:])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and model of the server."""
    for needed in ("torch", "transformers", "fastapi", "uvicorn", "accelerate"):
        pytest.importorskip(needed, reason="needs pip install 'transformers[serving]'")
    folder = tmp_path_factory.mktemp("peer")
    model = write_tiny_chat_model(folder / "model")
    address, log = f"http://127.0.0.1:{free_port()}", folder / "log"
    host, port = address.removeprefix("http://").split(":")
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    command += ["--host", host, "--port", port, "--device", "cpu"]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=offline)
    try:
        wait_for(address, server, log)
        yield f"{address}/v1", str(model)
    finally:
        server.terminate()
        server.wait()


def test_noise_from_a_real_server_is_never_taken_for_an_answer(served) -> None:
    address, model = served
    llm = LlmSettings(
        provider="openai",
        openai_base_url=address,
        model=model,
        price_usd_per_million=(0.0, 0.0),
        max_output_tokens=64,
        concurrency=2,
        max_attempts=2,
    )
    ledger = MemoryLedger()
    annotator = build_annotator(llm, project_id=None, ledger=ledger, cache=MemoryAnswerCache())
    assert annotator is not None
    tasks = [
        Task(str(n), text) for n, text in enumerate(("Ada saw Lagos", "Ẹ káàárọ̀ Ìbàdàn", "no"))
    ]

    answers = list(annotator.annotate(tasks, LabelScheme(("PER", "LOC"))))

    assert sorted(answer.task_id for answer in answers) == ["0", "1", "2"]
    for answer in answers:
        assert answer.outcome in {Outcome.INVALID, Outcome.TRUNCATED}
        assert answer.suggestion is None
        assert answer.detail
    billed = [entry.usage for entry in ledger.entries]
    assert all(usage and usage.input > 0 for usage in billed)
