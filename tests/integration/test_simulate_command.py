"""``harambee simulate`` from the outside: results, interruption, several processes, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from simulated import write_corpora
from typer.testing import CliRunner

from backend.active_learning.strategies import DEFAULT_BY_COST_UNIT, resolve
from backend.cli import app

DEFAULT = resolve("default", "sentence")
SIZE = ("--first", "20%", "--step", "10%", "--rounds", "2", "--seeds", "2")

DEFAULT = DEFAULT_BY_COST_UNIT["sentence"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("corpora"))


def run(*arguments: object):
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def results(out: Path):
    found = json.loads((out / "results.json").read_text())
    del found["command"]
    return found


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    """An experiment over both languages, in one process."""
    out = tmp_path_factory.mktemp("finished")
    result = run("--data", data, "--strategies", "default,longest", *SIZE, "--out", out,
                 "--processes", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    return out


class TestResults:
    def test_random_and_full_data_stand_beside_what_was_asked_for(self, finished):
        found = results(finished)

        curves = {(curve["language"], curve["strategy"]) for curve in found["curves"]}
        assert curves == {
            (place, strategy)
            for place in ("aaa", "bbb", "mean")
            for strategy in ("random", DEFAULT, "longest")
        }
        assert found["full_data"].keys() == {"aaa", "bbb", "mean"}
        assert found["configuration"]["strategies"] == {"default": DEFAULT, "longest": "longest"}

    def test_every_round_labels_what_was_planned(self, finished):
        for run_ in results(finished)["runs"]:
            if run_["strategy"] != "full-data":
                assert [each["texts"] for each in run_["rounds"]] == [20, 30, 40]

    def test_the_first_round_is_the_same_for_every_strategy(self, finished):
        first = {}
        for run_ in results(finished)["runs"]:
            if run_["strategy"] != "full-data":
                key = run_["language"], run_["seed"]
                first.setdefault(key, []).append(run_["rounds"][0]["scores"])

        assert len(first) == 4
        assert all(scores == [scores[0]] * 3 for scores in first.values())

    def test_intervals_and_comparisons_are_given(self, finished):
        found = results(finished)
        (curve,) = [
            curve
            for curve in found["curves"]
            if (curve["language"], curve["strategy"]) == ("mean", DEFAULT)
        ]
        (compared,) = [
            each
            for each in found["comparisons"]
            if (each["language"], each["strategy"]) == ("aaa", DEFAULT)
        ]

        f1 = curve["points"][-1]["f1"]
        assert f1["low"] < f1["value"] < f1["high"]
        assert compared["less_random_at_round_2"]["value"] is not None
        assert compared["below_full_data_at_last_round"]["value"] is not None

    def test_a_page_and_pictures_are_written(self, finished):
        page = (finished / "index.html").read_text()

        assert "<svg" in page
        assert "Strict span F1" in page
        assert {path.name for path in finished.glob("mean-*.svg")} == {
            "mean-texts.svg", "mean-tokens.svg", "mean-usd.svg",
        }  # fmt: skip


def test_two_processes_find_what_one_finds(data, finished, tmp_path):
    result = run("--data", data, "--strategies", "default,longest", *SIZE, "--out", tmp_path,
                 "--processes", 2)  # fmt: skip

    assert result.exit_code == 0, result.output
    assert results(tmp_path) == results(finished)


class TestInterruption:
    def command(self, data: Path, out: Path, processes: int) -> list[str]:
        return [
            sys.executable, "-m", "backend", "simulate", "--data", str(data),
            "--strategies", "default,longest", *SIZE, "--out", str(out),
            "--processes", str(processes),
        ]  # fmt: skip

    def wait_for_a_cell(self, process: subprocess.Popen, out: Path) -> None:
        deadline = time.monotonic() + 120
        while not list((out / "cells").glob("*.json")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @pytest.mark.parametrize(
        ("how", "processes"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 2)]
    )
    def test_a_run_that_was_cut_off_goes_on(self, data, finished, tmp_path, how, processes):
        command = self.command(data, tmp_path, processes)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.wait_for_a_cell(process, tmp_path)
        process.send_signal(how)
        output, _ = process.communicate(timeout=120)
        kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").glob("*.json")}

        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        assert results(tmp_path) == results(finished)
        assert kept
        assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
        if how is signal.SIGINT and process.returncode:
            assert process.returncode == 130
            assert "the same command goes on" in output

    def test_a_changed_configuration_is_not_mixed_up(self, data, finished, tmp_path):
        (tmp_path / "cells").mkdir()
        for path in (finished / "cells").iterdir():
            os.link(path, tmp_path / "cells" / path.name)

        arguments = ("--languages", "aaa", "--strategies", "longest", "--rounds", 1, "--seeds", 2)
        sizes = ("--first", "20%", "--step", "20%")
        result = run("--data", data, *arguments, *sizes, "--out", tmp_path)

        assert result.exit_code == 0, result.output
        rounds = [r["rounds"] for r in results(tmp_path)["runs"] if r["strategy"] == "longest"]
        assert [[each["texts"] for each in one] for one in rounds] == [[20, 40]] * 2

    def test_a_damaged_cell_is_computed_again(self, data, finished, tmp_path):
        (tmp_path / "cells").mkdir()
        for path in (finished / "cells").iterdir():
            (tmp_path / "cells" / path.name).write_bytes(path.read_bytes()[:50])

        result = run("--data", data, "--strategies", "default,longest", *SIZE, "--out", tmp_path)

        assert result.exit_code == 0, result.output
        assert results(tmp_path) == results(finished)


def test_the_papers_protocol_stands_beside_ours(data, tmp_path):
    """With a reference that has no curve of these languages."""
    reference = tmp_path / "reference.json"
    report = {"accuracy_on_gold_entity_subwords": 0.5}
    runs = {"aaa": {"test_reports": [report] * 3}}
    names = ("active_learning_on_ground_truth", "active_learning_on_foundation_model")
    reference.write_text(json.dumps(dict.fromkeys(names, runs)))

    result = run("--preset", "paper", "--data", data, "--languages", "aaa", "--seeds", 1, "--llm",
                 "gold", "--reference", reference, "--out", tmp_path, "--processes", 1)  # fmt: skip

    assert result.exit_code == 0, result.output
    gold, llm = results(tmp_path)["paper"]
    assert (gold["labels"], llm["labels"]) == ("gold", "LLM")
    assert gold["published_accuracy"] == [0.5] * 3
    assert (len(gold["accuracy"]), len(llm["accuracy"])) == (11, 6)
    assert "not comparable with strict span F1" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "other"], "--preset is paper, not 'other'"),
        (["--preset", "paper", "--reference", "x.json"], "x.json does not hold the paper's"),
        (["--languages", "xyz"], "There is no xyz in"),
        (
            ["--strategies", "clever"],
            "There is no query strategy 'clever'. Choose one of: default, random",
        ),
        (["--first", "0"], "'0' is no amount of texts"),
        (["--step", "many"], "'many' is no amount of texts"),
        (["--llm", "gpt"], "--llm 'gpt' is nobody"),
        (["--llm", "noisy:gpt-4-turbo"], "give their folder with --recordings"),
        (["--llm", "noisy:missing.json"], "missing.json holds no error model"),
        (["--routes", "default"], "The routes default need an LLM"),
        (["--routes", "own"], "--routes is all-human or human-only or llm-only or default"),
        (["--tagger", "hmm"], "--tagger is crf or transformer, not 'hmm'"),
        (["--paid-by", "word"], "There is no cost unit 'word'. Choose one of: sentence, token"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(data, tmp_path, arguments, message):
    result = run("--data", data, *arguments, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert message in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The train part of xxx holds no sentence"),
        ("a O\nb O\n", "The train part of xxx holds no labelled span"),
        ("a\n", "expected 'token tag'"),
        ("Ada B-PER\n", "is in its dev or test part too"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, content, message):
    (tmp_path / "xxx").mkdir()
    (tmp_path / "xxx" / "train.txt").write_text(content)
    (tmp_path / "xxx" / "test.txt").write_text("Ada B-PER\n")

    result = run("--data", tmp_path, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert message in result.stderr


def test_a_folder_without_languages_is_said(tmp_path):
    result = run("--data", tmp_path, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "There is no language in" in result.stderr
