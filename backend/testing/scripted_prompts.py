"""What a scripted model understands of the shipped prompts, and how it answers each of them."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain import Example, LabelScheme
from backend.llm.delimiters import ENCLOSED_TEXT, enclosed_texts
from backend.llm.forms import in_json, tagged_tokens
from backend.text.spans import Mention, align

Said = Sequence[Sequence[Mention]]
"""What there is to say of each text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The texts that a prompt asks about, and how the answer to them is written."""

    texts: tuple[str, ...]
    write: Callable[[Said], str]


def read_prompt(prompt: str) -> Reading | None:
    """The texts in any of the shipped prompts; ``None`` in what is none of them."""
    if enclosed := ENCLOSED_TEXT.search(prompt):
        return Reading((enclosed.group(2),), _one_list)
    if texts := enclosed_texts(prompt):
        return Reading(tuple(texts), _numbered_lists)
    tokens = _value_at_the_end(prompt)
    if isinstance(tokens, list):
        text = " ".join(tokens)
        return Reading((text,), lambda said: in_json({"output": _tagged(text, said[0])}))
    if isinstance(tokens, dict):
        return _records({name: " ".join(words) for name, words in tokens.items()})
    return None


def leave_out_last(answer: str) -> str:
    """The answer to several texts without its last part."""
    return _changed(answer, lambda items: items[:-1])


def repeat_first(answer: str) -> str:
    """The answer to several texts with its first part twice."""
    return _changed(answer, lambda items: [items[0], *items])


def mix_up(answer: str) -> str:
    """The answer to several texts with the numbers of the first two exchanged."""
    return _changed(answer, lambda items: [items[0] | {"i": 2}, items[1] | {"i": 1}, *items[2:]])


def _changed(answer: str, change: Callable[[list[Any]], list[Any]]) -> str:
    """The answer with other numbered parts; unchanged where there are not several."""
    items = json.loads(answer).get("s", [])
    return in_json({"s": change(items)}) if len(items) > 1 else answer


def _one_list(said: Said) -> str:
    entities = [
        {
            "mention": mention.text,
            "label": mention.label,
            "occurrence": mention.occurrence or 1,
            "confidence": _sure(mention),
        }
        for mention in said[0]
    ]
    return in_json({"entities": entities, "confidence": _overall(said[0])})


def _numbered_lists(said: Said) -> str:
    items = [
        {
            "i": number,
            "e": [
                {
                    "m": mention.text,
                    "l": mention.label,
                    "n": mention.occurrence or 1,
                    "c": round(100 * _sure(mention)),
                }
                for mention in mentions
            ],
            "c": round(100 * _overall(mentions)),
        }
        for number, mentions in enumerate(said, start=1)
    ]
    return json.dumps({"s": items}, ensure_ascii=False, separators=(",", ":"))


def _records(texts: dict[str, str]) -> Reading:
    def write(said: Said) -> str:
        lists = {
            name: _tagged(text, mentions)
            for (name, text), mentions in zip(texts.items(), said, strict=True)
        }
        return in_json({"output": lists})

    return Reading(tuple(texts.values()), write)


def _tagged(text: str, mentions: Sequence[Mention]) -> list[list[str]]:
    labels = LabelScheme(tuple(dict.fromkeys(mention.label for mention in mentions)))
    return tagged_tokens(Example("", text, align(text, mentions, labels).spans))


def _sure(mention: Mention) -> float:
    return 1.0 if mention.confidence is None else mention.confidence


def _overall(mentions: Sequence[Mention]) -> float:
    sure = [_sure(mention) for mention in mentions]
    return round(sum(sure) / len(sure), 2) if sure else 1.0


def _value_at_the_end(prompt: str) -> Any:
    """The list or object that the last line ends with, in the notation of JSON or of Python."""
    line = prompt.rstrip().rpartition("\n")[2]
    start = min((at for at in (line.find("["), line.find("{")) if at >= 0), default=len(line))
    for read in (json.loads, ast.literal_eval):
        try:
            return read(line[start:])
        except (ValueError, SyntaxError):
            continue
    return None
