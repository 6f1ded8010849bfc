import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app

KEYS = {"model", "language", "answers", "exact", "repaired", "rejected", "f1_before", "f1_after"}


@pytest.fixture
def recordings(tmp_path) -> Path:
    """Two models in an invented language and scheme; one answer was never JSON."""
    record = {
        "id": "xx-00",
        "tokens": ["Ada", "saw", "Lagos"],
        "gold": ["B-Name", "O", "B-Place"],
        "responses": [
            [["Ada", "B-Name"], ["saw", "O"], ["Lagos", "B-Place"]],
            [["Ada", "B-Name"], ["Lagos", "B-Place"]],
        ],
    }
    for model in ("one", "two"):
        (tmp_path / model).mkdir()
        (tmp_path / model / "xx.jsonl").write_text(json.dumps(record) + "\n{broken\n")
    raw = {"model": "one", "lang": "xx", "id": "xx-00", "raw": "[('Ada', 'B-Name'), ('saw', 'O')"}
    (tmp_path / "unparsed_raw.jsonl").write_text(json.dumps(raw))
    return tmp_path


def run(*arguments: object):
    return CliRunner().invoke(app, ["llm", "recover", *map(str, arguments)])


def test_results_are_written_and_shown(recordings, tmp_path):
    out = tmp_path / "out.json"

    result = run("--recordings", recordings, "--out", out)

    assert result.exit_code == 0, result.output
    one, two = json.loads(out.read_text())
    assert one.keys() >= KEYS
    assert (one["model"], one["language"], one["answers"]) == ("one", "xx", 4)
    assert (one["exact"], one["repaired"], one["rejected"]) == (1, 2, 1)
    assert one["reasons"] == {"xx.jsonl, line 2: not a JSON object": 1}
    assert (two["f1_before"], two["f1_after"]) == (66.67, 100.0)
    assert "two" in result.output
    assert result.output.split("all, mean F1")[1].split()[:5] == ["7", "2", "3", "2", "0"]


def test_labels_can_be_given(recordings, tmp_path):
    out = tmp_path / "out.json"

    run("--recordings", recordings, "--out", out, "--labels", "Name")

    assert json.loads(out.read_text())[0]["repairs"]["label outside the scheme"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--recordings", "nowhere", "--out", "x"), "There is no folder nowhere"),
        (("--recordings", "{folder}", "--out", "{folder}"), "Cannot write"),
        (("--recordings", "{folder}/one", "--out", "x"), "There are no recordings"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(recordings, arguments, message):
    result = run(*(argument.format(folder=recordings) for argument in arguments))

    assert result.exit_code == 1
    assert message in result.stderr
