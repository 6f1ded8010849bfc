"""``harambee simulate --auxiliary``: labels of other languages, beside the same without them."""

import json
import os
import re
import subprocess
import sys

import pytest
from simulated import sentence, write_corpora
from typer.testing import CliRunner

from backend.cli import app
from backend.samples import sample_texts
from backend.text.conll import write_conll

SIZE = ("--first", 20, "--step", 10, "--rounds", 1, "--seeds", 1, "--processes", 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_corpora(tmp_path_factory.mktemp("corpora"))


def run(*arguments):
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def results(out):
    return json.loads((out / "results.json").read_text())


@pytest.fixture(scope="module")
def out(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    result = run("--data", data, "--auxiliary", "all", *SIZE, "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


class TestWithEveryLanguageOfTheFolder:
    def test_everything_is_played_with_them_and_without(self, out):
        curves = {
            (each["language"], each["strategy"], each["auxiliary"])
            for each in results(out)["curves"]
        }

        assert curves == {
            (place, strategy, with_them)
            for place in ("aaa", "bbb", "mean")
            for strategy in ("random", "top-entropy")
            for with_them in (False, True)
        }

    def test_each_round_tells_what_cross_validation_decided(self, out):
        runs = results(out)["runs"]

        for each in runs:
            decisions = [one["auxiliary"] for one in each["rounds"]]
            if each["auxiliary"]:
                assert all("cross_validated_f1" in one for one in decisions)
                assert all(isinstance(one["accepted"], bool) for one in decisions)
            else:
                assert decisions == [None] * len(decisions)

    def test_what_they_brought_is_the_difference_to_the_same_without_them(self, out):
        found = results(out)
        curves = {
            (each["language"], each["strategy"], each["auxiliary"]): each["points"]
            for each in found["curves"]
        }

        for each in found["auxiliary"]:
            key = each["language"], each["strategy"]
            pairs = zip(curves[*key, True], curves[*key, False], strict=True)
            expected = [with_["f1"]["value"] - alone["f1"]["value"] for with_, alone in pairs]
            assert [gain["value"] for gain in each["gain"]] == pytest.approx(expected, abs=1e-5)
            assert all(0 <= share <= 1 for share in each["share_of_trainings"])

    def test_it_is_written_down_whose_labels_these_were(self, out):
        described = results(out)["configuration"]["auxiliary"]

        assert {language: list(sources) for language, sources in described.items()} == {
            "aaa": ["bbb"],
            "bbb": ["aaa"],
        }
        assert all(each["texts"] for sources in described.values() for each in sources.values())

    def test_the_page_has_a_section_on_it(self, out):
        page = (out / "index.html").read_text()

        assert "Labels of other languages" in page
        assert re.search(r"aaa gets \d+ texts of bbb", page)


def test_the_settings_files_are_taken_where_nothing_is_said(data, tmp_path, monkeypatch):
    path = data / "bbb" / "train.txt"
    monkeypatch.setenv("HARAMBEE_TAGGER__AUXILIARY", json.dumps([str(path)]))

    result = run("--data", data, "--languages", "aaa", *SIZE, "--out", tmp_path)

    assert result.exit_code == 0, result.output
    assert list(results(tmp_path)["configuration"]["auxiliary"]["aaa"]) == [str(path)]
    assert results(tmp_path)["configuration"]["tagger"]["auxiliary"] == []


def test_processes_log_as_the_one_that_started_them(data, tmp_path):
    """To standard error; what is said on standard output stays readable."""
    size = map(str, SIZE[:-1])
    command = [
        sys.executable, "-m", "backend", "simulate", "--data", str(data), "--languages", "aaa",
        "--auxiliary", "bbb", *size, "2", "--out", str(tmp_path),
    ]  # fmt: skip

    done = subprocess.run(
        command, env=os.environ | {"LOG_LEVEL": "INFO"}, capture_output=True, text=True, check=True
    )

    lines = [line for line in done.stderr.splitlines() if '"labels of other languages"' in line]
    assert lines
    assert all(json.loads(line)["level"] == "info" for line in lines)
    assert "labels of other languages" not in done.stdout


def test_what_is_finished_is_not_computed_again(data, out):
    before = {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}

    result = run("--data", data, "--auxiliary", "all", *SIZE, "--out", out)

    assert result.exit_code == 0, result.output
    assert {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()} == before


def test_a_users_own_labels_are_projected_with_others_at_hand(data, tmp_path):
    own = [example for _, example in sample_texts()][::4]
    write_conll(tmp_path / "own.conll", map(sentence, own))

    result = run("--labels", tmp_path / "own.conll", "--data", data, "--auxiliary", "bbb",
                 "--expect", 200, "--seeds", 1, "--out", tmp_path / "out")  # fmt: skip

    assert result.exit_code == 0, result.output
    assert results(tmp_path / "out")["expected"][-1]["labels"] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--auxiliary", "xyz"], "'xyz' is no file and no language of --data"),
        (["--auxiliary", "aaa", "--languages", "aaa"], "no other language to help aaa"),
    ],
)
def test_what_cannot_help_is_said(data, tmp_path, arguments, message):
    result = run("--data", data, *arguments, *SIZE, "--out", tmp_path)

    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())
