"""Label Studio as the loop sees it: one project with the verbs of a tool."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import structlog

from backend.domain import Annotation, ReviewItem, ReviewKind, ReviewQueue, Suggestion, Task
from backend.errors import PayloadError, ToolError, ToolRejectedError
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.convert import prediction_to_json, read_annotation, task_from_json
from backend.label_studio.labels import LabelConfig, parse_label_config
from backend.label_studio.reachability import explained
from backend.label_studio.review import fill_tab, labelling_view
from backend.protocols import Progress, silent
from backend.tool_http import UnprocessableError

log = structlog.get_logger(__name__)


PUSH_BATCH = 5000
"""Label Studio recounts all of a project's tasks after every request: few large ones are faster.

Measured on 1.23.2 with 5,845 tasks: 25 s in requests of 1,000, 7 s in one.
"""


class LabelStudioTool:
    """One Label Studio project; implements :class:`~backend.protocols.AnnotationTool`.

    ``backend_url`` tells which of the project's ML backends is ours; without it the only one is.
    ``push_batch`` predictions go into one request.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        project_id: int,
        config: LabelConfig,
        backend_url: str | None = None,
        push_batch: int = PUSH_BATCH,
    ) -> None:
        self._client = client
        self._project_id = project_id
        self._config = config
        self._backend_url = backend_url
        self._push_batch = push_batch
        self._texts: dict[int, str] = {}

    @classmethod
    def open(
        cls,
        client: LabelStudioClient,
        project_id: int,
        backend_url: str | None = None,
        push_batch: int = PUSH_BATCH,
    ) -> LabelStudioTool:
        """The tool for a project as it is configured now.

        Raises :class:`~backend.errors.LabelConfigError` for a project without a usable control.
        """
        config = parse_label_config(client.project(project_id)["label_config"])
        return cls(client, project_id, config, backend_url, push_batch)

    @property
    def config(self) -> LabelConfig:
        """The labelling config that spans are read and written with."""
        return self._config

    def tasks(self) -> Iterator[Task]:
        """Every task with a text, in order of id; the others are counted in the log.

        The texts are kept for the next push, which then need not ask for them.
        """
        unusable: list[str] = []
        self._texts = {}
        for raw in self._client.tasks(self._project_id):
            try:
                task = task_from_json(raw, self._config)
            except PayloadError as error:
                unusable.append(str(error))
            else:
                self._texts[int(task.id)] = task.text
                yield task
        if unusable:
            log.warning(
                "tasks_without_text",
                project=self._project_id,
                tasks=len(unusable),
                first=unusable[0],
            )

    def suggest(
        self, suggestions: Sequence[Suggestion], version: str, progress: Progress = silent
    ) -> int:
        """Push suggestions of tasks that do not carry ``version`` yet; returns how many.

        Tasks that were deleted meanwhile are passed over. Raises
        :class:`~backend.errors.ToolRejectedError` when Label Studio stored fewer than were sent.
        """
        carried = self._client.task_ids_with_version(self._project_id, version)
        by_task = {int(suggestion.task_id): suggestion for suggestion in suggestions}
        waiting = [item for task_id, item in by_task.items() if task_id not in carried]
        stored = 0
        for start in range(0, len(waiting), self._push_batch):
            batch = waiting[start : start + self._push_batch]
            stored += self._push(batch, version)
            progress(start + len(batch), len(waiting), "predictions")
        return stored

    def accepted(self, task_ids: Collection[str] | None = None) -> Iterator[Annotation]:
        """Every standing annotation, skips included, of some tasks or of the whole project."""
        ids = None if task_ids is None else [int(task_id) for task_id in task_ids]
        return self._read(self._client.annotated_tasks(self._project_id, ids))

    def prioritise(self, version: str) -> None:
        """Make ``version`` the one that orders the queue; push its predictions before.

        Label Studio calls our ``/health`` and ``/setup`` while it renames the ML backend, so the
        web process has to be up: :class:`~backend.errors.ToolUnreachableError` says that it is not.
        Raises :class:`~backend.errors.ToolRejectedError` if the project does not show the version
        afterwards.
        """
        backend = self._own_backend()
        if backend is not None:
            self._rename(backend, version)
        if self._client.project(self._project_id)["model_version"] != version:
            self._client.update_project(self._project_id, model_version=version)
        now = self._client.project(self._project_id)["model_version"]
        if now != version:
            raise ToolRejectedError(
                f"Label Studio still shows model version {now!r} instead of {version!r} in project "
                f"{self._project_id}, so its queue is not ordered by the new scores. Choose "
                f"{version!r} under Settings > Annotation > Live Predictions."
            )

    def annotators(self) -> Mapping[str, str]:
        """The addresses that users log in with."""
        return {str(user["id"]): str(user["email"]) for user in self._client.users()}

    def task_link(self, task: Task) -> str:
        """The labelling view of a task."""
        return labelling_view(self._client.url, self._project_id, task.id)

    def review(
        self, kind: ReviewKind, items: Sequence[ReviewItem], progress: Progress = silent
    ) -> ReviewQueue:
        """Make these tasks a tab of the Data Manager, with the reasons in a column."""
        return fill_tab(self._client, self._project_id, kind, items, progress)

    def versions(self) -> dict[str, int]:
        """How many predictions of each model version the project holds."""
        return self._client.version_counts(self._project_id)

    def forget(self, version: str) -> None:
        """Delete the predictions of an old version; never those of the current one."""
        if self._client.project(self._project_id)["model_version"] == version:
            raise ToolRejectedError(
                f"The predictions of {version!r} order the queue now, so they are kept."
            )
        self._client.delete_version(self._project_id, version)

    def _rename(self, backend: dict[str, Any], version: str) -> None:
        try:
            renamed = self._client.update_ml_backend(backend["id"], **new_title(backend, version))
        except ToolError as error:
            raise explained(error, backend["url"]) from error
        if renamed["model_version"] != version:
            log.warning("setup_names_another_version", ours=version, setup=renamed["model_version"])

    def _push(self, batch: Sequence[Suggestion], version: str) -> int:
        predictions = self._predictions(batch, self._texts, version)
        if len(predictions) == len(batch):
            try:
                return self._store(predictions)
            except UnprocessableError:
                # One task that was deleted meanwhile has the whole request refused.
                log.info("push_refused", project=self._project_id, predictions=len(predictions))
        self._texts |= self._current_texts(batch)
        return self._store(self._predictions(batch, self._texts, version))

    def _current_texts(self, batch: Sequence[Suggestion]) -> dict[int, str]:
        """The texts of those of the tasks that exist now; the others are forgotten."""
        ids = [int(suggestion.task_id) for suggestion in batch]
        for task_id in ids:
            self._texts.pop(task_id, None)
        rows = self._client.tasks_by_id(self._project_id, ids)
        texts = {row["id"]: row["data"].get(self._config.text_key) for row in rows}
        return {task_id: text for task_id, text in texts.items() if isinstance(text, str)}

    def _predictions(
        self, batch: Sequence[Suggestion], texts: Mapping[int, str], version: str
    ) -> list[dict[str, Any]]:
        """One prediction for each suggestion whose task's text is known."""
        return [
            self._prediction(suggestion, texts[int(suggestion.task_id)], version)
            for suggestion in batch
            if int(suggestion.task_id) in texts
        ]

    def _store(self, predictions: Sequence[dict[str, Any]]) -> int:
        if not predictions:
            return 0
        created = self._client.import_predictions(self._project_id, predictions)
        if created < len(predictions):
            raise ToolRejectedError(
                f"Label Studio stored {created} of {len(predictions)} predictions and dropped the "
                "others without a reason. Usually the labelling config was changed meanwhile; "
                "push again, only what is missing is sent."
            )
        return created

    def _prediction(self, suggestion: Suggestion, text: str, version: str) -> dict[str, Any]:
        prediction = prediction_to_json(suggestion, text, version, self._config)
        left_out = len(suggestion.spans) - len(prediction["result"])
        if left_out:
            log.warning("spans_do_not_fit_task", task=suggestion.task_id, left_out=left_out)
        return {"task": int(suggestion.task_id), **prediction}

    def _read(self, rows: Iterable[dict[str, Any]]) -> Iterator[Annotation]:
        left_out = 0
        for row in rows:
            try:
                task = task_from_json(row, self._config)
            except PayloadError as error:
                log.warning("annotated_task_without_text", reason=str(error))
                continue
            for raw in row["annotations"]:
                read = read_annotation(raw, task.id, task.text, self._config)
                left_out += len(read.left_out)
                yield read.annotation
        if left_out:
            log.info("regions_left_out", project=self._project_id, regions=left_out)

    def _own_backend(self) -> dict[str, Any] | None:
        backends = self._client.ml_backends(self._project_id)
        if self._backend_url is None:
            return backends[0] if len(backends) == 1 else None
        return find_backend(backends, self._backend_url)


def find_backend(backends: Iterable[dict[str, Any]], url: str) -> dict[str, Any] | None:
    """The ML backend with this address; a final slash makes no difference."""
    return next((item for item in backends if item["url"].rstrip("/") == url.rstrip("/")), None)


def new_title(backend: dict[str, Any], version: str) -> dict[str, Any]:
    """What a rename has to carry: Label Studio checks the address again with only these fields.

    An empty password stands for the stored one.
    """
    fields = {"title": version, "url": backend["url"], "project": backend["project"]}
    if backend["auth_method"] == "BASIC_AUTH":
        fields |= {
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": backend["basic_auth_user"],
            "basic_auth_pass": "",
        }
    return fields
