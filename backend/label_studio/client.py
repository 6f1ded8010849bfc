"""Label Studio's REST interface, as far as harambee needs it, in the tool's own JSON.

Tasks are read through the Data Manager's endpoint, page by page in order of id from the last id
seen, so that tasks which come or go meanwhile shift nothing. On 1.23.2 it was the fastest complete
way (1,000 tasks in 0.4 s; ``/api/projects/{id}/tasks`` took 1.4 s), and unlike
``/api/projects/{id}/export`` it does not leave a file on the server at every call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from backend.errors import ToolRejectedError
from backend.label_studio.http import LabelStudioHttp
from backend.tool_http import NotFoundError

Json = dict[str, Any]

PAGE = 1000
IDS_PER_REQUEST = 300
"""As many ids as fit well into a URL of 8 kB, which is what reverse proxies take."""
SHOWN_VERSIONS_CHARACTERS = 500
"""Label Studio cuts a task's list of versions off here."""
PLAIN_VERSION = re.compile(r"[\w.+:@/-]+")
"""Versions that stand in that list as they are: it is joined by commas and has no quotes."""
TASK_FIELDS = {"include": "id,data", "review": "true"}
"""``review`` keeps a project that predicts "automatically" from calling our backend for a page."""
ANNOTATION_FIELDS = {
    "include": "id,data,annotations,result,was_cancelled,completed_by,created_at,updated_at,"
    "lead_time",
    "fields": "all",
    "review": "true",
}


class LabelStudioClient:
    """One Label Studio, seen with one user's rights.

    Errors are :class:`~backend.errors.ToolError` and its children. Safe to share between threads.
    """

    def __init__(self, url: str, api_key: str, timeout: float = 60.0) -> None:
        self.http = LabelStudioHttp(url, api_key, timeout)

    @property
    def url(self) -> str:
        """Label Studio's address."""
        return self.http.url

    def whoami(self) -> Json:
        """The user that the API key belongs to."""
        return record(self.http.get("/api/current-user/whoami"))

    def users(self) -> list[Json]:
        """Everybody in the user's organisation."""
        return list(self.http.get("/api/users/"))

    def project(self, project_id: int) -> Json:
        """A project's settings, its labelling config among them."""
        return record(self.http.get(f"/api/projects/{project_id}/"))

    def projects(self) -> Iterator[Json]:
        """Every project that the user sees."""
        page = 1
        while True:
            found = record(self.http.get("/api/projects/", {"page": page, "page_size": PAGE}))
            yield from found["results"]
            if not found.get("next"):
                return
            page += 1

    def create_project(self, title: str, label_config: str, **settings: Any) -> Json:
        """A new project."""
        content = {"title": title, "label_config": label_config, **settings}
        return record(self.http.write("POST", "/api/projects/", content))

    def update_project(self, project_id: int, **settings: Any) -> Json:
        """Change a project's settings."""
        return record(self.http.write("PATCH", f"/api/projects/{project_id}/", settings))

    def delete_project(self, project_id: int) -> None:
        """Delete a project with everything in it."""
        self.http.write("DELETE", f"/api/projects/{project_id}/")

    def import_tasks(self, project_id: int, data: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add one task per item of data, returning their ids in order."""
        path = f"/api/projects/{project_id}/import?return_task_ids=true"
        answer = record(self.http.write("POST", path, [{"data": dict(item)} for item in data]))
        return list(answer["task_ids"])

    def tasks(self, project_id: int) -> Iterator[Json]:
        """``id`` and ``data`` of every task, in order of id."""
        return self._rows(project_id, TASK_FIELDS)

    def tasks_by_id(self, project_id: int, ids: Iterable[int]) -> Iterator[Json]:
        """``id`` and ``data`` of those of the tasks that still exist.

        A project's ids mostly lie side by side. A page of the whole stretch then costs a third of
        the selections that it saves (1,000 tasks: 0.13 s instead of 0.38 s).
        """
        wanted = set(ids)
        if is_stretch(wanted):
            between = {"min": min(wanted), "max": max(wanted)}
            conditions = [condition("id", "in", "Number", between)]
            rows = self._rows(project_id, TASK_FIELDS, conditions)
            yield from (row for row in rows if row["id"] in wanted)
            return
        for selected in selections(wanted):
            yield from self._rows(project_id, TASK_FIELDS, selected=selected)

    def annotated_tasks(self, project_id: int, ids: Iterable[int] | None = None) -> Iterator[Json]:
        """``id``, ``data`` and all ``annotations``, cancelled ones too, of tasks that have any.

        The filter asks for annotations themselves: the counters that Label Studio keeps per task
        are brought up to date later than the annotations they count.
        """
        any_annotation = [condition("annotations_ids", "greater", "Number", 0)]
        for selected in [None] if ids is None else selections(ids):
            yield from self._rows(project_id, ANNOTATION_FIELDS, any_annotation, selected)

    def marked_tasks(self, project_id: int, key: str, mark: str) -> dict[int, str]:
        """What stands under a key of the data of every task whose text there holds ``mark``."""
        marked = condition(f"data.{key}", "contains", "String", mark)
        rows = self._rows(project_id, TASK_FIELDS, [marked])
        return {row["id"]: str(row["data"][key]) for row in rows}

    def set_data(self, project_id: int, ids: Collection[int], key: str, value: str) -> None:
        """Put a text under a key of the data of these tasks, and change nothing else of them.

        Does what the Data Manager's action "Add Or Modify Data Field" does; tasks that are gone
        are passed over.
        """
        path = f"/api/dm/actions/?id=add_data_field&project={project_id}"
        field = {"value_name": key, "value_type": "String", "value": value}
        # Without a single id Label Studio would take all tasks; there are no selections then.
        for selected in selections(ids):
            self.http.write("POST", path, {"selectedItems": selected, **field})

    def annotate(self, task_id: int, result: Sequence[Json], **fields: Any) -> Json:
        """Submit an annotation as this user; ``was_cancelled=True`` skips the task."""
        content = {"result": list(result), **fields}
        return record(self.http.write("POST", f"/api/tasks/{task_id}/annotations/", content))

    def next_task(self, project_id: int) -> Json | None:
        """The task that the user would be served now, ``None`` when all are done."""
        try:
            return record(self.http.get(f"/api/projects/{project_id}/next/"))
        except NotFoundError:
            return None

    def import_predictions(self, project_id: int, predictions: Sequence[Json]) -> int:
        """Store predictions in bulk, returning how many Label Studio says it created."""
        path = f"/api/projects/{project_id}/import/predictions"
        return int(record(self.http.write("POST", path, list(predictions)))["created"])

    def predictions(self, task_id: int) -> list[Json]:
        """All predictions of one task."""
        return list(self.http.get("/api/predictions/", {"task": task_id}))

    def version_counts(self, project_id: int) -> dict[str, int]:
        """How many predictions of each model version the project holds."""
        return dict(self.http.get(f"/api/projects/{project_id}/model-versions/"))

    def task_ids_with_version(self, project_id: int, version: str) -> set[int]:
        """The tasks that carry a prediction of a model version."""
        if not self.version_counts(project_id).get(version):
            return set()
        # "contains" is all the filter can do: v1 finds v10 too, so each row is looked at again.
        similar = condition("predictions_model_versions", "contains", "List", [version])
        rows = self._rows(project_id, {"include": "id,predictions_model_versions"}, [similar])
        return {row["id"] for row in rows if self._carries(row, version)}

    def _carries(self, row: Json, version: str) -> bool:
        shown = row["predictions_model_versions"]
        if len(shown) < SHOWN_VERSIONS_CHARACTERS and PLAIN_VERSION.fullmatch(version):
            return version in (part.strip() for part in shown.split(","))
        return any(item["model_version"] == version for item in self.predictions(row["id"]))

    def delete_version(self, project_id: int, version: str) -> None:
        """Delete every prediction of a model version."""
        path = f"/api/projects/{project_id}/model-versions/"
        self.http.write("DELETE", path, {"model_version": version})

    def ml_backends(self, project_id: int) -> list[Json]:
        """The project's ML backends; Label Studio calls each of them before it answers."""
        return list(self.http.get("/api/ml/", {"project": project_id}))

    def create_ml_backend(self, **fields: Any) -> Json:
        """Connect an ML backend; Label Studio calls its ``/health`` and ``/setup`` first."""
        return record(self.http.write("POST", "/api/ml/", fields))

    def update_ml_backend(self, backend_id: int, **fields: Any) -> Json:
        """Change an ML backend; ``url`` and ``project`` are needed whatever changes."""
        return record(self.http.write("PATCH", f"/api/ml/{backend_id}", fields))

    def delete_ml_backend(self, backend_id: int) -> None:
        """Disconnect an ML backend; its webhook and predictions stay."""
        self.http.write("DELETE", f"/api/ml/{backend_id}")

    def start_training(self, backend_id: int) -> None:
        """Do what the button "Start training" does; Label Studio waits for the backend's answer."""
        self.http.write("POST", f"/api/ml/{backend_id}/train", {})

    def webhooks(self, project_id: int) -> list[Json]:
        """The project's webhooks."""
        return list(self.http.get("/api/webhooks/", {"project": project_id}))

    def create_webhook(self, **fields: Any) -> Json:
        """Add a webhook."""
        return record(self.http.write("POST", "/api/webhooks/", fields))

    def update_webhook(self, webhook_id: int, **fields: Any) -> Json:
        """Change a webhook; ``url`` is needed whatever changes."""
        return record(self.http.write("PATCH", f"/api/webhooks/{webhook_id}/", fields))

    def delete_webhook(self, webhook_id: int) -> None:
        """Remove a webhook."""
        self.http.write("DELETE", f"/api/webhooks/{webhook_id}/")

    def views(self, project_id: int) -> list[Json]:
        """The project's Data Manager tabs."""
        return list(self.http.get("/api/dm/views/", {"project": project_id}))

    def columns(self, project_id: int) -> list[Json]:
        """The columns that the Data Manager can show, keys of the tasks' data among them."""
        return list(record(self.http.get("/api/dm/columns/", {"project": project_id}))["columns"])

    def create_view(self, project_id: int, data: Json) -> Json:
        """Add a Data Manager tab."""
        return record(
            self.http.write("POST", "/api/dm/views/", {"project": project_id, "data": data})
        )

    def update_view(self, view_id: int, project_id: int, data: Json) -> Json:
        """Change a Data Manager tab."""
        content = {"project": project_id, "data": data}
        return record(self.http.write("PATCH", f"/api/dm/views/{view_id}/", content))

    def delete_view(self, view_id: int) -> None:
        """Remove a Data Manager tab."""
        self.http.write("DELETE", f"/api/dm/views/{view_id}/")

    def _rows(
        self,
        project_id: int,
        fields: Mapping[str, str],
        conditions: Sequence[Json] = (),
        selected: Json | None = None,
    ) -> Iterator[Json]:
        """Rows of the Data Manager in order of id, one page in memory at a time."""
        last = 0
        while True:
            items = [*conditions, condition("id", "greater", "Number", last)]
            query: Json = {"filters": {"conjunction": "and", "items": items}, "ordering": ["id"]}
            if selected is not None:
                query["selectedItems"] = selected
            asked = {"project": project_id, "page_size": PAGE, "query": json.dumps(query), **fields}
            page = record(self.http.get("/api/tasks/", asked))
            yield from page["tasks"]
            if len(page["tasks"]) >= page["total"]:
                return
            last = page["tasks"][-1]["id"]


def is_stretch(ids: Collection[int]) -> bool:
    """Whether there are too many ids for one selection and few others between them."""
    return len(ids) > IDS_PER_REQUEST and max(ids) - min(ids) < 2 * len(ids)


def selections(ids: Iterable[int]) -> Iterator[Json]:
    """Selections of the Data Manager that are short enough for a URL."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), IDS_PER_REQUEST):
        yield {"all": False, "included": wanted[start : start + IDS_PER_REQUEST]}


def condition(column: str, operator: str, kind: str, value: object) -> Json:
    """One filter of the Data Manager."""
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": kind,
        "value": value,
    }


def record(content: Any) -> Json:
    """A JSON object, or a clear error where something else came back."""
    if not isinstance(content, dict):
        raise ToolRejectedError(
            "Label Studio answered with something else than a JSON object. Check that "
            "LABEL_STUDIO_URL is Label Studio's own address."
        )
    return content
