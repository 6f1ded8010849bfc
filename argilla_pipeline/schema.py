"""What a dataset in Argilla is made of: a text, a question about its spans, and what orders it.

Pure: Argilla's JSON to and from values. Argilla fixes the labels of a dataset when it is published;
``harambee-argilla migrate`` carries everything over into a new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain import LabelScheme, ReviewKind
from backend.errors import ConfigurationError, LabelConfigError

Json = dict[str, Any]

TEXT_FIELD = "text"
QUESTION = "spans"
UNCERTAINTY = "uncertainty"
PROPERTIES: Mapping[str, str] = {
    UNCERTAINTY: "float",
    "confidence": "float",
    "round": "integer",
    "language": "terms",
    "model_version": "terms",
    "route": "terms",
}
"""What records can be sorted and filtered by, and its kind."""
MOST_LABELS = 500
"""Argilla's own limit, unless its server sets ARGILLA_SPAN_OPTIONS_MAX_ITEMS."""
LONGEST_GUIDELINES = 10_000
LONGEST_LABEL = 200
LONGEST_DESCRIPTION = 1000
SHOWN_LABELS = 20


@dataclass(frozen=True, slots=True)
class Schema:
    """Where a dataset keeps its text and its spans, and the labels that it takes."""

    text_field: str
    question: str
    question_id: str
    scheme: LabelScheme
    overlapping: bool = False

    def to_text(self) -> str:
        """As the store keeps it with the project."""
        return json.dumps(
            {
                "text_field": self.text_field,
                "question": self.question,
                "question_id": self.question_id,
                "labels": {
                    label: self.scheme.descriptions.get(label, "") for label in self.scheme.labels
                },
                "overlapping": self.overlapping,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_text(cls, text: str) -> Schema:
        """Undo :meth:`to_text`."""
        kept = json.loads(text)
        return cls(
            kept["text_field"],
            kept["question"],
            kept["question_id"],
            scheme_of(kept["labels"]),
            kept["overlapping"],
        )


def scheme_of(labels: Mapping[str, str]) -> LabelScheme:
    """A scheme from labels with their descriptions, which may be empty."""
    described = {label: description for label, description in labels.items() if description}
    return LabelScheme(tuple(labels), described)


def read_schema(
    fields: Iterable[Json],
    questions: Iterable[Json],
    *,
    text_field: str | None = None,
    question: str | None = None,
) -> Schema:
    """Where a dataset, made by whomever, keeps text and spans.

    ``question`` names the span question where there are several. Raises
    :class:`~backend.errors.LabelConfigError` saying what the dataset has instead.
    """
    questions = list(questions)
    spans = [item for item in questions if item["settings"]["type"] == "span"]
    chosen = [item for item in spans if question in (None, item["name"])]
    if len(chosen) != 1:
        has = ", ".join(f"{item['name']} ({item['settings']['type']})" for item in questions)
        wrong = "has no span question" if not spans else "has several span questions"
        if question is not None and spans:
            wrong = f"has no span question {question!r}"
        raise LabelConfigError(
            f"The dataset {wrong}: its questions are {has or 'none'}. harambee suggests spans; "
            "name the question in argilla.question, or make a dataset with harambee-argilla setup."
        )
    settings = chosen[0]["settings"]
    source = settings["field"]
    kinds = {item["name"]: item["settings"]["type"] for item in fields}
    if kinds.get(source) != "text" or text_field not in (None, source):
        raise LabelConfigError(
            f"The question {chosen[0]['name']!r} is about the field {source!r}, which is "
            f"{kinds.get(source, 'missing')}, and argilla.text_field asks for "
            f"{text_field or 'any text field'!r}. Correct argilla.text_field or argilla.question."
        )
    return Schema(
        source,
        chosen[0]["name"],
        str(chosen[0]["id"]),
        scheme_of({option["value"]: described(option) for option in settings["options"]}),
        bool(settings.get("allow_overlapping")),
    )


def described(option: Json) -> str:
    """What is known of a label beside the value it is stored as."""
    shown = option["text"] if option["text"] != option["value"] else ""
    return ": ".join(part for part in (shown, option.get("description") or "") if part)


def field_to_json() -> Json:
    """The text of a new dataset."""
    settings = {"type": "text", "use_markdown": False}
    return {"name": TEXT_FIELD, "title": "Text", "required": True, "settings": settings}


def question_to_json(scheme: LabelScheme) -> Json:
    """The span question of a new dataset; a text without any entity is answered by no span.

    Raises :class:`~backend.errors.LabelConfigError` for labels that Argilla cannot take.
    """
    check_labels(scheme)
    options = [
        {"value": label, "text": label}
        | ({"description": shown[:LONGEST_DESCRIPTION]} if shown else {})
        for label in scheme.labels
        for shown in [scheme.descriptions.get(label, "")]
    ]
    return {
        "name": QUESTION,
        "title": "Which names stand in the text?",
        "required": True,
        "settings": {
            "type": "span",
            "field": TEXT_FIELD,
            "options": options,
            "visible_options": max(3, min(len(options), SHOWN_LABELS))
            if len(options) > 3
            else None,
            "allow_overlapping": False,
        },
    }


def check_labels(scheme: LabelScheme) -> None:
    """Refuse what Argilla would refuse, in words that help."""
    if not scheme.labels:
        raise LabelConfigError(
            "There is no label: set argilla.labels, for example {PER: a person}."
        )
    if len(scheme.labels) > MOST_LABELS:
        raise LabelConfigError(
            f"{len(scheme.labels)} labels are more than the {MOST_LABELS} that Argilla takes in "
            "one question. Merge some, or start Argilla with ARGILLA_SPAN_OPTIONS_MAX_ITEMS="
            f"{len(scheme.labels)} and make the dataset there: harambee works with it as it is."
        )
    if broken := [name for name in scheme.labels if not 0 < len(name.strip()) <= LONGEST_LABEL]:
        raise LabelConfigError(
            f"The label {broken[0][:40]!r} cannot be used: labels have 1 to {LONGEST_LABEL} "
            "characters."
        )


def property_to_json(name: str, kind: str) -> Json:
    """A metadata property that annotators may sort by."""
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "settings": {"type": kind},
        "visible_for_annotators": True,
    }


def missing_properties(
    existing: Iterable[Json], wanted: Mapping[str, str] = PROPERTIES
) -> list[Json]:
    """The metadata properties of those ``wanted`` that a dataset still needs.

    Raises :class:`~backend.errors.ConfigurationError` where one of ours is there as another kind.
    """
    kinds = {item["name"]: item["settings"]["type"] for item in existing}
    for name, kind in wanted.items():
        if kinds.get(name, kind) != kind:
            raise ConfigurationError(
                f"The dataset has a metadata property {name!r} of type {kinds[name]}, and harambee "
                f"keeps a {kind} under that name. Use a dataset without it: harambee-argilla "
                "migrate copies this one."
            )
    return [property_to_json(*item) for item in wanted.items() if item[0] not in kinds]


def guidelines(scheme: LabelScheme, link: str, team: str = "") -> str:
    """What annotators read: the labels, what the team says of them, and where to begin."""
    labels = "\n".join(
        f"- **{label}**" + (f": {shown}" if (shown := scheme.descriptions.get(label)) else "")
        for label in scheme.labels
    )
    parts = [
        f"[Begin with the least certain text]({link}): the suggestions that help most to correct "
        "come first. Without this link Argilla shows the texts in a random order.",
        f"## Labels\n{labels}",
        team.strip(),
        "Correct what is suggested, add what is missing, submit. A text without any name is "
        "submitted without a span; discard what is no text at all.",
    ]
    text = "\n\n".join(part for part in parts if part)
    return text if len(text) <= LONGEST_GUIDELINES else f"{text[: LONGEST_GUIDELINES - 1]}…"


def place_key(kind: ReviewKind) -> str:
    """The metadata property that a queue of reviews is sorted by: 1 is first."""
    return kind.value


def reason_key(kind: ReviewKind) -> str:
    """Where the reason for a review stands in a record's metadata."""
    return f"{kind.value}_reason"


def sorted_link(url: str, dataset_id: str) -> str:
    """The annotation page with the most uncertain pending record first."""
    return (
        f"{url}/dataset/{dataset_id}/annotation-mode"
        f"?page=1&status=pending&sort=metadata.{UNCERTAINTY}.desc"
    )


def changed_labels(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """How two lists of labels differ, empty where they do not."""
    new = [label for label in ours if label not in theirs]
    gone = [label for label in theirs if label not in ours]
    parts = [f"{', '.join(new)} new"] if new else []
    parts += [f"{', '.join(gone)} gone"] if gone else []
    return "; ".join(parts)
