"""Label Studio's import and export files: a JSON list of tasks, predictions added."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from backend.bulk.items import Annotated, Item
from backend.domain import LabelScheme
from backend.errors import CorpusError, InputError
from backend.label_studio.convert import prediction_to_json, task_from_json
from backend.label_studio.labels import LabelConfig, parse_label_config


class LabelStudioFormat:
    """Tasks for a labelling config. A task without an answer gets no prediction."""

    def __init__(self, config: LabelConfig) -> None:
        self._config = config

    def read(self, path: Path, language: str | None) -> Iterator[Item]:
        """See :meth:`backend.bulk.items.FileFormat.read`."""
        for number, raw in enumerate(_tasks(path), start=1):
            known = raw if "data" in raw else {"data": raw}
            task = task_from_json({**known, "id": number}, self._config)
            yield Item(replace(task, language=task.language or language), known)

    def write(self, path: Path, results: Sequence[Annotated], scheme: LabelScheme) -> None:
        """See :meth:`backend.bulk.items.FileFormat.write`."""
        tasks = [self._with_prediction(result) for result in results]
        path.write_text(json.dumps(tasks, indent=1) + "\n", encoding="utf-8")

    def _with_prediction(self, result: Annotated) -> dict[str, Any]:
        raw: dict[str, Any] = dict(result.item.origin)
        if (suggestion := result.suggestion) is None:
            return raw
        source = suggestion.source
        version = f"{source.model} {source.prompt_version}"
        text = result.item.task.text
        prediction = prediction_to_json(suggestion, text, version, self._config)
        others = [
            other
            for other in raw.get("predictions") or ()
            if isinstance(other, Mapping) and other.get("model_version") != version
        ]
        return raw | {"predictions": [*others, prediction]}


def config_for(scheme: LabelScheme) -> LabelConfig:
    """A labelling config with these labels, for the text under ``text``."""
    labels = "".join(f'<Label value="{escape(label)}"/>' for label in scheme.labels)
    return parse_label_config(
        f'<View><Labels name="label" toName="text">{labels}</Labels>'
        '<Text name="text" value="$text"/></View>'
    )


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is no JSON ({error}).") from error
    if not isinstance(raw, list) or not all(isinstance(task, dict) for task in raw):
        raise CorpusError(f"{path}: expected a JSON list of tasks, as Label Studio exports it.")
    return raw
