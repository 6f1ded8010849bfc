"""Annotators played from gold labels, through Label Studio's own interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backend.domain import Example, Source, SourceKind, Suggestion
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.convert import prediction_to_json
from backend.label_studio.labels import LabelConfig

GOLD = Source(SourceKind.NONE, "gold")


class PlayedAnnotator:
    """Submits the gold labels of tasks, as a careful annotator would.

    ``gold``: examples by Label Studio's task id.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        project_id: int,
        config: LabelConfig,
        gold: Mapping[int, Example],
    ) -> None:
        self._client = client
        self._project_id = project_id
        self._config = config
        self._gold = gold

    def label(self, task_ids: Iterable[int], tick: Callable[[], object]) -> int:
        """Label these tasks; returns how many."""
        number = 0
        for number, task_id in enumerate(task_ids, 1):  # noqa: B007 - the count is the result
            self._client.annotate(task_id, self._regions(task_id), lead_time=20.0)
            tick()
        return number

    def label_next(self, at_most: int, tick: Callable[[], object]) -> int:
        """Label the tasks that Label Studio serves, one after the other; returns how many."""
        for number in range(at_most):
            task = self._client.next_task(self._project_id)
            if task is None:
                return number
            self.label([task["id"]], tick)
        return at_most

    def _regions(self, task_id: int) -> list[dict[str, Any]]:
        example = self._gold[task_id]
        suggestion = Suggestion(str(task_id), example.spans, 1.0, GOLD)
        regions = prediction_to_json(suggestion, example.text, "gold", self._config)["result"]
        return [{**region, "origin": "manual"} for region in regions]
