"""Every answer cache keeps a paid answer, the first one, exactly as it came."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers import new_database_url

from backend.protocols import AnswerCache
from backend.store.database import Database
from backend.store.money import SqlAnswerCache
from backend.testing.annotators import MemoryAnswerCache

KEY = "a" * 64


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnswerCache]:
    if request.param == "memory":
        yield MemoryAnswerCache()
        return
    database = Database(new_database_url(request.param, request.config, tmp_path, migrated=True))
    yield SqlAnswerCache(database)
    database.close()


def test_there_is_no_answer_to_what_was_never_asked(cache: AnswerCache) -> None:
    assert cache.get(KEY) is None


@pytest.mark.parametrize("answer", ["", '{"entities": []}', "Ọjọ́ 🌍\n\t\"'", "x" * 1_000_000])
def test_an_answer_comes_back_as_it_was(cache: AnswerCache, answer: str) -> None:
    cache.put(KEY, answer)

    assert cache.get(KEY) == answer


def test_the_first_answer_stays(cache: AnswerCache) -> None:
    cache.put(KEY, "first")
    cache.put(KEY, "second")

    assert cache.get(KEY) == "first"


def test_answers_do_not_mix(cache: AnswerCache) -> None:
    cache.put(KEY, "one")
    cache.put("b" * 64, "other")

    assert cache.get(KEY) == "one"


def test_threads_that_answer_at_once_agree_on_one(cache: AnswerCache) -> None:
    def answer(number: int) -> str | None:
        cache.put(KEY, str(number))
        return cache.get(KEY)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(answer, range(32)))) == 1
