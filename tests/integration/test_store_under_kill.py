"""Writers killed at any moment: what they had committed is there, and the next one goes on."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection

import processes
from servers import LABEL_CONFIG
from sqlalchemy import func, select, text

from backend.domain import (
    Annotation,
    Answer,
    Outcome,
    PaidCall,
    Source,
    SourceKind,
    Span,
    Suggestion,
    Task,
    Usage,
)
from backend.store.database import Database
from backend.store.money import SqlAnswerCache, SqlLedger, committed_usd, nano_usd
from backend.store.projects import Project, Projects
from backend.store.schema import LedgerRow
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords

KILLS = 5
BUDGET = Decimal(100)
MOMENTS = random.Random(11)
SOURCE = Source(SourceKind.LLM, "small", "entities-v1")
START = datetime(2026, 1, 1, tzinfo=UTC)


def run_and_kill(target: object, *arguments: object) -> list[object]:
    """What a writer said was done before it was killed at a random moment."""
    receiver, sender = processes.CONTEXT.Pipe(duplex=False)
    writer = processes.start(target, *arguments, sender)  # type: ignore[arg-type]
    sender.close()
    said = [receiver.recv()]
    time.sleep(MOMENTS.uniform(0.0, 0.08))
    processes.kill(writer)
    while True:
        try:
            said.append(receiver.recv())
        except EOFError:
            return said


def pay(url: str, project_id: int, say: Connection) -> None:
    """Reserve, "ask", store the answer, settle: the way of a paid call."""
    database = Database(url)
    ledger, cache = SqlLedger(database, BUDGET), SqlAnswerCache(database)
    records = SqlSuggestionRecords(database, project_id)
    while True:
        key = str(time.monotonic_ns())
        call = PaidCall(project_id, "openai", "small", "entities-v1", (key,))
        entry = ledger.reserve(call, Decimal("0.001"))
        cache.put(key, "the answer")
        ledger.settle(entry, "annotated", Usage(10, 1), Decimal("0.0004"))
        suggestion = Suggestion(key, (Span(0, 1, "PER"),), 0.5, SOURCE)
        records.keep_answer(Answer(key, Outcome.ANNOTATED, suggestion))
        say.send(key)


def test_paid_answers_outlive_whoever_paid_for_them(
    database_url: str, database: Database, project: Project
) -> None:
    keys = [key for _ in range(KILLS) for key in run_and_kill(pay, database_url, project.id)]

    cache = SqlAnswerCache(database)
    kept = SqlSuggestionRecords(database, project.id).by_source(SourceKind.LLM)
    with database.read() as session:
        booked = session.scalar(select(func.sum(LedgerRow.cost_nanousd)))
    assert all(cache.get(str(key)) == "the answer" for key in keys)
    assert set(keys) <= kept.keys()
    assert booked == nano_usd(committed_usd(database, project.id)) <= nano_usd(BUDGET)


def listed() -> list[Task]:
    return [Task(str(number), f"text {number}") for number in range(3000)]


def labels(reading: int) -> list[Annotation]:
    """Every second task is labelled; which half, and how, changes from reading to reading."""
    return [
        Annotation(f"{task.id}-{reading}", task.id, (), "ada", START + timedelta(seconds=reading))
        for task in listed()[reading % 2 :: 2]
    ]


def reconcile(url: str, project_id: int, first: int, say: Connection) -> None:
    records = SqlTaskRecords(Database(url), project_id)
    reading = first
    while True:
        records.replace_tasks(listed())
        records.replace_annotations(labels(reading), START + timedelta(seconds=reading), None)
        say.send(reading)
        reading += 1


def test_a_reconciliation_that_was_killed_is_made_good_by_the_next(
    database_url: str, database: Database, project: Project
) -> None:
    reading = 0
    for _ in range(KILLS):
        reading = 10 + int(str(run_and_kill(reconcile, database_url, project.id, reading)[-1]))
    records = SqlTaskRecords(database, project.id)

    records.replace_tasks(listed())
    records.replace_annotations(labels(reading), START + timedelta(seconds=reading), None)

    assert [annotation for _, annotation in records.labelled()] == labels(reading)
    assert len(records.pool()) == 1500


def push(url: str, project_id: int, say: Connection) -> None:
    records = SqlSuggestionRecords(Database(url), project_id)
    wanted = [Suggestion(task.id, (), 0.5, SOURCE) for task in listed()]
    version = records.version_for(wanted)
    say.send(version)
    records.mark_pushed(wanted, version)
    records.serve(version)
    time.sleep(1000)


def test_a_push_that_was_killed_ends_under_its_first_version(
    database_url: str, database: Database, project: Project
) -> None:
    SqlTaskRecords(database, project.id).replace_tasks(listed())

    versions = {
        version for _ in range(KILLS) for version in run_and_kill(push, database_url, project.id)
    }

    assert len(versions) == 1


def test_the_file_is_whole_after_many_kills(sqlite_url: str, sqlite_database: Database) -> None:
    project = Projects(sqlite_database).register("label_studio", "1", LABEL_CONFIG)
    for _ in range(KILLS):
        run_and_kill(pay, sqlite_url, project.id)

    with sqlite_database.read() as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
