"""A file in, an annotated file out.

The durable memory of a run is the cache of answers: a run that was cut off is simply run again,
and asks only what it had no answer to. The output appears whole, at the end; it depends on the
answers alone, not on their order or on how many runs it took to get them.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.bulk.items import Annotated, FileFormat, Item
from backend.domain import Answer, LabelScheme, Outcome
from backend.errors import InputError
from backend.protocols import Annotator, Progress, silent

WORTH_RUNNING_AGAIN = frozenset({Outcome.UNREACHABLE, Outcome.OVER_BUDGET})
"""Outcomes of tasks without a paid answer: the same command may answer them later."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many texts ended how, and what happened to the mentions in their answers."""

    outcomes: Counter[Outcome]
    spans: int
    repaired: int
    rejected: int
    first_problem: str

    @property
    def texts(self) -> int:
        """How many there were."""
        return self.outcomes.total()

    @property
    def to_ask_again(self) -> int:
        """How many texts the same command would ask about again."""
        return sum(self.outcomes[outcome] for outcome in WORTH_RUNNING_AGAIN)


def read_items(path: Path, file_format: FileFormat, language: str | None) -> list[Item]:
    """The texts of a file; raises :class:`~backend.errors.InputError` if it holds none."""
    items = list(file_format.read(path, language))
    if not items:
        raise InputError(f"{path} holds no text to annotate.")
    return items


def account_of(items: Iterable[Item]) -> str:
    """The name of the budget of a corpus: equal texts have one budget, however often they run."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.task.text.encode("utf-8", "surrogatepass") + b"\0")
    return f"corpus:{digest.hexdigest()[:16]}"


def annotate_items(
    annotator: Annotator, items: Sequence[Item], scheme: LabelScheme, progress: Progress = silent
) -> list[Annotated]:
    """Every item with its answer, in the order of the file."""
    answers: dict[str, Answer] = {}
    progress(0, len(items), "texts")
    for answer in annotator.annotate([item.task for item in items], scheme):
        answers[answer.task_id] = answer
        progress(len(answers), len(items), "texts")
    return [Annotated(item, answers[item.task.id]) for item in items]


def write_whole(
    path: Path, file_format: FileFormat, results: Sequence[Annotated], scheme: LabelScheme
) -> None:
    """Put the annotated file at ``path``: all of it or, if that fails, what was there before."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        file_format.write(temporary, results, scheme)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}. No answer is lost.") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse, before anything is paid for, a place where no file can be put."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"Cannot write {path}: name a file in a folder that exists and is yours.")


def summary_of(results: Sequence[Annotated]) -> Summary:
    """What a run came to."""
    answers = [result.answer for result in results]
    return Summary(
        outcomes=Counter(answer.outcome for answer in answers),
        spans=sum(len(answer.suggestion.spans) for answer in answers if answer.suggestion),
        repaired=sum(answer.repaired for answer in answers),
        rejected=sum(len(answer.rejected) for answer in answers),
        first_problem=next((answer.detail for answer in answers if answer.detail), ""),
    )
