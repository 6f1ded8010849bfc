import errno
import json
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from structlog.testing import capture_logs

from backend.errors import ModelStoreError
from backend.tagger.checkpoints import ModelShelf
from backend.testing.taggers import FakeTagger, FakeTaggerFamily


def tagger(word="Lagos"):
    return FakeTagger({word: "LOC"}, ["LOC"])


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


def open_shelf(folder):
    return ModelShelf(folder, {"fake": FakeTaggerFamily()})


@pytest.fixture
def shelf(folder):
    return open_shelf(folder)


def publish_and_promote(shelf, *words):
    for word in words:
        shelf.promote(shelf.publish(tagger(word), {}))


def serving_word(shelf):
    number, serving = shelf.serving()
    return number, next(iter(serving.lexicon))


def damage(folder, number):
    (folder / f"v{number:04d}" / "fake.json").write_text("{}")


def test_a_shelf_without_a_folder_serves_nothing(shelf):
    assert shelf.serving() is None


def test_versions_are_numbered_from_1(shelf):
    assert [shelf.publish(tagger(), {}) for _ in range(3)] == [1, 2, 3]
    assert shelf.versions() == [1, 2, 3]


def test_a_published_version_does_not_serve_before_it_is_promoted(shelf):
    shelf.publish(tagger(), {})

    assert shelf.serving() is None


def test_the_promoted_version_serves(shelf):
    publish_and_promote(shelf, "Lagos", "Accra")

    assert serving_word(shelf) == (2, "Accra")


def test_an_older_version_can_be_promoted_again(shelf):
    publish_and_promote(shelf, "Lagos", "Accra")

    shelf.promote(1)

    assert serving_word(shelf) == (1, "Lagos")


def test_a_promotion_by_another_process_is_noticed(shelf, folder):
    publish_and_promote(shelf, "Lagos")
    shelf.serving()

    publish_and_promote(open_shelf(folder), "Accra")

    assert serving_word(shelf) == (2, "Accra")


def test_the_serving_tagger_is_loaded_once(shelf):
    publish_and_promote(shelf, "Lagos")

    assert shelf.serving()[1] is shelf.serving()[1]


def test_the_manifest_keeps_what_the_version_is_about(shelf):
    number = shelf.publish(tagger(), {"f1": 0.75, "labels": ["LOC"]})

    manifest = shelf.describe(number)

    assert (manifest.kind, manifest.about["f1"]) == ("fake", 0.75)
    assert set(manifest.files) == {"fake.json"}


def test_rollback_goes_to_the_version_promoted_before(shelf):
    publish_and_promote(shelf, "Lagos", "Accra")

    assert shelf.rollback() == 1
    assert serving_word(shelf) == (1, "Lagos")


def test_there_is_nothing_to_roll_back_to_behind_the_first_version(shelf):
    publish_and_promote(shelf, "Lagos")

    with pytest.raises(ModelStoreError, match="no earlier"):
        shelf.rollback()


def test_a_damaged_version_gives_way_to_the_last_good_one(folder, shelf):
    publish_and_promote(shelf, "Lagos", "Accra")
    damage(folder, 2)

    assert serving_word(open_shelf(folder)) == (1, "Lagos")


def test_a_fallback_is_logged_once(folder, shelf):
    publish_and_promote(shelf, "Lagos", "Accra")
    damage(folder, 2)
    reopened = open_shelf(folder)

    with capture_logs() as logs:
        for _ in range(3):
            reopened.serving()

    assert [entry["version"] for entry in logs] == [2]


def test_a_version_that_was_never_promoted_is_no_fallback(folder, shelf):
    publish_and_promote(shelf, "Lagos")
    shelf.publish(tagger("Accra"), {})
    damage(folder, 1)

    assert open_shelf(folder).serving() is None


def test_a_damaged_pointer_lets_the_newest_version_serve(folder, shelf):
    publish_and_promote(shelf, "Lagos", "Accra")
    (folder / "promoted.json").write_text("{")

    assert serving_word(open_shelf(folder)) == (2, "Accra")


@pytest.mark.parametrize("number", [0, -1, 7])
def test_a_version_that_is_not_there_cannot_be_promoted(shelf, number):
    publish_and_promote(shelf, "Lagos")

    with pytest.raises(ModelStoreError):
        shelf.promote(number)

    assert serving_word(shelf) == (1, "Lagos")


def test_a_damaged_version_cannot_be_promoted(folder, shelf):
    publish_and_promote(shelf, "Lagos")
    shelf.publish(tagger("Accra"), {})
    damage(folder, 2)

    with pytest.raises(ModelStoreError, match=r"changed files: fake\.json"):
        shelf.promote(2)

    assert serving_word(shelf) == (1, "Lagos")


def test_a_file_that_was_slipped_in_is_refused(folder, shelf):
    shelf.publish(tagger(), {})
    (folder / "v0001" / "weights.pkl").write_bytes(b"cos\nsystem\n")

    with pytest.raises(ModelStoreError, match=r"weights\.pkl"):
        shelf.promote(1)


def test_a_link_out_of_the_folder_is_refused(folder, shelf, tmp_path):
    shelf.publish(tagger(), {})
    model = folder / "v0001" / "fake.json"
    model.rename(tmp_path / "elsewhere.json")
    model.symlink_to(tmp_path / "elsewhere.json")

    with pytest.raises(ModelStoreError, match="not a plain file"):
        shelf.promote(1)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}'])
def test_a_damaged_manifest_is_refused(folder, shelf, content):
    shelf.publish(tagger(), {})
    (folder / "v0001" / "manifest.json").write_text(content)

    with pytest.raises(ModelStoreError, match="not a manifest"):
        shelf.promote(1)


def test_a_version_of_an_unknown_kind_is_not_served(folder, shelf):
    publish_and_promote(shelf, "Lagos")

    assert ModelShelf(folder, {}).serving() is None


class FullDisk(FakeTagger):
    def save(self, folder):
        (folder / "part").write_text("half a model")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_no_version_and_says_what_to_do(folder, shelf):
    publish_and_promote(shelf, "Lagos")

    with pytest.raises(ModelStoreError, match=r"No space left.*MODEL_DIR"):
        shelf.publish(FullDisk({}, ["LOC"]), {})

    assert shelf.versions() == [1]
    assert not list(folder.glob(".writing-*"))
    assert serving_word(shelf) == (1, "Lagos")


def test_a_path_that_cannot_be_a_folder_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ModelStoreError, match="MODEL_DIR"):
        open_shelf(tmp_path / "file" / "models").publish(tagger(), {})


def test_what_a_killed_writer_left_is_removed_by_the_next(folder, shelf):
    shelf.publish(tagger(), {})
    leftover = folder / ".writing-0123"
    leftover.mkdir()
    (leftover / "fake.json").write_text("{")

    assert shelf.publish(tagger(), {}) == 2
    assert not leftover.exists()


def test_a_number_is_not_used_again_when_its_version_is_gone(folder, shelf):
    publish_and_promote(shelf, "Lagos", "Accra")
    for path in (folder / "v0002").iterdir():
        path.unlink()
    (folder / "v0002").rmdir()

    assert shelf.publish(tagger(), {}) == 3


def publish_some(folder):
    return [open_shelf(folder).publish(tagger(), {}) for _ in range(5)]


def test_writers_in_several_processes_never_share_a_number(folder):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        published = pool.map(publish_some, [folder] * 4)

    assert sorted(chain.from_iterable(published)) == list(range(1, 21))


def test_readers_see_whole_taggers_while_versions_change(folder, shelf):
    publish_and_promote(shelf, "word1")
    reader = open_shelf(folder)
    done = threading.Event()

    def read():
        seen = []
        while not done.is_set() or not seen:
            seen.append(serving_word(reader))
        return seen

    with ThreadPoolExecutor() as threads:
        readers = [threads.submit(read) for _ in range(4)]
        publish_and_promote(shelf, *(f"word{number}" for number in range(2, 12)))
        done.set()

    assert all(word == f"word{number}" for one in readers for number, word in one.result())
    assert serving_word(reader) == (11, "word11")


def test_the_pointer_is_one_small_json_file(folder, shelf):
    publish_and_promote(shelf, "Lagos", "Accra")

    assert json.loads((folder / "promoted.json").read_text()) == {"history": [1, 2]}
