"""An annotator that asks several times, or several models, and says how far they agree."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from backend.domain import Answer, LabelScheme, Outcome, Source, SourceKind, Task
from backend.llm.votes import combined

TASKS_AT_A_TIME = 256
"""Tasks that one member answers before the next is asked, so that answers come as one waits."""

TO_ASK_AGAIN = frozenset({Outcome.UNREACHABLE, Outcome.OVER_BUDGET})


class Member(Protocol):
    """An annotator that can be told in whose run it answers."""

    @property
    def model(self) -> str:
        """See :attr:`backend.protocols.Annotator.model`."""

    @property
    def prompt_version(self) -> str:
        """See :attr:`backend.protocols.Annotator.prompt_version`."""

    def annotate(
        self, tasks: Sequence[Task], scheme: LabelScheme, run: str | None = None
    ) -> Iterator[Answer]:
        """See :meth:`backend.protocols.Annotator.annotate`; passes of one run share its budget."""


class PanelAnnotator:
    """:class:`backend.protocols.Annotator` whose answers are votes of its members.

    ``name`` says in the prompt's version how the votes came about. An answer to which a member
    could not be asked (budget, provider down) carries the first member's own version instead, so
    that it is asked for again; what was answered then comes from the cache.
    """

    def __init__(self, members: Sequence[Member], name: str) -> None:
        self._members = members
        self._name = name

    @property
    def model(self) -> str:
        """The first member's model."""
        return self._members[0].model

    @property
    def prompt_version(self) -> str:
        """The version of the first member's prompt, and how its answers are confirmed."""
        return f"{self._members[0].prompt_version}/{self._name}"

    def annotate(
        self, tasks: Sequence[Task], scheme: LabelScheme, run: str | None = None
    ) -> Iterator[Answer]:
        """See :meth:`backend.protocols.Annotator.annotate`."""
        run = run or uuid.uuid4().hex
        for start in range(0, len(tasks), TASKS_AT_A_TIME):
            some = tasks[start : start + TASKS_AT_A_TIME]
            answers: defaultdict[str, list[Answer]] = defaultdict(list)
            for member in self._members:
                for answer in member.annotate(some, scheme, run):
                    answers[answer.task_id].append(answer)
            for task in some:
                yield self._combined(answers[task.id])

    def _combined(self, answers: Sequence[Answer]) -> Answer:
        whole = not any(answer.outcome in TO_ASK_AGAIN for answer in answers)
        version = self.prompt_version if whole else self._members[0].prompt_version
        return combined(answers, Source(SourceKind.LLM, self.model, version))
