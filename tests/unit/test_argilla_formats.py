"""Files in and out of Argilla."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from argilla_pipeline.formats import (
    FileKind,
    Labelled,
    kind_of_file,
    labelled_of,
    read_file,
    write_file,
)
from backend.domain import Annotation, LabelScheme, Span, Task
from backend.errors import InputError

SCHEME = LabelScheme(("PER", "LOC"))
TEXT = "🌍 Wangari lives in Nairobi ."
WANGARI, NAIROBI = Span(2, 9, "PER"), Span(19, 26, "LOC")
MOMENT = datetime(2026, 11, 21, 6, tzinfo=UTC)


def annotation(number, *spans, skipped=False):
    moment = MOMENT.replace(minute=number)
    return Annotation(f"a{number}", "r1", spans, f"annotator {number}", moment, skipped=skipped)


def items():
    made = [annotation(2, WANGARI, NAIROBI), annotation(1, WANGARI), annotation(3, skipped=True)]
    return [labelled_of(Task("r1", TEXT, "swa"), made), labelled_of(Task("r2", "Nobody ."), [])]


def test_the_newest_annotation_that_is_no_skip_counts_and_all_are_kept():
    first, second = items()
    assert first.spans == (WANGARI, NAIROBI)
    assert [made.id for made in first.annotations] == ["a1", "a2", "a3"]
    assert second.spans is None


@pytest.mark.parametrize("kind", FileKind)
def test_what_is_written_is_read_again(kind, tmp_path):
    path = tmp_path / "file"
    write_file(path, kind, items(), SCHEME)
    first, *others = read_file(path, kind, SCHEME, "swa")
    assert (first.text, first.spans) == (TEXT, (WANGARI, NAIROBI))
    assert first.language == "swa"
    assert len(others) == (kind is FileKind.LABEL_STUDIO)


def test_label_studio_gets_each_annotators_labels_apart(tmp_path):
    path = tmp_path / "tasks.json"
    assert write_file(path, FileKind.LABEL_STUDIO, items(), SCHEME) == 2
    task, _ = json.loads(path.read_text(encoding="utf-8"))
    assert [len(made["result"]) for made in task["annotations"]] == [1, 2, 0]
    assert [made["was_cancelled"] for made in task["annotations"]] == [False, False, True]
    region = task["annotations"][1]["result"][0]["value"]
    assert TEXT[region["start"] : region["end"]] == region["text"] == "Wangari"


def test_hugging_face_tags_are_names_in_its_features(tmp_path):
    datasets = pytest.importorskip("datasets")
    path = tmp_path / "data"
    assert write_file(path, FileKind.HF, items(), SCHEME) == 1
    data = datasets.load_from_disk(str(path))
    names = data.features["ner_tags"].feature.names
    assert names == ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    (row,) = data
    assert [names[tag] for tag in row["ner_tags"]] == ["O", "B-PER", "O", "O", "B-LOC", "O"]


def test_tokens_with_tags_of_somebody_else_are_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = [{"tokens": ["Wangari", "lives"], "ner_tags": ["B-PER", "O"]}]
    folder = str(tmp_path / "data")
    datasets.DatasetDict({"train": datasets.Dataset.from_list(rows)}).save_to_disk(folder)
    (item,) = read_file(Path(folder), FileKind.HF, SCHEME, None)
    assert (item.text, item.spans) == ("Wangari lives", (Span(0, 7, "PER"),))


def test_rows_that_hold_neither_are_named(tmp_path):
    datasets = pytest.importorskip("datasets")
    folder = str(tmp_path / "data")
    datasets.Dataset.from_list([{"words": "x"}]).save_to_disk(folder)
    with pytest.raises(InputError, match="row 1"):
        list(read_file(Path(folder), FileKind.HF, SCHEME, None))


def test_every_text_has_an_id_of_its_own(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Wangari B-PER\n\nNairobi B-LOC\n\n", encoding="utf-8")
    read = list(read_file(path, kind_of_file(path), SCHEME, "swa"))
    assert [item.id for item in read] == ["a.conll:1", "a.conll:2"]


def test_a_name_that_says_nothing_is_asked_about(tmp_path):
    with pytest.raises(InputError, match="--format"):
        kind_of_file(Path("names.xml"))


def test_an_unlabelled_text_is_no_labelled_one():
    assert Labelled("1", "x", None, None).annotations == ()
