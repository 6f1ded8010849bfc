"""What a team tells its annotators about the labels: files with a version, or a text of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.errors import ConfigurationError

GUIDELINES = Path(__file__).parent / "prompts" / "guidelines"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-v[0-9]+")
"""What counts as the name of guidelines; anything else is their text."""


@dataclass(frozen=True, slots=True)
class Guidelines:
    """A text for every language, and further ones for some.

    ``version`` is the name with a hash of all texts, empty where there are none.
    """

    version: str = ""
    general: str = ""
    by_language: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_text(cls, text: str) -> Guidelines:
        """Guidelines that a team has written into its settings."""
        text = text.strip()
        return cls(f"own+{_digest(text)}", text) if text else NO_GUIDELINES

    def for_language(self, language: str | None) -> str:
        """What to tell about texts in a language."""
        special = self.by_language.get(language.casefold(), "") if language else ""
        return "\n".join(part for part in (self.general, special) if part)


NO_GUIDELINES = Guidelines()


def find_guidelines(setting: str, folder: Path = GUIDELINES) -> Guidelines:
    """The guidelines that a setting names, or those that it spells out.

    ``NAME.md`` holds what is true of every language, ``NAME.LANGUAGE.md`` what is special in one,
    under the name that the tasks give it. Raises
    :class:`~backend.errors.ConfigurationError` for a name that there is not.
    """
    name = setting.strip()
    if not NAME.fullmatch(name):
        return Guidelines.of_text(setting)
    general = folder / f"{name}.md"
    if not general.is_file():
        known = ", ".join(guideline_names(folder))
        raise ConfigurationError(
            f"There are no guidelines {name!r}. Set llm.guidelines to {known}, or to a text."
        )
    special = {
        path.name.removeprefix(f"{name}.").removesuffix(".md"): _text(path)
        for path in sorted(folder.glob(f"{name}.*.md"))
    }
    version = f"{name}+{_digest(_text(general), *(f'{k}:{v}' for k, v in special.items()))}"
    return Guidelines(version, _text(general), special)


def guideline_names(folder: Path = GUIDELINES) -> list[str]:
    """The guidelines there are."""
    return sorted(path.stem for path in folder.glob("*.md") if "." not in path.stem)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n\n".join(texts).encode("utf-8", "replace")).hexdigest()[:8]
