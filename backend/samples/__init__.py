"""The sample corpus: synthetic sentences in five African languages, for trying things out."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from backend.domain import Example, Span

LABELS = ("PER", "ORG", "LOC", "DATE")


def sample_texts() -> list[tuple[str, Example]]:
    """Every text of the corpus with its language and gold spans, languages in turn."""
    folders = sorted(
        (item for item in files(__package__).iterdir() if item.name.endswith(".jsonl")),
        key=lambda item: item.name,
    )
    by_language = [
        [json.loads(line) for line in item.read_text(encoding="utf-8").splitlines()]
        for item in folders
    ]
    return [
        (row["language"], _example(row)) for rows in zip(*by_language, strict=True) for row in rows
    ]


def _example(row: dict[str, Any]) -> Example:
    spans = (Span(span["start"], span["end"], span["label"]) for span in row["spans"])
    return Example(task_id=row["id"], text=row["text"], spans=tuple(spans))
