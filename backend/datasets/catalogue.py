"""Which data sets can be fetched: where they are, under which licence, and their check sums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set in a public repository on GitHub, at one commit of it.

    ``folder`` holds a folder for each language, and that a file for each split. ``sha256`` are the
    sums of files, by ``language/split``, as far as they were written down; every file is checked
    against the repository's own sums besides.
    """

    name: str
    title: str
    repository: str
    commit: str
    folder: str
    licence: str
    sha256: Mapping[str, str]

    def path(self, language: str, split: str) -> str:
        """A file's path in the repository."""
        return f"{self.folder}/{language}/{split}.txt"


def _sums(name: str) -> Mapping[str, str]:
    content = (Path(__file__).parent / f"{name}.sha256.json").read_text(encoding="utf-8")
    return MappingProxyType(json.loads(content))


MASAKHANER2 = Dataset(
    name="masakhaner2",
    title="MasakhaNER 2.0: named entities in twenty African languages (Adelani et al., EMNLP 2022)",
    repository="masakhane-io/masakhane-ner",
    commit="ba5843cd",
    folder="MasakhaNER2.0/data",
    licence=(
        "Creative Commons Attribution-NonCommercial 4.0 International (CC BY-NC 4.0): you may "
        "share and adapt the data for purposes that are not commercial, if you name its authors "
        "and say what you changed. https://creativecommons.org/licenses/by-nc/4.0/"
    ),
    sha256=_sums("masakhaner2"),
)

DATASETS: Mapping[str, Dataset] = MappingProxyType({MASAKHANER2.name: MASAKHANER2})
"""By the name that the command takes."""
