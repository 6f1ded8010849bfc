"""Model versions on disk: complete or absent, never changed, one of them serving.

::

    shelf/
      .lock            held while writing, so that one process writes at a time
      v0001/           a version: the tagger's files and manifest.json with their sha256
      v0002/
      promoted.json    {"history": [1, 2]}: the last one serves

A version is written under a temporary name, flushed to disk, then renamed; the pointer is
replaced by a rename as well. A process that is killed leaves at most a temporary folder, which
the next writer removes.
"""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from backend.active_learning.calibrated_tagger import with_calibration
from backend.errors import MissingExtraError, ModelStoreError
from backend.protocols import Tagger, TaggerFamily
from backend.tagger.durable_files import exclusive, replace_json, sync_folder, sync_tree
from backend.tagger.manifest import Manifest, read_manifest, verify, write_manifest

log = structlog.get_logger(__name__)

_POINTER = "promoted.json"
_LOCK = ".lock"
_TEMPORARY = ".writing-"
_HISTORY = 100

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A tagger in memory (or none), and the state of the pointer that led to it."""

    stamp: Stamp
    serving: tuple[int, Tagger] | None


class ModelShelf:
    """The model versions of one project in ``folder``, which need not exist yet.

    ``families`` maps each kind of tagger that a version may hold to what loads it. Keep one shelf
    per project and process: it keeps the serving tagger in memory. Safe under threads and
    processes.
    """

    def __init__(self, folder: Path, families: Mapping[str, TaggerFamily]) -> None:
        self._folder = folder
        self._families = families
        self._loading = threading.Lock()
        self._loaded: _Loaded | None = None

    def publish(self, tagger: Tagger, about: Mapping[str, object]) -> int:
        """Store a new version, complete or not at all, and return its number (1, 2, ...).

        ``about`` is kept in the manifest: metrics, labels, the training set's digest, whatever
        JSON can hold. Raises :class:`~backend.errors.ModelStoreError` when the disk refuses.
        """
        with self._writing():
            temporary = self._folder / f"{_TEMPORARY}{uuid.uuid4().hex}"
            temporary.mkdir()
            try:
                tagger.save(temporary)
                write_manifest(temporary, tagger.kind, about)
                sync_tree(temporary)
                number = max([0, *self.versions(), *self._history()]) + 1
                temporary.rename(self._version(number))  # fails if the version is there
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            sync_folder(self._folder)
            return number

    def promote(self, number: int) -> None:
        """Let a published version serve, in one atomic switch.

        Raises :class:`~backend.errors.ModelStoreError` for a version that is missing or damaged;
        the one that served before goes on serving.
        """
        verify(self._version(number))
        with self._writing():
            earlier = [past for past in self._history() if past != number]
            self._point_to([*earlier, number])

    def rollback(self) -> int:
        """Let the version promoted before the current one serve again; returns its number.

        Raises :class:`~backend.errors.ModelStoreError` when there is none.
        """
        with self._writing():
            history = self._history()[:-1]
            if not history:
                raise ModelStoreError("There is no earlier promoted model version to roll back to.")
            verify(self._version(history[-1]))
            self._point_to(history)
            return history[-1]

    def serving(self) -> tuple[int, Tagger] | None:
        """The promoted version; the newest earlier one that verifies if it is damaged.

        ``None`` when nothing was promoted, or nothing promoted is usable. A look at the pointer
        file tells whether to load; while one thread loads a new version, the others go on with
        the one before.
        """
        loaded = self._loaded
        if loaded and loaded.stamp == self._stamp():
            return loaded.serving
        if not self._loading.acquire(blocking=loaded is None):
            return loaded.serving if loaded else None
        try:
            stamp = self._stamp()
            if self._loaded is None or self._loaded.stamp != stamp:
                self._loaded = _Loaded(stamp, self._newest_usable())
            return self._loaded.serving
        finally:
            self._loading.release()

    def load(self, number: int) -> Tagger:
        """A published version, promoted or not; see :meth:`backend.protocols.Models.load`."""
        return self._load(self._version(number))

    def versions(self) -> list[int]:
        """Numbers of all published versions, ascending, promoted or not."""
        names = (path.name for path in self._folder.glob("v[0-9]*"))
        return sorted(int(name[1:]) for name in names if name[1:].isdecimal())

    def describe(self, number: int) -> Manifest:
        """What the manifest says of a version; its files are not verified."""
        return read_manifest(self._version(number))

    def _version(self, number: int) -> Path:
        if number < 1:
            raise ModelStoreError(f"There is no model version {number}: they count from 1.")
        return self._folder / f"v{number:04d}"

    def _stamp(self) -> Stamp:
        try:
            status = (self._folder / _POINTER).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _history(self) -> list[int]:
        """Promoted versions, the last one serving.

        A damaged pointer no longer tells which versions were promoted; then all count, because
        a tagger of unknown rank helps annotators more than none.
        """
        try:
            content = json.loads((self._folder / _POINTER).read_bytes())
            return [int(number) for number in content["history"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("model pointer unreadable", folder=str(self._folder), error=repr(error))
            return self.versions()

    def _point_to(self, history: list[int]) -> None:
        replace_json(self._folder / _POINTER, {"history": history[-_HISTORY:]})

    def _newest_usable(self) -> tuple[int, Tagger] | None:
        for number in reversed(self._history()):
            try:
                return number, self._load(self._version(number))
            except (ModelStoreError, MissingExtraError) as error:
                log.warning("model version unusable", version=number, error=str(error))
        return None

    def _load(self, folder: Path) -> Tagger:
        kind = verify(folder).kind
        if kind not in self._families:
            raise ModelStoreError(f"The model version {folder} is of the unknown kind {kind!r}.")
        return with_calibration(self._families[kind].load(folder), folder)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the shelf's lock, without a killed writer's leftovers; disk errors explained."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with exclusive(self._folder / _LOCK):
                for leftover in self._folder.glob(f"{_TEMPORARY}*"):
                    shutil.rmtree(leftover)
                yield
        except OSError as error:
            raise ModelStoreError(
                f"Cannot write to the model folder {self._folder}: {error.strerror or error}. "
                f"Check that the disk has room and that the folder belongs to the user who runs "
                f"harambee, or set MODEL_DIR to another one."
            ) from error
