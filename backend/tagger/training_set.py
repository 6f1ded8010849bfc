"""Examples as token sequences with tags: what every family of taggers learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from backend.domain import Example, LabelScheme
from backend.errors import InputError
from backend.text.bio import OUTSIDE, to_bio
from backend.text.tokens import TokenOffsets, tokenise

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TaggedText:
    """One example: ``tokens`` and ``tags`` are equally many; it counts ``copies`` times."""

    text: str
    tokens: list[TokenOffsets]
    tags: list[str]
    copies: int


def tagged_texts(examples: Sequence[Example], scheme: LabelScheme) -> list[TaggedText]:
    """Tokenised examples, those without tokens or weight left out.

    Spans with labels outside ``scheme`` are left out. What was left out or widened is logged.
    Raises :class:`~backend.errors.InputError` when no span remains to learn from.
    """
    tagged = []
    foreign = inexact = 0
    for example in examples:
        spans = [span for span in example.spans if span.label in scheme]
        foreign += len(example.spans) - len(spans)
        tokens = tokenise(example.text)
        tags, widened = to_bio(tokens, spans)
        inexact += widened
        if tokens and example.copies > 0:
            tagged.append(TaggedText(example.text, tokens, tags, example.copies))
    if foreign or inexact:
        log.warning("training spans changed", outside_the_scheme=foreign, widened=inexact)
    if all(tag == OUTSIDE for one in tagged for tag in one.tags):
        raise InputError(
            f"None of the {len(examples)} examples holds a span of the project's labels "
            f"({', '.join(scheme.labels)}), so there is nothing to learn from. "
            f"Label some tasks that mention them first."
        )
    return tagged
