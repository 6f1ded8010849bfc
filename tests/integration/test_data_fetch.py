"""A public data set, fetched over HTTP from a stand-in for GitHub on this machine."""

import gzip
import hashlib
import json
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.datasets import catalogue
from backend.datasets.catalogue import MASAKHANER2, SPLITS
from backend.datasets.download import Downloader, Hosts, blob_name, fetch
from backend.errors import InputError

COMMIT = f"{MASAKHANER2.commit}{'0' * 32}"
DATASET = replace(MASAKHANER2, sha256={})
FILES = {
    f"{DATASET.folder}/{language}/{split}.txt": f"Ada B-PER\n{language} O\n{split} O\n".encode()
    for language in ("xx", "yy")
    for split in SPLITS
}


class GitHub:
    """Answers as GitHub's interface and its raw files do; ``files`` is what it sends."""

    def __init__(self):
        self.files = dict(FILES)
        self.asked = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                status, content = outer.answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def answer(self, path):
        repository = f"/repos/{DATASET.repository}"
        tree = [
            {"path": path, "type": "blob", "sha": blob_name(content)}
            for path, content in FILES.items()
        ]
        raw = f"/{DATASET.repository}/{COMMIT}/"
        if path == f"{repository}/commits/{DATASET.commit}":
            return 200, json.dumps({"sha": COMMIT, "commit": {"tree": {"sha": "t"}}}).encode()
        if path == f"{repository}/git/trees/t":
            return 200, json.dumps({"tree": tree}).encode()
        if path.startswith(raw) and path[len(raw) :] in self.files:
            return self.status, self.files[path[len(raw) :]]
        return 404, b"Not Found"

    @property
    def fetched(self):
        return [path for path in self.asked if path.endswith(".txt")]

    def close(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def github():
    server = GitHub()
    yield server
    server.close()


@pytest.fixture
def downloader(github):
    return Downloader(DATASET, Hosts(github.url, github.url))


def contents(paths):
    return [gzip.decompress(path.read_bytes()) for path in paths]


def test_files_are_laid_out_as_the_tables_expect_them(downloader, tmp_path):
    paths = fetch(downloader, DATASET, ["xx"], tmp_path)
    expected = [tmp_path / "masakhaner2" / "xx" / f"{split}.txt.gz" for split in SPLITS]
    assert paths == expected
    assert contents(paths) == [FILES[DATASET.path("xx", split)] for split in SPLITS]


def test_all_languages_are_fetched_where_none_is_named(downloader, tmp_path):
    assert len(fetch(downloader, DATASET, None, tmp_path)) == len(FILES)


def test_what_is_there_is_not_fetched_again(downloader, github, tmp_path):
    fetch(downloader, DATASET, ["xx"], tmp_path)
    fetch(downloader, DATASET, None, tmp_path)
    assert len(github.fetched) == len(FILES)


@pytest.mark.parametrize("damage", [b"", b"not gzip", gzip.compress(b"Ada O\n")])
def test_a_damaged_file_on_the_disk_is_fetched_again(downloader, tmp_path, damage):
    path = fetch(downloader, DATASET, ["xx"], tmp_path)[0]
    path.write_bytes(damage)
    fetch(downloader, DATASET, ["xx"], tmp_path)
    assert contents([path]) == [FILES[DATASET.path("xx", "train")]]


@pytest.mark.parametrize("arrived", [b"", b"Ada B-PER\nxx O\ntra", b"Ada B-LOC\nxx O\ntrain O\n"])
def test_a_broken_or_changed_file_is_refused_and_not_kept(downloader, github, tmp_path, arrived):
    github.files[DATASET.path("xx", "dev")] = arrived
    with pytest.raises(InputError, match="check sum"):
        fetch(downloader, DATASET, ["xx"], tmp_path)
    kept = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert kept == ["train.txt.gz"]


def test_a_repository_that_changed_its_history_is_refused(github, tmp_path):
    first = DATASET.path("xx", "train")
    known = replace(DATASET, sha256={"xx/train": "0" * 64})
    with pytest.raises(InputError, match="check sum"):
        fetch(Downloader(known, Hosts(github.url, github.url)), known, ["xx"], tmp_path)
    assert any(path.endswith(first) for path in github.fetched)


def test_an_unknown_language_is_named_with_those_there_are(downloader, tmp_path):
    with pytest.raises(InputError, match=r"has no qq\. It has: xx, yy\."):
        fetch(downloader, DATASET, ["qq"], tmp_path)


def test_a_host_that_is_down_says_what_to_do(tmp_path):
    nowhere = Downloader(DATASET, Hosts("http://127.0.0.1:9", "http://127.0.0.1:9"))
    with pytest.raises(InputError, match="run the command again"):
        fetch(nowhere, DATASET, None, tmp_path)


class TestCommand:
    def run(self, github, tmp_path, monkeypatch, *more):
        monkeypatch.setattr("backend.commands.data.DATASETS", {"masakhaner2": DATASET})
        arguments = ["data", "fetch", "masakhaner2", "--out", str(tmp_path / "out")]
        mirrors = ["--api", github.url, "--files", github.url]
        return CliRunner().invoke(app, [*arguments, *mirrors, *more])

    def test_shows_the_licence_and_fetches(self, github, tmp_path, monkeypatch):
        result = self.run(github, tmp_path, monkeypatch, "--accept-licence", "--languages", "xx,yy")
        assert result.exit_code == 0
        assert "CC BY-NC 4.0" in result.output
        assert "6 files" in result.output

    def test_fetches_nothing_unless_the_licence_is_accepted(self, github, tmp_path, monkeypatch):
        result = self.run(github, tmp_path, monkeypatch)
        assert result.exit_code == 1
        assert "--accept-licence" in result.output
        assert not github.asked

    def test_knows_its_data_sets(self, github):
        result = CliRunner().invoke(app, ["data", "fetch", "ontonotes"])
        assert result.exit_code == 1
        assert "masakhaner2" in result.output


def test_the_sums_are_those_of_the_data_at_hand():
    if "HARAMBEE_DATA" not in os.environ:
        pytest.skip("HARAMBEE_DATA is not set: there is no data to compare the sums with")
    folder = Path(os.environ["HARAMBEE_DATA"]) / "masakhaner2"
    for name, expected in MASAKHANER2.sha256.items():
        content = gzip.decompress((folder / f"{name}.txt.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == expected, name


def test_every_sum_is_of_a_file_of_the_data_set():
    assert len(catalogue.MASAKHANER2.sha256) % len(SPLITS) == 0
    assert all(len(value) == 64 for value in catalogue.MASAKHANER2.sha256.values())
    assert {key.split("/")[1] for key in catalogue.MASAKHANER2.sha256} == set(SPLITS)
