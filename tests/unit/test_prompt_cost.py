"""What the benchmark of prompt cost claims, on a part of its data."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from backend.llm.paper_prompt import PaperPrompt
from backend.llm.prompt import Prompt
from backend.settings import LlmSettings

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("splintr", reason="counts tokens with the package splintr-rs")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("prompt_cost")


def test_the_default_prompt_costs_at_most_a_quarter_of_the_papers(
    bench: ModuleType, research_data: Path
) -> None:
    llm = LlmSettings()
    paper = bench.Way(PaperPrompt("paper-single", research_data / "prompts/templates.json"), 1)
    ours = bench.Way(Prompt(llm.prompt), llm.sentences_per_call)
    for language, sentences in bench.samples(research_data):
        theirs_usd, ours_usd = (
            bench.cost_of(way, sentences, language, []).usd for way in (paper, ours)
        )
        assert len(sentences) == 50
        assert ours_usd <= theirs_usd / 4, language


def test_tokens_are_those_of_cl100k(bench: ModuleType) -> None:
    assert bench.COUNT("Ọjọ́ Àìkú ni a bí Adé.") == 16
    assert bench.COUNT("hello world") == 2


def test_only_a_shared_beginning_is_cached(bench: ModuleType) -> None:
    assert bench.common_beginning("fixed part, one", "fixed part, other") == "fixed part, o"
