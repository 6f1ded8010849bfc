"""Files of a data set, downloaded, checked and laid out as ``HARAMBEE_DATA`` expects them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from backend.datasets.catalogue import SPLITS, Dataset
from backend.errors import InputError
from backend.protocols import Progress, silent

TIMEOUT_SECONDS = (10.0, 60.0)
LARGEST_FILE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where GitHub's interface and its files are: the public ones, or a mirror's."""

    api: str = "https://api.github.com"
    files: str = "https://raw.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit by its whole name, and git's sum of each file in it, by path."""

    commit: str
    blobs: Mapping[str, str]


class Downloader:
    """Fetches files of one data set. Nothing is followed to another address."""

    def __init__(self, dataset: Dataset, hosts: Hosts | None = None) -> None:
        self._dataset = dataset
        self._hosts = hosts or Hosts()
        self._session = requests.Session()
        retry = Retry(total=3, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def revision(self) -> Revision:
        """What the repository holds at the data set's commit."""
        repository = f"{self._hosts.api}/repos/{self._dataset.repository}"
        commit = self._json(f"{repository}/commits/{self._dataset.commit}")
        whole = str(commit.get("sha", ""))
        if not whole.startswith(self._dataset.commit):
            raise self._unusable(f"the commit {self._dataset.commit} is not there")
        tree = self._json(f"{repository}/git/trees/{commit['commit']['tree']['sha']}?recursive=1")
        blobs = {item["path"]: item["sha"] for item in tree["tree"] if item["type"] == "blob"}
        return Revision(whole, blobs)

    def languages(self, revision: Revision) -> list[str]:
        """The languages that have every split, sorted."""
        folder = f"{self._dataset.folder}/"
        found = {
            path[len(folder) :].split("/")[0] for path in revision.blobs if path.startswith(folder)
        }
        return sorted(
            language
            for language in found
            if all(self._dataset.path(language, split) in revision.blobs for split in SPLITS)
        )

    def content(self, revision: Revision, language: str, split: str) -> bytes:
        """One file, checked; raises :class:`~backend.errors.InputError` for a changed one."""
        path = self._dataset.path(language, split)
        url = f"{self._hosts.files}/{self._dataset.repository}/{revision.commit}/{path}"
        content = self._get(url).content
        if not self.is_right(content, revision, language, split):
            raise InputError(
                f"{path} did not arrive as it was published: its check sum is another. Nothing "
                "was kept of it. Run the command again; if it happens again, the repository or "
                "something on the way to it has changed the file."
            )
        return content

    def is_right(self, content: bytes, revision: Revision, language: str, split: str) -> bool:
        """Whether a file's content has the sums that it should have."""
        known = self._dataset.sha256.get(f"{language}/{split}")
        if known is not None and hashlib.sha256(content).hexdigest() != known:
            return False
        return blob_name(content) == revision.blobs[self._dataset.path(language, split)]

    def _json(self, url: str) -> Any:
        try:
            return self._get(url).json()
        except requests.JSONDecodeError as error:
            raise self._unusable(f"{url} is no JSON") from error

    def _get(self, url: str) -> requests.Response:
        try:
            response = self._session.get(
                url, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=False
            )
        except requests.RequestException as error:
            raise self._unusable(str(error)) from error
        if response.status_code != requests.codes.ok:
            raise self._unusable(f"{url} answered {response.status_code} {response.reason}")
        if len(response.content) > LARGEST_FILE:
            raise self._unusable(f"{url} is larger than {LARGEST_FILE} bytes")
        return response

    def _unusable(self, reason: str) -> InputError:
        return InputError(
            f"{self._dataset.title} could not be fetched: {reason}. What has arrived is kept; run "
            f"the command again once github.com/{self._dataset.repository} can be reached."
        )


def blob_name(content: bytes) -> str:
    """What git calls a file with this content."""
    header = f"blob {len(content)}\0".encode("ascii")
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def fetch(
    downloader: Downloader,
    dataset: Dataset,
    languages: Sequence[str] | None,
    folder: Path,
    progress: Progress = silent,
) -> list[Path]:
    """Put the files of some languages, or of all, under ``folder``; returns their paths.

    ``folder/<name>/<language>/<split>.txt.gz``, as ``HARAMBEE_DATA`` expects it. Files that are
    there and right are not fetched again. Raises :class:`~backend.errors.InputError` for a
    language that is not there, and for what cannot be fetched, kept or trusted.
    """
    revision = downloader.revision()
    offered = downloader.languages(revision)
    wanted = list(languages) if languages else offered
    if unknown := sorted(set(wanted) - set(offered)):
        raise InputError(
            f"{dataset.title} has no {', '.join(unknown)}. It has: {', '.join(offered)}."
        )
    files = [(language, split) for language in wanted for split in SPLITS]
    paths = []
    for done, (language, split) in enumerate(files):
        progress(done, len(files), f"{language}/{split}")
        path = folder / dataset.name / language / f"{split}.txt.gz"
        if not any(downloader.is_right(it, revision, language, split) for it in _kept(path)):
            _keep(path, downloader.content(revision, language, split))
        paths.append(path)
    progress(len(files), len(files), "files")
    return paths


def _kept(path: Path) -> Iterator[bytes]:
    """The content of a file that an earlier run kept, if it is there and whole."""
    try:
        yield gzip.decompress(path.read_bytes())
    except (OSError, EOFError):
        return


def _keep(path: Path, content: bytes) -> None:
    """The whole file or none; equal content makes equal bytes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_bytes(gzip.compress(content, mtime=0))
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}. Choose another --out.") from error
