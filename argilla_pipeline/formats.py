"""Files in and out of Argilla: Label Studio's JSON, CoNLL, and Hugging Face's datasets."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.bulk.label_studio_format import LabelStudioFormat, config_for
from backend.domain import Annotation, LabelScheme, Source, SourceKind, Span, Suggestion, Task
from backend.errors import InputError, MissingExtraError
from backend.label_studio.convert import prediction_to_json, read_annotation
from backend.text.bio import OUTSIDE, to_bio
from backend.text.conll import Sentence, read_conll, to_text, write_conll
from backend.text.tokens import tokenise


class FileKind(enum.StrEnum):
    """What ``--format`` takes."""

    LABEL_STUDIO = "label-studio"
    CONLL = "conll"
    HF = "hf"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with what is known of it. ``spans``: ``None`` where nobody has labelled it.

    ``annotations`` are every annotator's, the newest last.
    """

    id: str
    text: str
    language: str | None
    spans: tuple[Span, ...] | None
    annotations: tuple[Annotation, ...] = ()


def kind_of_file(path: Path) -> FileKind:
    """The format that a file's name speaks for; a folder is a data set of Hugging Face."""
    if path.is_dir() or not path.suffix:
        return FileKind.HF
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    kinds = {".json": FileKind.LABEL_STUDIO, ".conll": FileKind.CONLL, ".txt": FileKind.CONLL}
    kinds |= {".bio": FileKind.CONLL, ".iob2": FileKind.CONLL}
    if suffix not in kinds:
        names = ", ".join(FileKind)
        raise InputError(f"What format has {path}? Say it with --format: {names}.")
    return kinds[suffix]


# Reading ----------------------------------------------------------------------------------------


def read_file(
    path: Path, kind: FileKind, scheme: LabelScheme, language: str | None
) -> Iterator[Labelled]:
    """The texts of a file with the labels that it holds.

    Raises :class:`~backend.errors.InputError` naming what cannot be read.
    """
    readers = {
        FileKind.LABEL_STUDIO: read_label_studio,
        FileKind.CONLL: read_conll_file,
        FileKind.HF: read_hf,
    }
    yield from readers[kind](path, scheme, language)


def read_conll_file(path: Path, _scheme: LabelScheme, language: str | None) -> Iterator[Labelled]:
    """``token tag`` lines; a sentence without a span counts as labelled, too."""
    for number, sentence in enumerate(read_conll(path), start=1):
        text, spans = to_text(sentence)
        yield Labelled(f"{path.name}:{number}", text, language, spans)


def read_label_studio(path: Path, scheme: LabelScheme, language: str | None) -> Iterator[Labelled]:
    """Label Studio's export; the newest annotation that is no skip counts."""
    config = config_for(scheme)
    for number, item in enumerate(LabelStudioFormat(config).read(path, language), start=1):
        task, raw = item.task, item.origin
        made = [
            read_annotation(one, task.id, task.text, config).annotation
            for one in raw.get("annotations") or []
        ]
        standing = sorted((one for one in made if not one.skipped), key=lambda one: one.updated_at)
        spans = standing[-1].spans if standing else None
        yield Labelled(f"{path.name}:{raw.get('id', number)}", task.text, task.language, spans)


def read_hf(path: Path, _scheme: LabelScheme, language: str | None) -> Iterator[Labelled]:
    """What ``save_to_disk`` saved: ``text`` with ``spans``, or ``tokens`` with ``ner_tags``."""
    data = hf_datasets().load_from_disk(str(path))
    parts = list(data.items()) if hasattr(data, "items") else [("", data)]
    for name, part in parts:
        tags = part.features.get("ner_tags")
        names = getattr(getattr(tags, "feature", None), "names", None)
        for number, row in enumerate(part, start=1):
            text, spans = text_of_row(row, names, f"{path}, row {number}")
            spoken = row.get("language") or language
            yield Labelled(f"{path.name}:{name}{number}", text, spoken, spans)


def text_of_row(
    row: Mapping[str, Any], names: list[str] | None, place: str
) -> tuple[str, tuple[Span, ...] | None]:
    """Text and spans of a row in either form; the text as it is wins over its tokens."""
    text, spans = row.get("text"), row.get("spans")
    if isinstance(text, str):
        if spans is None:
            return text, None
        return text, tuple(Span(one["start"], one["end"], one["label"]) for one in spans)
    tokens, tags = row.get("tokens"), row.get("ner_tags")
    if not isinstance(tokens, list) or not isinstance(tags, list) or len(tokens) != len(tags):
        raise InputError(f"{place}: expected 'text' with 'spans', or 'tokens' with 'ner_tags'.")
    written = [names[tag] if names and isinstance(tag, int) else str(tag) for tag in tags]
    return to_text(Sentence(tuple(map(str, tokens)), tuple(written)))


# Writing ----------------------------------------------------------------------------------------


def write_file(path: Path, kind: FileKind, items: Iterable[Labelled], scheme: LabelScheme) -> int:
    """Write texts with their labels; returns how many.

    Only Label Studio's format has a place for texts that nobody has labelled.
    """
    kept = list(items)
    if kind is FileKind.LABEL_STUDIO:
        config = config_for(scheme)
        content = [task_to_json(number, item, config) for number, item in enumerate(kept, start=1)]
        text = json.dumps(content, ensure_ascii=False, indent=1)
        path.write_text(text + "\n", encoding="utf-8")
        return len(kept)
    kept = [item for item in kept if item.spans is not None]
    if kind is FileKind.CONLL:
        write_conll(path, map(sentence_of, kept))
    else:
        write_hf(path, kept, scheme)
    return len(kept)


def task_to_json(number: int, item: Labelled, config: Any) -> dict[str, Any]:
    """A task as Label Studio imports it, with each annotator's annotation."""
    data = {"text": item.text, "external_id": item.id}
    if item.language:
        data["language"] = item.language
    return {
        "id": number,
        "data": data,
        "annotations": [
            {"id": place, **annotation_to_json(made, item.text, config)}
            for place, made in enumerate(item.annotations, start=1)
        ],
    }


def annotation_to_json(made: Annotation, text: str, config: Any) -> dict[str, Any]:
    """One annotator's labels as Label Studio's regions."""
    source = Source(SourceKind.NONE, "argilla")
    suggestion = Suggestion(made.task_id, made.spans, 1.0, source)
    regions = prediction_to_json(suggestion, text, "argilla", config)["result"]
    return {
        "result": [{**region, "origin": "manual"} for region in regions],
        "was_cancelled": made.skipped,
        "updated_at": made.updated_at.isoformat(),
        "meta": {"annotator": made.annotator},
    }


def sentence_of(item: Labelled) -> Sentence:
    """The text's tokens and their tags; a span that ends inside a token takes it whole."""
    places = tokenise(item.text)
    tags, _ = to_bio(places, item.spans or ())
    return Sentence(tuple(item.text[start:end] for start, end in places), tuple(tags))


def write_hf(path: Path, items: Iterable[Labelled], scheme: LabelScheme) -> None:
    """A data set of Hugging Face on the disk: text, spans, tokens and tags."""
    datasets = hf_datasets()
    names = [OUTSIDE, *(f"{prefix}-{label}" for label in scheme.labels for prefix in "BI")]
    rows = []
    for item in items:
        sentence = sentence_of(item)
        spans = [{"start": s.start, "end": s.end, "label": s.label} for s in item.spans or ()]
        rows.append(
            {
                "id": item.id,
                "text": item.text,
                "language": item.language,
                "spans": spans,
                "tokens": list(sentence.tokens),
                "ner_tags": list(sentence.tags),
            }
        )
    span = {
        "start": datasets.Value("int64"),
        "end": datasets.Value("int64"),
        "label": datasets.Value("string"),
    }
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "text": datasets.Value("string"),
            "language": datasets.Value("string"),
            "spans": [span],
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=names)),
        }
    )
    datasets.Dataset.from_list(rows, features=features).save_to_disk(str(path))


def hf_datasets() -> Any:
    """The library, which comes with the extra."""
    try:
        import datasets  # noqa: PLC0415 - heavy, and optional
    except ImportError as error:
        raise MissingExtraError("Hugging Face's format", "argilla") from error
    return datasets


def labelled_of(task: Task, made: Iterable[Annotation]) -> Labelled:
    """A text with every annotator's labels; the newest that is no skip are its spans."""
    annotations = tuple(sorted(made, key=lambda one: one.updated_at))
    standing = [one for one in annotations if not one.skipped]
    spans = standing[-1].spans if standing else None
    return Labelled(task.id, task.text, task.language, spans, annotations)
