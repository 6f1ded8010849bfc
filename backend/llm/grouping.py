"""Which texts are asked about together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backend.domain import Task
from backend.llm.prompt import language_of

MOST_CHARACTERS = 3000
"""Of the texts of one question together: about what one answer has room for."""


def grouped(
    tasks: Iterable[Task], most_texts: int, most_characters: int = MOST_CHARACTERS
) -> Iterator[list[Task]]:
    """Tasks of one language together, in the order in which they come.

    Guidelines differ by language, so a question has one. Of each language one group at a time is
    filled up; whatever is left of them comes last. A text of more than ``most_characters`` is a
    group of its own, and so is a blank one, which is not asked about.
    """
    filling: dict[str | None, list[Task]] = {}
    for task in tasks:
        if most_texts == 1 or not task.text.strip() or len(task.text) > most_characters:
            yield [task]
            continue
        language = language_of(task)
        group = filling.setdefault(language, [])
        if sum(len(other.text) for other in group) + len(task.text) > most_characters:
            yield filling.pop(language)
            group = filling.setdefault(language, [])
        group.append(task)
        if len(group) == most_texts:
            yield filling.pop(language)
    yield from filling.values()
