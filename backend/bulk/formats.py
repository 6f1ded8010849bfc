"""The formats by the names they have on the command line."""

from __future__ import annotations

import enum
from pathlib import Path

from backend.bulk.items import FileFormat
from backend.bulk.label_studio_format import LabelStudioFormat, config_for
from backend.bulk.text_formats import ConllFormat, JsonLinesFormat, PlainTextFormat
from backend.domain import LabelScheme
from backend.errors import InputError
from backend.label_studio.labels import LabelConfig


class FormatName(enum.StrEnum):
    """What ``--format`` takes."""

    CONLL = "conll"
    JSONL = "jsonl"
    TXT = "txt"
    LABEL_STUDIO = "label-studio"


BY_SUFFIX = {
    ".conll": FormatName.CONLL,
    ".bio": FormatName.CONLL,
    ".iob2": FormatName.CONLL,
    ".jsonl": FormatName.JSONL,
    ".ndjson": FormatName.JSONL,
    ".txt": FormatName.TXT,
    ".json": FormatName.LABEL_STUDIO,
}


def format_of(path: Path) -> FormatName:
    """The format that a file's name speaks for."""
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in BY_SUFFIX:
        names = ", ".join(FormatName)
        raise InputError(f"What format has {path}? Say it with --format: {names}.")
    return BY_SUFFIX[suffix]


def build_format(
    name: FormatName, scheme: LabelScheme, config: LabelConfig | None = None
) -> FileFormat:
    """The format of that name; ``config`` is for Label Studio's, and holds the scheme's labels."""
    if name is FormatName.LABEL_STUDIO:
        return LabelStudioFormat(config or config_for(scheme))
    if name is FormatName.CONLL:
        return ConllFormat()
    return PlainTextFormat() if name is FormatName.TXT else JsonLinesFormat()


def scheme_of(labels: str) -> LabelScheme:
    """The scheme of labels that are parted by commas."""
    names = tuple(dict.fromkeys(name.strip() for name in labels.split(",") if name.strip()))
    if not names:
        raise InputError("Name at least one label, for example --labels PER,ORG,LOC,DATE.")
    if broken := [name for name in names if any(sign.isspace() for sign in name)]:
        raise InputError(f"A label cannot hold white space: {broken[0]!r}.")
    return LabelScheme(names)
