"""``suggestions.balance_by`` through the loop: slices take turns in the queue that people see."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from audited_workspace import GOLD, open_audited_workspace, text_of

from backend import loop
from backend.domain import Task
from backend.quality.audit import is_audited
from backend.testing.in_memory_tool import InMemoryTool

SMALL = 20


def dialect_of(task_id):
    return "south" if int(task_id) < SMALL else "north"


@pytest.fixture
def work(tmp_path):
    opened = open_audited_workspace(tmp_path, tasks=200, share=0.1)
    tasks = [Task(str(n), text_of(n), meta={"dialect": dialect_of(n)}) for n in range(200)]
    showing = opened.showing.model_copy(update={"balance_by": "dialect"})
    return replace(opened, tool=InMemoryTool(tasks), showing=showing)


def queue(work, version):
    """Dialects in the order in which people meet the texts that are not audited."""
    shown = sorted(work.tool.suggestions(version).values(), key=lambda each: each.confidence)
    return [
        dialect_of(each.task_id)
        for each in shown
        if not is_audited(text_of(int(each.task_id)), work.audit_share)
    ]


def test_slices_take_turns_before_and_after_learning(work):
    first = queue(work, loop.begin(work).version)
    assert set(map(tuple, zip(first[:20:2], first[1:20:2], strict=True))) <= {
        ("north", "south"),
        ("south", "north"),
    }

    for number in range(100, 130):
        work.tool.annotate(str(number), GOLD[text_of(number)])
    report = loop.play_round(work)

    # 30 labels from the north: the south is asked for until it has caught up.
    later = queue(work, report.version)
    south = Counter(later)["south"]
    assert later[:south] == ["south"] * south


def test_without_the_setting_the_queue_is_the_strategys(work):
    plain = replace(work, showing=work.showing.model_copy(update={"balance_by": None}))

    assert queue(plain, loop.begin(plain).version)[:16].count("south") > 8
