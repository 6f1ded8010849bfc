"""The paper's question in its own words, for those who have its repository.

harambee ships prompts of the same structure in other words (``paper-single``, ``paper-batch2``),
as nothing of the original is copied here. Files of the form that the paper's repository has them in
make it ask exactly what Kholodna et al. (2024, arXiv 2404.02261) asked:

``templates.json``
    ``{"system": ..., "single": ..., "batch2": ...}`` with ``{language}``, ``{examples}`` and
    ``{sentence}`` or ``{inputs}`` in the places of these.
``few_shot_single.json``, ``few_shot_batch2.json``
    Examples by the English name of their language. They are optional. All of the paper's own are
    sentences of MasakhaNER's test part: leave these out when scoring.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.errors import ConfigurationError
from backend.llm.prompt import Brief, Prompt

PLACEHOLDER = re.compile(r"\{(language|examples|sentence|inputs)\}")

KEYS = {"paper-single": "single", "paper-batch2": "batch2"}

LANGUAGE_NAMES = {
    "bam": "Bambara",
    "bbj": "Ghomala'",
    "ewe": "Ewe",
    "fon": "Fon",
    "hau": "Hausa",
    "ibo": "Igbo",
    "kin": "Kinyarwanda",
    "lug": "Luganda",
    "luo": "Luo (Kenya and Tanzania)",
    "mos": "Mossi",
    "nya": "Chichewa",
    "pcm": "Nigerian Pidgin",
    "sna": "Shona",
    "swa": "Swahili",
    "tsn": "Tswana",
    "twi": "Twi",
    "wol": "Wolof",
    "xho": "Xhosa",
    "yor": "Yoruba",
    "zul": "Zulu",
}
"""The languages of MasakhaNER 2.0 by their ISO 639-3 codes, under the names the examples have."""


class PaperPrompt(Prompt):
    """``paper-single`` or ``paper-batch2`` with the words of a templates file.

    Labels, guidelines and accepted examples of the project have no place in it.
    """

    def __init__(self, name: str, templates: Path) -> None:
        if name not in KEYS:
            raise ConfigurationError(
                f"Templates of the paper are for the prompts {', '.join(KEYS)}, not for {name!r}."
            )
        super().__init__(name)
        examples = templates.parent / f"few_shot_{KEYS[name]}.json"
        words = _read(templates)
        try:
            self._system, self._user = str(words["system"]), str(words[KEYS[name]])
        except KeyError as missing:
            raise ConfigurationError(f"The templates in {templates} have no {missing}.") from None
        self._few_shot = _read(examples) if examples.is_file() else {}
        shaping = json.dumps([self._system, self._user, self._few_shot], sort_keys=True)
        digest = hashlib.sha256(shaping.encode("ascii")).hexdigest()
        self.version = f"{name}-exact+{digest[:8]}"

    @property
    def takes_examples(self) -> bool:
        """Never: it has its own."""
        return False

    def _written(self, texts: Sequence[str], language: str | None, brief: Brief) -> tuple[str, str]:
        name = LANGUAGE_NAMES.get(language or "", language or "")
        tokens = [text.split() for text in texts]
        values = {
            "language": name,
            "examples": _shown(self._few_shot.get(name, {})),
            "sentence": str(tokens[0]),
            "inputs": str({f"record_{number}": item for number, item in enumerate(tokens)}),
        }
        return _filled(self._system, values), _filled(self._user, values)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """All places filled at once, so that a text which looks like a place stays a text."""
    return PLACEHOLDER.sub(lambda place: values[place.group(1)], template)


def _shown(examples: Mapping[str, Any]) -> str:
    """Examples as Python writes lists, which is how the paper showed them."""
    if "input" in examples:
        return f"Example:\n{_pair(examples, ' ')}"
    return "\n".join(
        f"Example {number}:\n{_pair(example, '')}"
        for number, example in enumerate(examples.values(), start=1)
    )


def _pair(example: Mapping[str, Any], after_input: str) -> str:
    return f"Input: {example['input']}{after_input}\nOutput: {{ 'output': {example['output']} }}"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Cannot read the templates {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"The templates {path} must hold a JSON object.")
    return content
