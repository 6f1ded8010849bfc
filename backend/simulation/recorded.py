"""Error models from recorded answers, and the files they are kept in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.domain import LabelScheme
from backend.errors import InputError
from backend.llm.recordings import Recording
from backend.llm.recovery import recovered_labels, spans_of
from backend.llm.token_labels import Fate
from backend.simulation.error_fitting import fit
from backend.simulation.error_model import ErrorModel, MadeUp, Observation

FORMAT = 1


def observations(recording: Recording, scheme: LabelScheme) -> Iterator[Observation]:
    """Every answer to a sentence with gold labels, read back as in :mod:`backend.llm.recovery`.

    Answers that are missing or say nothing usable are failures. The answers to one sentence share
    a weight of 1.
    """
    repetitions = recording.repetitions
    for record in recording.records:
        if record.gold is None:
            continue
        text = " ".join(token for token in record.tokens if token)
        gold = spans_of(record.tokens, record.gold, scheme)
        for answer in record.answers:
            labels = recovered_labels(answer, record.tokens, scheme)
            usable = labels.fate is not Fate.REJECTED
            spans = spans_of(record.tokens, labels.tags, scheme) if usable else None
            yield Observation(text, gold, spans, 1 / repetitions)
        for _ in range(repetitions - len(record.answers)):
            yield Observation(text, gold, None, 1 / repetitions)


def fitted(
    recordings: Sequence[Recording], model: str, language: str, scheme: LabelScheme
) -> tuple[ErrorModel, str]:
    """The error model of ``model`` in ``language``, and what it was learnt from.

    Where the language was not recorded, all those that were stand for it. Raises
    :class:`~backend.errors.InputError` for a model without recordings.
    """
    of_model = [recording for recording in recordings if recording.model == model]
    if not of_model:
        known = ", ".join(sorted({recording.model for recording in recordings}))
        raise InputError(f"There are no recordings of {model!r}. Recorded are: {known}.")
    own = [recording for recording in of_model if recording.language == language]
    used = own or of_model
    learnt = fit(item for recording in used for item in observations(recording, scheme))
    return learnt, f"{model}: {', '.join(recording.language for recording in used)}"


def save_error_model(model: ErrorModel, path: Path) -> None:
    """Write the model as JSON."""
    try:
        path.write_text(json.dumps(as_json(model), indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error}. Choose another place.") from error


def load_error_model(path: Path) -> ErrorModel:
    """The model that :func:`save_error_model` wrote."""
    try:
        return from_json(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} holds no error model: {error}. harambee simulate writes them."
        ) from error


def as_json(model: ErrorModel) -> dict[str, Any]:
    """The form in which a model is written down."""
    return {"format": FORMAT, **asdict(model)}


def from_json(data: Mapping[str, Any]) -> ErrorModel:
    """The model that :func:`as_json` gave; raises ``ValueError`` for another format."""
    fields = dict(data)
    if (found := fields.pop("format")) != FORMAT:
        raise ValueError(f"format {found} instead of {FORMAT}")
    fields["shifts"] = tuple((int(a), int(b), float(share)) for a, b, share in fields["shifts"])
    fields["lengths"] = tuple(map(float, fields["lengths"]))
    fields["made_up"] = {label: MadeUp(**rates) for label, rates in fields["made_up"].items()}
    return ErrorModel(**fields)
