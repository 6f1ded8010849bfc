"""What belongs to a model version: every file with its sha256, and where the model came from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.errors import ModelStoreError

FORMAT = 1
MANIFEST_FILE = "manifest.json"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class Manifest(BaseModel):
    """The content of ``manifest.json``; ``files`` maps plain names to sha256 hex digests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    kind: str
    created: datetime
    about: Mapping[str, Any]
    files: Mapping[str, str]


def write_manifest(folder: Path, kind: str, about: Mapping[str, object]) -> None:
    """Describe the files in ``folder``. Raises ``ModelStoreError`` for a folder inside it."""
    manifest = Manifest(
        format=FORMAT,
        kind=kind,
        created=datetime.now(UTC),
        about=about,
        files={path.name: _sha256(path) for path in _model_files(folder)},
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest in ``folder``, itself checked; the files are left for :func:`verify`."""
    path = folder / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a manifest"
        raise ModelStoreError(_damaged(folder, f"cannot read {MANIFEST_FILE}: {reason}")) from error
    if manifest.format != FORMAT:
        raise ModelStoreError(_damaged(folder, f"format {manifest.format} is not {FORMAT}"))
    return manifest


def verify(folder: Path) -> Manifest:
    """The manifest of ``folder``, once exactly the files it names are there, unchanged.

    Raises :class:`~backend.errors.ModelStoreError` saying what differs.
    """
    manifest = read_manifest(folder)
    try:
        found = {path.name: _sha256(path) for path in _model_files(folder)}
    except OSError as error:
        raise ModelStoreError(_damaged(folder, str(error))) from error
    differing = sorted(name for name, _ in found.items() ^ manifest.files.items())
    if differing:
        raise ModelStoreError(_damaged(folder, f"changed files: {', '.join(set(differing))}"))
    return manifest


def _model_files(folder: Path) -> list[Path]:
    paths = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST_FILE]
    for path in paths:
        if path.is_symlink() or not path.is_file() or not _PLAIN_NAME.fullmatch(path.name):
            raise ModelStoreError(_damaged(folder, f"{path.name!r} is not a plain file"))
    return paths


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(folder: Path, reason: str) -> str:
    return (
        f"The model version {folder} cannot be used: {reason}. "
        f"Restore it from a backup, or train again."
    )
