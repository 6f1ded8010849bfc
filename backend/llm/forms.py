"""How prompts write texts down and what their answers look like: one form per file in prompts/."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain import Example, LabelScheme
from backend.llm.batched_answers import Parts, numbered_parts, recorded_parts
from backend.llm.delimiters import code_of, common_code
from backend.llm.readings import Reader, read_mentions, read_token_labels, token_offsets
from backend.text.bio import to_bio

Values = dict[str, Any]
"""What a template is rendered with."""

MANY = 50
"""Texts in one question, at most, where the answer numbers them."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way of asking.

    ``most_texts``: how many fit into one question. ``texts`` and ``examples`` make the values that
    the template's blocks of these names need; no ``examples`` where it has no such block.
    ``schema``: the JSON schema of an answer to so many texts, in the subset that strict modes
    take. ``parts``: the answer to each of so many texts, out of the whole answer; ``read`` reads
    one of them.
    ``examples_inside``: the block of texts has a place for the examples in its middle.
    """

    most_texts: int
    texts: Callable[[Sequence[str]], Values]
    examples: Callable[[Sequence[Example]], Values] | None
    schema: Callable[[LabelScheme, int], Mapping[str, Any]]
    parts: Callable[[str, int], Parts]
    read: Reader
    examples_inside: bool = False


def one_text(texts: Sequence[str]) -> Values:
    """The only text, and the code for its tags."""
    return {"text": texts[0], "code": code_of(texts[0])}


def tagged_texts(texts: Sequence[str]) -> Values:
    """All texts, and one code for their tags."""
    return {"texts": texts, "code": common_code(texts)}


def tagged_examples(examples: Sequence[Example]) -> Values:
    """The examples, the code for their tags, and the answer that should be given to them."""
    items = [
        {
            "i": number,
            "e": [
                {"m": example.text[span.start : span.end], "l": span.label}
                for span in example.spans
            ],
        }
        for number, example in enumerate(examples, start=1)
    ]
    answer = json.dumps({"s": items}, ensure_ascii=False, separators=(",", ":"))
    code = common_code([example.text for example in examples])
    return {"examples": examples, "answer": answer, "code": code}


def token_lists(texts: Sequence[str]) -> Values:
    """Each text as a JSON list of what white space separates, which is what corpora call tokens."""
    return {"texts": [in_json(text.split()) for text in texts]}


def token_examples(examples: Sequence[Example]) -> Values:
    """The examples as JSON lists of tokens, and of pairs of token and tag."""
    return {
        "examples": [
            {"tokens": in_json(example.text.split()), "tagged": in_json(tagged_tokens(example))}
            for example in examples
        ]
    }


def tagged_tokens(example: Example) -> list[list[str]]:
    """The tokens of a text with their BIO tags."""
    offsets = token_offsets(example.text)
    tags, _ = to_bio(offsets, example.spans)
    return [[example.text[start:end], tag] for (start, end), tag in zip(offsets, tags, strict=True)]


def in_json(value: Any) -> str:
    """As a model reads it best: no escapes but those that JSON needs."""
    return json.dumps(value, ensure_ascii=False)


def mention_schema(labels: Sequence[str]) -> Mapping[str, Any]:
    """A list of mentions."""
    probability = {"type": "number"}
    entity = {
        "mention": {"type": "string"},
        "label": {"type": "string", "enum": list(labels)},
        "occurrence": {"type": "integer"},
        "confidence": probability,
    }
    return _strict_object({"entities": _list_of(_strict_object(entity)), "confidence": probability})


def short_schema(labels: Sequence[str]) -> Mapping[str, Any]:
    """A list of mentions for each text, with short keys."""
    entity = {
        "m": {"type": "string"},
        "l": {"type": "string", "enum": list(labels)},
        "n": {"type": "integer"},
        "c": {"type": "integer"},
    }
    text = {
        "i": {"type": "integer"},
        "e": _list_of(_strict_object(entity)),
        "c": {"type": "integer"},
    }
    return _strict_object({"s": _list_of(_strict_object(text))})


def token_schema() -> Mapping[str, Any]:
    """Pairs of token and tag."""
    return _strict_object({"output": _list_of(_list_of({"type": "string"}))})


def record_schema(texts: int) -> Mapping[str, Any]:
    """Pairs of token and tag, under a key for each text."""
    pairs = _list_of(_list_of({"type": "string"}))
    return _strict_object(
        {"output": _strict_object({f"record_{number}": pairs for number in range(texts)})}
    )


def _list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _strict_object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


FORMS: Mapping[str, Form] = {
    "entities-v1": Form(
        most_texts=1,
        texts=one_text,
        examples=None,
        schema=lambda scheme, _: mention_schema(scheme.labels),
        parts=lambda answer, _: {0: answer},
        read=read_mentions,
    ),
    "entities-v2": Form(
        most_texts=MANY,
        texts=tagged_texts,
        examples=tagged_examples,
        schema=lambda scheme, _: short_schema(scheme.labels),
        parts=numbered_parts,
        read=read_mentions,
    ),
    "paper-single": Form(
        most_texts=1,
        texts=token_lists,
        examples=token_examples,
        schema=lambda _, __: token_schema(),
        parts=lambda answer, _: {0: answer},
        read=read_token_labels,
        examples_inside=True,
    ),
    "paper-batch2": Form(
        most_texts=2,
        texts=token_lists,
        examples=token_examples,
        schema=lambda _, texts: record_schema(texts),
        parts=recorded_parts,
        read=read_token_labels,
        examples_inside=True,
    ),
}
