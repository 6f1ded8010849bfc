"""A queue for reviewers in Label Studio: a tab of the Data Manager with these tasks, in this order.

A tab can be ordered only by what is in the tasks. So each task in the queue gets one more string in
its data: its place and the reason, which the tab shows as a column. The Data Manager's own action
writes it, because ``PATCH /api/tasks/{id}`` stores the whole task as it was read a moment before,
counters of annotations included; the action touches nothing but the data. It cannot take a key
away again: a task that has left the queue keeps an empty string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.domain import ReviewItem, ReviewKind, ReviewQueue
from backend.label_studio.client import LabelStudioClient, condition
from backend.label_studio.convert import OUR_DATA
from backend.protocols import Progress, silent

Json = dict[str, Any]

TITLES: Mapping[ReviewKind, str] = {
    ReviewKind.LABEL_ERRORS: "Probably wrong, worst first (harambee)",
    ReviewKind.ADJUDICATION: "To decide, most contested first (harambee)",
}
MARK = "#"
"""What the string of every task in a queue begins with, and no empty string holds."""
FEWEST_DIGITS = 3
LONGEST_REASON = 300
REASON_PIXELS = 600
SHOWN_BESIDE = frozenset({"tasks:id", "tasks:annotators"})
"""Columns of the list beside the texts and the reason."""


def fill_tab(
    client: LabelStudioClient,
    project_id: int,
    kind: ReviewKind,
    items: Sequence[ReviewItem],
    progress: Progress = silent,
) -> ReviewQueue:
    """Make ``items`` the queue of that kind; only what differs is written."""
    key = data_key(kind)
    wanted = {int(item.task_id): text for item, text in zip(items, shown(items), strict=True)}
    held = client.marked_tasks(project_id, key, MARK)
    there = {row["id"] for row in client.tasks_by_id(project_id, wanted)}
    left = sorted(held.keys() - wanted.keys())
    client.set_data(project_id, left, key, "")
    waiting = [task_id for task_id in wanted if task_id in there]
    progress(0, len(waiting), "tasks to review")
    for done, task_id in enumerate(waiting, start=1):
        if held.get(task_id) != wanted[task_id]:
            client.set_data(project_id, [task_id], key, wanted[task_id])
        progress(done, len(waiting), "tasks to review")
    return ReviewQueue(
        _tab_link(client, project_id, kind, empty=not waiting), len(waiting), len(left)
    )


def data_key(kind: ReviewKind) -> str:
    """The key in a task's data, and so the title of the tab's column."""
    return f"{OUR_DATA}{kind.value}"


def shown(items: Sequence[ReviewItem]) -> list[str]:
    """What the column says of each item; in order of the alphabet they are in order."""
    digits = max(FEWEST_DIGITS, len(str(len(items))))
    return [
        f"{MARK}{place:0{digits}} {item.reason[:LONGEST_REASON]}"
        for place, item in enumerate(items, start=1)
    ]


def tab(kind: ReviewKind) -> Json:
    """The tab, in the Data Manager's JSON."""
    column = f"data.{data_key(kind)}"
    marked = condition(column, "contains", "String", MARK)
    return {
        "title": TITLES[kind],
        "type": "list",
        "target": "tasks",
        "ordering": [f"tasks:{column}"],
        "filters": {"conjunction": "and", "items": [marked]},
    }


def layout(columns: Sequence[Json], kind: ReviewKind) -> Json:
    """What a new tab shows: in the list the data and who labelled it, beside a task the reason."""
    reason = f"tasks:data.{data_key(kind)}"
    parted = [(f"tasks:data.{it['id']}", True) for it in columns if it.get("parent") == "data"]
    parted += [(f"tasks:{it['id']}", False) for it in columns if it.get("parent") != "data"]
    hidden = [name for name, is_data in parted if not is_data and name not in SHOWN_BESIDE]
    ours = f"tasks:data.{OUR_DATA}"
    others = [name for name, _ in parted if name.startswith(ours) and name != reason]
    return {
        "hiddenColumns": {
            "explore": [*hidden, *others],
            "labeling": [name for name, _ in parted if name != reason],
        },
        "columnsWidth": {reason: REASON_PIXELS},
    }


def project_link(url: str, project_id: int | str) -> str:
    """The Data Manager of a project."""
    return f"{url}/projects/{project_id}/data"


def labelling_view(url: str, project_id: int | str, task_id: str) -> str:
    """The labelling view of a task."""
    return f"{project_link(url, project_id)}?task={task_id}"


def _tab_link(client: LabelStudioClient, project_id: int, kind: ReviewKind, *, empty: bool) -> str:
    """The tab, made where there is none and set right where somebody has changed it.

    For an empty queue that never was, none is made: its column would not be known.
    """
    wanted = tab(kind)
    known = [view for view in client.views(project_id) if view["data"].get("title") == TITLES[kind]]
    if not known and empty:
        return project_link(client.url, project_id)
    if not known:
        arranged = layout(client.columns(project_id), kind)
        view = client.create_view(project_id, wanted | arranged)
    else:
        view = known[0]
        if any(view["data"].get(name) != value for name, value in wanted.items()):
            view = client.update_view(view["id"], project_id, view["data"] | wanted)
        for superfluous in known[1:]:
            client.delete_view(superfluous["id"])
    return f"{project_link(client.url, project_id)}?tab={view['id']}"
