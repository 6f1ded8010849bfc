"""What a file is made of, whatever its format: texts to annotate, and how to write them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from backend.domain import Answer, LabelScheme, Suggestion, Task


@dataclass(frozen=True, slots=True)
class Item:
    """One text of a file. ``origin`` is what stood there, for its format to write back.

    The task's id is the item's place in the file, from 1.
    """

    task: Task
    origin: Any = None


@dataclass(frozen=True, slots=True)
class Annotated:
    """An item with its answer."""

    item: Item
    answer: Answer

    @property
    def suggestion(self) -> Suggestion | None:
        """The spans, if the model gave an answer that could be used."""
        return self.answer.suggestion


class FileFormat(Protocol):
    """One way to keep annotated texts in a file."""

    def read(self, path: Path, language: str | None) -> Iterator[Item]:
        """The texts of a file; ``language`` holds where the file names none.

        Raises :class:`~backend.errors.InputError` naming the place that cannot be read.
        """

    def write(self, path: Path, results: Sequence[Annotated], scheme: LabelScheme) -> None:
        """Write the texts in their order, each with its spans.

        A text without an answer never looks like one without entities.
        """
