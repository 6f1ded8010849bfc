"""Prompts are template files with a version; here they meet a project's labels and texts.

The version is the file's name with a hash of its content: an edited template is a new version, in
suggestions, in the cache and in the ledger, whether or not somebody thought of renaming it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend.domain import Example, LabelScheme, Task
from backend.errors import ConfigurationError
from backend.llm.batched_answers import Parts
from backend.llm.chat import ChatRequest
from backend.llm.delimiters import sendable
from backend.llm.forms import FORMS
from backend.llm.guidelines import NO_GUIDELINES, Guidelines
from backend.llm.parsing import InvalidAnswer
from backend.llm.readings import Reading

PROMPTS = Path(__file__).parent / "prompts"

LANGUAGE = re.compile(r"[\w ()'’-]{1,40}")


@dataclass(frozen=True, slots=True)
class Brief:
    """What a question holds besides its texts.

    ``examples`` are texts that people have labelled. Where they are the same for every text
    (``fixed_examples``) they belong to the part of the question that providers can cache.
    """

    scheme: LabelScheme
    guidelines: Guidelines = NO_GUIDELINES
    examples: tuple[Example, ...] = ()
    fixed_examples: bool = True
    max_output_tokens: int = 1000


class Prompt:
    """One version of a prompt."""

    def __init__(self, name: str, folder: Path = PROMPTS) -> None:
        path = folder / f"{name}.jinja"
        if name not in FORMS or not path.is_file():
            known = ", ".join(prompt_names(folder))
            raise ConfigurationError(f"There is no prompt {name!r}. Set llm.prompt to: {known}.")
        environment = Environment(  # noqa: S701 - prompts are plain text, not HTML
            loader=FileSystemLoader(folder), undefined=StrictUndefined
        )
        self._template = environment.get_template(path.name)
        self._form = FORMS[name]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.name = name
        self.version = f"{name}+{digest[:8]}"

    @property
    def most_texts(self) -> int:
        """How many texts can be asked about at once."""
        return self._form.most_texts

    @property
    def takes_examples(self) -> bool:
        """Whether the prompt has a place for labelled examples."""
        return self._form.examples is not None

    def question(self, tasks: Sequence[Task], brief: Brief) -> ChatRequest:
        """The question about tasks of one language: the fixed part first, the texts last.

        Texts, those of examples too, are closed in so that none of them can speak from outside:
        by tags with a code that no text holds, or as JSON strings.
        """
        language = language_of(tasks[0])
        texts = [sendable(task.text) for task in tasks]
        system, user = self._written(texts, language, brief)
        schema = self._form.schema(brief.scheme, len(tasks))
        return ChatRequest(system, user, schema, brief.max_output_tokens)

    def parts(self, answer: str, texts: int) -> Parts:
        """The answer to each of so many texts, out of the answer to their question.

        By the position of the text; without those that cannot be told apart or are missing.
        """
        return self._form.parts(answer, texts)

    def read(self, answer: str, text: str, scheme: LabelScheme) -> Reading | InvalidAnswer:
        """What an answer says of the one text that it is about, whole or a part of another."""
        part = self.parts(answer, 1).get(0, answer)
        return self._form.read(part, text, scheme)

    def _written(self, texts: Sequence[str], language: str | None, brief: Brief) -> tuple[str, str]:
        """System and user message."""
        scheme = brief.scheme
        values: dict[str, Any] = {
            "labels": scheme.labels,
            "descriptions": {label: scheme.descriptions.get(label) for label in scheme.labels},
            "guidelines": brief.guidelines.for_language(language),
            "language": language,
        }
        shown = self._examples(brief.examples)
        fixed = self._render("fixed", values)
        block = "texts" if "texts" in self._template.blocks else "text"
        asked = values | self._form.texts(texts) | {"examples": shown}
        user = self._render(block, asked)
        if self._form.examples_inside or not shown:
            return fixed, user
        if brief.fixed_examples:
            return f"{fixed}\n\n{shown}", user
        return fixed, f"{shown}\n\n{user}"

    def _examples(self, examples: Sequence[Example]) -> str:
        if not examples or self._form.examples is None:
            return ""
        writable = [replace(example, text=sendable(example.text)) for example in examples]
        return self._render("examples", self._form.examples(writable)).strip("\n")

    def _render(self, block: str, values: Mapping[str, Any]) -> str:
        context = self._template.new_context(dict(values))
        return "".join(self._template.blocks[block](context)).strip("\n")


def prompt_names(folder: Path = PROMPTS) -> list[str]:
    """The prompts there are."""
    return sorted(name for name in FORMS if (folder / f"{name}.jinja").is_file())


def language_of(task: Task) -> str | None:
    """The language, unless it could be something else: it comes with the task, like the text."""
    return task.language if task.language and LANGUAGE.fullmatch(task.language) else None
