"""Results of cells as files: written whole or not at all, found again by their configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.domain import SpanScores
from backend.errors import InputError
from backend.simulation.paper import PaperScores
from backend.simulation.plan import digest_of
from backend.simulation.play import Played

FOLDER = "cells"


class CellRecords:
    """The finished cells in an experiment's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot write to {folder}: {error}. Choose another --out.") from error

    def has(self, configured: Mapping[str, Any]) -> bool:
        """Whether a cell with this configuration is finished."""
        return self._path(configured).is_file()

    def get(self, configured: Mapping[str, Any]) -> list[Played] | None:
        """The rounds of a finished cell. A file that cannot be read counts as not there."""
        path = self._path(configured)
        try:
            data = json.loads(path.read_text("utf-8"))
            if data["configuration"] != configured:
                return None
            return [_played(each) for each in data["rounds"]]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            path.unlink(missing_ok=True)
            return None

    def keep(
        self, configured: Mapping[str, Any], rounds: Sequence[Played], cpu_seconds: float
    ) -> None:
        """Write a finished cell down, in one atomic step."""
        path = self._path(configured)
        data = {
            "configuration": configured,
            "rounds": [asdict(each) for each in rounds],
            "cpu_seconds": round(cpu_seconds, 2),
        }
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps(data, ensure_ascii=False) + "\n", "utf-8")
            temporary.replace(path)
        except OSError as error:
            raise InputError(f"Cannot write {path}: {error}.") from error

    def _path(self, configured: Mapping[str, Any]) -> Path:
        words = (configured["language"], configured["strategy"], configured["route"])
        name = "-".join((*words, str(configured["seed"]), digest_of(configured)))
        return self._folder / f"{name}.json"


def _played(data: dict[str, Any]) -> Played:
    scores = SpanScores(**data.pop("scores"))
    paper = data.pop("paper")
    queried = tuple(data.pop("queried"))
    by_paper = PaperScores(**paper) if paper else None
    return Played(**data, queried=queried, scores=scores, paper=by_paper)
