"""Labels on their way from the tokens that a model gave back to the tokens of the text."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backend.domain import LabelScheme, Rejection
from backend.llm.parsing import storable
from backend.llm.token_items import LabelledToken
from backend.text.bio import OUTSIDE, split_tag
from backend.text.labels import read_tag
from backend.text.token_alignment import Likeness, Link


class Repair(enum.StrEnum):
    """What had to be mended in an answer."""

    SYNTAX = "not JSON as it stands"
    SHAPE = "not a pair of token and label"
    SPELLING = "token in another normal form"
    CASE = "token in other case"
    PIECES = "token merged or split"
    ALTERED = "token altered"
    MISSING = "token missing"
    EXTRA = "token that is not in the text"
    LABEL_FORM = "label in another form"
    LABEL_UNKNOWN = "label outside the scheme"
    TAG_ORDER = "I- without B-"


_OF_LIKENESS = {
    Likeness.SPELLING: Repair.SPELLING,
    Likeness.CASE: Repair.CASE,
    Likeness.PIECES: Repair.PIECES,
    Likeness.ALTERED: Repair.ALTERED,
}


class Fate(enum.StrEnum):
    """What became of an answer."""

    EXACT = "exact"
    REPAIRED = "repaired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class TokenLabels:
    """What an answer says of one text.

    ``tags``: one for each token of the text, legal IOB2, all ``O`` if the answer is rejected.
    ``repairs`` counts tokens or labels by what was mended; ``rejected`` are the labels that could
    not be used; ``reason`` says why the whole answer could not, and is empty otherwise.
    """

    tags: tuple[str, ...]
    repairs: Mapping[Repair, int] = field(default_factory=dict)
    rejected: tuple[Rejection, ...] = ()
    reason: str = ""

    @property
    def fate(self) -> Fate:
        """Exact only if nothing had to be mended."""
        if self.reason:
            return Fate.REJECTED
        return Fate.REPAIRED if self.repairs else Fate.EXACT


class Labelling:
    """Labels on their way from given tokens to the text's, and what is mended on it."""

    def __init__(
        self, given: Sequence[LabelledToken], source: Sequence[str], scheme: LabelScheme
    ) -> None:
        self._given = given
        self._source = source
        self._tags = [OUTSIDE] * len(source)
        self._scheme = scheme
        self._repairs: Counter[Repair] = Counter()
        self._rejected: list[Rejection] = []

    def along(self, links: Sequence[Link]) -> TokenLabels:
        """Give each linked token of the text the label of what it is linked to."""
        for link in links:
            if kind := _OF_LIKENESS.get(link.likeness):
                self._repairs[kind] += 1
            self._label(link)
        linked_given = sum(link.given_stop - link.given_start for link in links)
        linked = sum(link.stop - link.start for link in links)
        self._repairs[Repair.MISSING] += len(self._tags) - linked
        self._repairs[Repair.EXTRA] += len(self._given) - linked_given
        self._repairs[Repair.SHAPE] += sum(not item.as_asked for item in self._given)
        self._make_legal()
        return TokenLabels(tuple(self._tags), +self._repairs, tuple(self._rejected))

    def _label(self, link: Link) -> None:
        pieces = self._given[link.given_start : link.given_stop]
        tags = [tag for tag in map(self._tag, pieces) if tag != OUTSIDE]
        if not tags:
            return
        if len({split_tag(tag)[1] for tag in tags}) > 1:
            words = "".join(piece.token for piece in pieces)
            self._reject(words, ", ".join(tags), "the pieces of the token have different labels")
            return
        inside = f"I-{split_tag(tags[0])[1]}"
        start, stop = self._without_marks_around(link.start, link.stop)
        self._tags[start:stop] = [tags[0]] + [inside] * (stop - start - 1)

    def _without_marks_around(self, start: int, stop: int) -> tuple[int, int]:
        """The places that are left of a merged token ("Lagos,") without punctuation around it."""
        while stop - start > 1 and not _has_letters(self._source[stop - 1]):
            stop -= 1
        while stop - start > 1 and not _has_letters(self._source[start]):
            start += 1
        return start, stop

    def _tag(self, item: LabelledToken) -> str:
        """The tag that an item's label means, ``O`` for one that means none."""
        if item.label is None or item.label == OUTSIDE:
            return OUTSIDE
        tag = read_tag(item.label, self._scheme)
        if tag is None:
            self._reject(item.token, item.label, "the label is not one of the project's")
            return OUTSIDE
        if item.follows:
            return f"I-{split_tag(tag)[1]}" if tag != OUTSIDE else OUTSIDE
        self._repairs[Repair.LABEL_FORM] += tag != item.label
        return tag

    def _reject(self, token: str, label: str, reason: str) -> None:
        self._repairs[Repair.LABEL_UNKNOWN] += 1
        self._rejected.append(Rejection(storable(token), storable(label), reason))

    def _make_legal(self) -> None:
        """An ``I-X`` that no ``X`` precedes opens a span, as in the CoNLL-2000 scorer."""
        before = ""
        for at, tag in enumerate(self._tags):
            prefix, label = split_tag(tag)
            if prefix == "I" and label != before:
                self._tags[at] = f"B-{label}"
                self._repairs[Repair.TAG_ORDER] += 1
            before = label


def _has_letters(token: str) -> bool:
    return any(map(str.isalnum, token))
