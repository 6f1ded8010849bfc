"""What a label means that a model wrote: one of the project's, in whatever form, or none."""

from __future__ import annotations

import regex

from backend.domain import LabelScheme
from backend.text.bio import OUTSIDE

TAG_PREFIX = regex.compile(r"^[BIESLU][-_ ](?=.)", regex.IGNORECASE)
_BETWEEN_LABELS = regex.compile(r"\s*[,;/|]\s*")
_OPENING_PREFIXES = frozenset("BSU")
_OUTSIDE_NAMES = frozenset({"o", "0", "other", "outside", "none", "out"})

SAME_LABELS = (
    frozenset({"per", "pers", "person", "personne", "pessoa", "persona", "mtu"}),
    frozenset({"loc", "location", "place", "lieu", "lugar", "localização", "mahali"}),
    frozenset({"org", "organization", "organisation", "organização", "organización", "shirika"}),
    frozenset({"date", "data", "fecha", "tarehe"}),
)
"""Names of the commonest labels in the languages that models fall into: English, French,
Portuguese, Spanish and Swahili."""


def canonical_label(label: str, scheme: LabelScheme) -> str | None:
    """The configured label that ``label`` means, or ``None`` where none or several fit.

    It may differ in case, white space, a ``B-``/``I-`` prefix, or, for the commonest labels, in
    being written out or in another language.
    """
    if label in scheme:
        return label
    names = [_fold(candidate) for candidate in (label, TAG_PREFIX.sub("", label.strip()))]
    for name in names:
        fitting = [known for known in scheme.labels if _fold(known) == name]
        if len(fitting) == 1:
            return fitting[0]
    for name in names:
        same = next((group for group in SAME_LABELS if name in group), frozenset())
        fitting = [known for known in scheme.labels if _fold(known) in same]
        if len(fitting) == 1:
            return fitting[0]
    return None


def read_tag(label: str, scheme: LabelScheme) -> str | None:
    """``O``, ``B-X`` or ``I-X`` for what a model wrote; ``None`` where that is no label.

    A label without a prefix is read as ``I-``: it goes on with a span of that label, or opens
    one. Of several in one string ("B-DATE, I-DATE") the first counts, if all that are known agree.
    """
    if label.strip().casefold() in _OUTSIDE_NAMES:
        return OUTSIDE
    parts = [label, *_BETWEEN_LABELS.split(label)]
    meant = [(part, known) for part in parts if (known := canonical_label(part, scheme))]
    if len({known for _, known in meant}) != 1:
        return None
    written, known = meant[0]
    prefix = None if written == known else TAG_PREFIX.match(written.strip())
    opens = prefix is not None and prefix.group()[0].upper() in _OPENING_PREFIXES
    return f"{'B' if opens else 'I'}-{known}"


def _fold(label: str) -> str:
    return " ".join(label.split()).casefold()
