"""What is measured: the answers of one annotator to the texts of one language.

An annotator is a model, a tagger or a person. It may have been asked about each text several
times, and its answers may have been read in more than one way (forgiving or not).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from backend.domain import Span
from backend.errors import InputError
from backend.text.tokens import TokenOffsets

AS_GIVEN = "as given"
"""The reading of answers that are spans already, or that nothing was mended in."""

Answer = frozenset[Span] | None
"""The spans of one answer; ``None`` for one that failed, or that was paid for and never came."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A text with the spans that are right, and its tokens for what is counted by token."""

    id: str
    text: str
    tokens: tuple[TokenOffsets, ...]
    gold: frozenset[Span]


@dataclass(frozen=True, slots=True)
class Bill:
    """What all answers of a cell cost. ``estimated``: from counted tokens, not a provider's bill.

    ``usd`` is ``None`` where no price is known. ``basis`` says what the numbers rest on.
    """

    answers: int
    input_tokens: int
    output_tokens: int
    usd: Decimal | None
    estimated: bool
    basis: str


@dataclass(frozen=True, slots=True)
class Cell:
    """Texts of one language and one annotator's answers to them.

    ``readings``: by name, for each text as many answers as the annotator was asked for, in order;
    failures are among them. The last reading is the one that is ranked by. ``problems`` counts
    what could not be used, by reason. ``prompt_version``: of the prompt that was answered, empty
    where there was none or nobody wrote it down.
    """

    annotator: str
    language: str
    texts: tuple[Judged, ...]
    readings: Mapping[str, tuple[tuple[Answer, ...], ...]]
    bill: Bill | None = None
    problems: Mapping[str, int] = field(default_factory=dict)
    prompt_version: str = ""

    @property
    def answers(self) -> tuple[tuple[Answer, ...], ...]:
        """The answers in the reading that is ranked by."""
        return list(self.readings.values())[-1]

    @property
    def repetitions(self) -> int:
        """How often the annotator was asked about each text."""
        return max((len(answers) for answers in self.answers), default=0)

    @property
    def ids(self) -> list[str]:
        """The texts' ids, which are those of the same texts in other cells of the language."""
        return [text.id for text in self.texts]


def single(
    annotator: str,
    language: str,
    answered: Iterable[tuple[Judged, Answer]],
    bill: Bill | None = None,
    problems: Mapping[str, int] | None = None,
) -> Cell:
    """The cell of an annotator that was asked once and answers in spans."""
    pairs = list(answered)
    texts = tuple(text for text, _ in pairs)
    answers = tuple((answer,) for _, answer in pairs)
    return Cell(annotator, language, texts, {AS_GIVEN: answers}, bill, problems or {})


def by_language(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Cells in groups that can be compared; raises InputError where there is nothing to measure."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.texts:
            groups.setdefault(cell.language, []).append(cell)
    if not groups:
        raise InputError(
            "There is nothing to measure: no text has both gold labels and an annotator. Records "
            "need a 'gold' tag for each token."
        )
    return dict(sorted(groups.items()))
