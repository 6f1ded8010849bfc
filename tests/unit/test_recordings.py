import gzip
import json
from pathlib import Path

import pytest

from backend.errors import CorpusError, InputError
from backend.llm.recordings import Recording, read_recordings

RECORD = {"id": "xyz-0", "tokens": ["Ada"], "gold": ["B-PER"], "responses": [[["Ada", "B-PER"]]]}


def write(path: Path, *lines: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def only(folder: Path) -> Recording:
    (recording,) = read_recordings(folder)
    return recording


@pytest.mark.parametrize("name", ["xyz.jsonl", "xyz.jsonl.gz"])
def test_a_file_holds_what_a_model_answered_in_a_language(tmp_path, name):
    write(tmp_path / "some-model" / name, RECORD)
    recording = only(tmp_path)
    assert (recording.model, recording.language) == ("some-model", "xyz")
    assert (recording.records[0].tokens, recording.answers) == (("Ada",), 1)


def test_models_and_languages_come_in_order(tmp_path):
    for name in ("b/yor", "a/zul", "a/bam"):
        write(tmp_path / f"{name}.jsonl", RECORD)
    found = [(recording.model, recording.language) for recording in read_recordings(tmp_path)]
    assert found == [("a", "bam"), ("a", "zul"), ("b", "yor")]


def test_an_unparsed_answer_joins_its_record(tmp_path):
    write(tmp_path / "m" / "xyz.jsonl", RECORD)
    raw = {"model": "m", "lang": "xyz", "id": "xyz-0", "raw": '[["Ada", "B-PER"]'}
    write(tmp_path / "unparsed_raw.jsonl.gz", raw)
    assert only(tmp_path).records[0].answers == ([["Ada", "B-PER"]], raw["raw"])


def test_the_most_answers_to_a_sentence_are_the_repetitions(tmp_path):
    twice = RECORD | {"id": "xyz-1", "responses": [[], []]}
    write(tmp_path / "m" / "xyz.jsonl", RECORD, twice)
    assert only(tmp_path).repetitions == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ({**RECORD, "tokens": None}, "the record has no list of 'tokens'"),
        ({**RECORD, "tokens": ["Ada", 7]}, "the record has no list of 'tokens'"),
        ({**RECORD, "responses": "none"}, "the record has no list of 'responses'"),
        ({**RECORD, "gold": []}, "the record's 'gold' is not one tag for each token"),
    ],
)
def test_a_line_that_is_no_record_is_kept_with_its_place_and_the_reason(tmp_path, line, reason):
    write(tmp_path / "m" / "xyz.jsonl", RECORD, line)
    recording = only(tmp_path)
    assert len(recording.records) == 1
    assert [item.reason for item in recording.unusable] == [f"xyz.jsonl, line 2: {reason}"]


def test_a_record_without_gold_has_none(tmp_path):
    write(tmp_path / "m" / "xyz.jsonl", {k: v for k, v in RECORD.items() if k != "gold"})
    assert only(tmp_path).records[0].gold is None


@pytest.mark.parametrize("missing", ["raw", "id", "lang", "model"])
def test_an_unparsed_answer_without_a_sentence_is_kept_with_the_reason(tmp_path, missing):
    write(tmp_path / "m" / "xyz.jsonl", RECORD)
    raw = {"model": "m", "lang": "xyz", "id": "xyz-0", "raw": "[]"}
    write(tmp_path / "unparsed_raw.jsonl", {k: v for k, v in raw.items() if k != missing})
    recordings = read_recordings(tmp_path)
    assert [group.answers for item in recordings for group in item.unusable] == [1]


def test_a_folder_without_recordings_is_said_to_be_one(tmp_path):
    with pytest.raises(InputError, match="There are no recordings in"):
        read_recordings(tmp_path)


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        read_recordings(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"{}" * 999)[:20]])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "xyz.jsonl.gz").write_bytes(content)
    with pytest.raises(CorpusError, match=r"xyz\.jsonl\.gz"):
        read_recordings(tmp_path)
