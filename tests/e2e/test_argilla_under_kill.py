"""``kill -9`` in the middle of push, pull and round: nothing lost, nothing doubled, all resumed."""

import os
import signal
import subprocess
import sys

import pytest
import requests
from argilla_projects import argilla_server
from argilla_team import Team
from gate import Gate
from harambee_processes import numbered_sample, scripted, wait_until
from sqlalchemy import func, select

from backend.samples import LABELS
from backend.store.schema import AnnotationRow, LedgerRow
from backend.testing.imperfect import gold_with_errors
from backend.testing.scripted_llm import ScriptedLlm

pytestmark = pytest.mark.e2e

TEXTS, ACCEPTED, BATCH = 80, 30, 5
NEVER = 100_000


@pytest.fixture(scope="module")
def team(request, tmp_path_factory):
    examples = numbered_sample(TEXTS)
    server = argilla_server(request.config)
    with (
        ScriptedLlm(gold_with_errors(examples, LABELS, rng_seed=0)) as llm,
        Gate(server.url) as gate,
    ):
        made = Team(
            server,
            tmp_path_factory.mktemp("killed"),
            examples,
            argilla={"url": gate.url, "push_batch": BATCH},
            llm=scripted(llm),
            jobs={"reconcile_seconds": NEVER},
        )
        made.gate = gate
        yield made
        made.close()


def pushes(method, path):
    """Whether a request sends suggestions."""
    return method == "PUT" and path.endswith("/records/bulk")


def reads_labels(method, path):
    """Whether a request reads what annotators did."""
    return method == "GET" and "include=responses" in path


def kill_at(team, verb, matches, after):
    """Start a command and end it as a power cut would, after so many such requests."""
    program = [sys.executable, "-m", "argilla_pipeline", "--config", str(team.harambee.config)]
    team.gate.hold(matches, after)
    process = subprocess.Popen(
        [*program, verb],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    team.gate.wait()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    team.gate.open()


def is_up(team):
    try:
        return requests.get(f"{team.harambee.address}/health", timeout=1).ok
    except requests.RequestException:
        return False


def in_round(team, number):
    """How many records show what was pushed in a round."""
    return sum(item.get("round") == number for item in team.metadata().values())


def count(team, table):
    with team.harambee.services.database.read() as session:
        return session.scalar(
            select(func.count()).select_from(table).where(table.project_id == team.project.id)
        )


def current(team):
    """Whether every waiting record shows what harambee would push now, in the right order."""
    return "0 suggestions changed" in team.command("push")


class TestPush:
    def test_it_goes_on_after_a_kill_without_paying_twice(self, team):
        sent = 5 * BATCH
        kill_at(team, "push", pushes, after=5)
        assert in_round(team, 1) == sent
        paid = count(team, LedgerRow)
        said = team.command("push")
        assert f"{TEXTS - sent} suggestions changed" in said
        assert count(team, LedgerRow) == paid
        assert in_round(team, 1) == TEXTS

    def test_every_record_shows_one_suggestion_at_most(self, team):
        rows = team.owner.records(team.id, ("suggestions",))
        assert max(len(raw["suggestions"]) for raw in rows) == 1

    def test_the_whole_queue_is_in_order(self, team):
        metadata = team.metadata()
        order = [metadata[record]["uncertainty"] for record in team.served(TEXTS)]
        assert len(order) == TEXTS
        assert order == sorted(order, reverse=True)


class TestWatch:
    def test_it_hears_of_a_label_and_ends_with_its_web_process(self, team):
        program = [sys.executable, "-m", "argilla_pipeline", "--config", str(team.harambee.config)]
        with subprocess.Popen([*program, "watch"], start_new_session=True) as process:
            try:
                wait_until(lambda: is_up(team), "the web process")
                team.first = team.submit(team.served()[0])
                team.labels_arrive([team.first])
            finally:
                process.terminate()
            process.wait(30)
        assert not is_up(team)


class TestPull:
    def test_every_label_is_there_once_after_a_kill_before_and_after_they_were_stored(self, team):
        new = [team.submit(record) for record in team.served(TEXTS)[: ACCEPTED - 1]]
        team.responses = [team.first, *new]
        stored = []
        for after in (0, 1):
            kill_at(team, "pull", reads_labels, after)
            stored.append(len(team.in_the_store()))
        assert stored == [1, ACCEPTED]
        team.command("pull")
        assert team.in_the_store() == sorted(team.responses)
        assert count(team, AnnotationRow) == ACCEPTED


class TestRound:
    def test_it_ends_in_one_round_after_a_kill_in_its_push(self, team):
        kill_at(team, "round", pushes, after=1)
        assert in_round(team, 2) == BATCH
        assert [report.number for report in team.work().rounds.all()] == [0]
        team.command("round")
        assert [report.number for report in team.work().rounds.all()] == [0, 1]
        assert current(team)

    def test_labels_stay_as_they_were(self, team):
        assert team.in_the_store() == sorted(team.responses)
        assert len(team.served(TEXTS)) == TEXTS - ACCEPTED
