"""The benchmark harness measures what it says it does."""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Imported as a benchmark imports it: from the folder it stands in."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("harness")


def replay(*values: float) -> Callable[[], float]:
    """A measure that gives these values in turn."""
    return iter(values).__next__


def test_the_ratio_is_of_medians(harness: ModuleType) -> None:
    slow = harness.Arm("slow", replay(8.0, 900.0, 6.0))
    fast = harness.Arm("fast", replay(2.0, 1.0, 70.0))

    assert harness.compare("x", baseline=slow, candidate=fast, repeats=3).ratio == 4.0


def test_the_arms_take_turns_at_going_first(harness: ModuleType) -> None:
    ran: list[str] = []
    arms = [harness.Arm(name, lambda n=name: ran.append(n) or 1.0) for name in "ab"]

    harness.compare("x", *arms, repeats=3)

    assert "".join(ran) == "abbaab"


def test_preparing_is_not_measured(harness: ModuleType) -> None:
    clock = itertools.count(100.0)
    prepared: list[bool] = []

    def prepare() -> None:
        prepared.append(True)
        next(clock)

    measure = harness.timed(lambda: next(clock), before=prepare, clock=lambda: next(clock))

    assert (measure(), measure()) == (2.0, 2.0)
    assert len(prepared) == 2


def test_work_that_fails_stops_the_benchmark(harness: ModuleType) -> None:
    arm = harness.Arm("broken", harness.timed(lambda: 1 / 0))

    with pytest.raises(ZeroDivisionError):
        harness.compare("x", arm, harness.Arm("other", lambda: 1.0))


def test_the_last_line_is_a_json_object(
    harness: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    slow, fast = harness.Arm("slow", replay(6.0, 6.0)), harness.Arm("fast", replay(3.0, 3.0))

    harness.report(harness.compare("push", slow, fast, repeats=2), tasks=1000)

    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
        "name": "push",
        "ratio": 2.0,
        "unit": "s",
        "arms": {
            "slow": {"median": 6.0, "values": [6.0, 6.0]},
            "fast": {"median": 3.0, "values": [3.0, 3.0]},
        },
        "tasks": 1000,
    }


def test_the_table_names_both_arms(harness: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    slow, fast = harness.Arm("one by one", replay(6.0)), harness.Arm("bulk", replay(0.3))

    harness.report(harness.compare("push", slow, fast, repeats=1))

    table = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in table[:2]] == ["one by one", "bulk"]
    assert table[2] == "bulk takes 20 times less"
