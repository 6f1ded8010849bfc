"""Prompts are template files with a version; here they meet a project's labels and a text.

The version is the file's name with a hash of its content: an edited template is a new version, in
suggestions, in the cache and in the ledger, whether or not somebody thought of renaming it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend.domain import LabelScheme, Task
from backend.errors import ConfigurationError
from backend.llm.chat import ChatRequest

PROMPTS = Path(__file__).parent / "prompts"
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

LANGUAGE = re.compile(r"[\w ()-]{1,60}")

ENCLOSED_TEXT = re.compile(r"<text-([0-9a-f]{16})>\n(.*)\n</text-\1>\Z", re.DOTALL)
"""How the text stands at the end of a rendered prompt, for those who have to read one."""


class Prompt:
    """One version of a prompt."""

    def __init__(self, name: str, folder: Path = PROMPTS) -> None:
        path = folder / f"{name}.jinja"
        if not NAME.fullmatch(name) or not path.is_file():
            known = ", ".join(sorted(file.stem for file in folder.glob("*.jinja")))
            raise ConfigurationError(f"There is no prompt {name!r}. Set llm.prompt to: {known}.")
        environment = Environment(  # noqa: S701 - prompts are plain text, not HTML
            loader=FileSystemLoader(folder), undefined=StrictUndefined
        )
        self._template = environment.get_template(path.name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.version = f"{name}+{digest[:8]}"

    def request(
        self, task: Task, scheme: LabelScheme, guidelines: str, max_output_tokens: int
    ) -> ChatRequest:
        """The question for one task: the fixed part first, the text last.

        The text is closed in by tags with a hash of the text itself. A text cannot hold its own
        hash, so it cannot close the tag early and speak from outside.
        """
        text = task.text.encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
        return ChatRequest(
            system=self._render(
                "fixed",
                labels=scheme.labels,
                descriptions={label: scheme.descriptions.get(label) for label in scheme.labels},
                guidelines=guidelines.strip(),
            ),
            user=self._render(
                "text", language=_language(task.language), code=code_of(text), text=text
            ),
            schema=answer_schema(scheme),
            max_output_tokens=max_output_tokens,
        )

    def _render(self, block: str, **values: Any) -> str:
        context = self._template.new_context(values)
        return "".join(self._template.blocks[block](context)).strip("\n")


def code_of(text: str) -> str:
    """The code in the tags around ``text``."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _language(stated: str | None) -> str | None:
    """The language, unless it could be something else: it comes with the task, like the text."""
    return stated if stated and LANGUAGE.fullmatch(stated) else None


def answer_schema(scheme: LabelScheme) -> Mapping[str, Any]:
    """The JSON schema of an answer, in the subset that strict modes take."""
    probability = {"type": "number"}
    entity = {
        "mention": {"type": "string"},
        "label": {"type": "string", "enum": list(scheme.labels)},
        "occurrence": {"type": "integer"},
        "confidence": probability,
    }
    return _strict_object(
        {
            "entities": {"type": "array", "items": _strict_object(entity)},
            "confidence": probability,
        }
    )


def _strict_object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
