"""``kill -9`` in the middle of push, pull and round: nothing lost, nothing doubled, all resumed."""

import os
import signal
import subprocess
import sys

import pytest
import requests
from argilla_projects import argilla_server
from argilla_team import Team
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
    with ScriptedLlm(gold_with_errors(examples, LABELS, rng_seed=0)) as llm:
        made = Team(
            argilla_server(request.config),
            tmp_path_factory.mktemp("killed"),
            examples,
            argilla={"push_batch": BATCH},  # so that there is a middle to be killed in
            llm=scripted(llm),
            jobs={"reconcile_seconds": NEVER},
        )
        made.llm = llm
        yield made
        made.close()


def kill_when(team, verb, condition):
    """Start a command and end it as a power cut would, once the condition holds."""
    program = [sys.executable, "-m", "argilla_pipeline", "--config", str(team.harambee.config)]
    process = subprocess.Popen(
        [*program, verb],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: condition() or process.poll() is not None, f"the middle of {verb}")
    assert process.poll() is None, f"{verb} ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
        kill_when(team, "push", lambda: 0 < in_round(team, 1) < TEXTS)
        team.half = in_round(team, 1)
        paid = count(team, LedgerRow)
        said = team.command("push")
        assert f"{TEXTS - team.half} suggestions changed" in said
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
    def test_every_label_is_there_once_after_a_kill(self, team):
        new = [team.submit(record) for record in team.served(TEXTS)[: ACCEPTED - 1]]
        team.responses = [team.first, *new]
        kill_when(team, "pull", lambda: len(team.work().tasks.labelled()) > 1)
        team.command("pull")
        assert team.in_the_store() == sorted(team.responses)
        assert count(team, AnnotationRow) == ACCEPTED


class TestRound:
    def test_it_ends_in_one_round_after_a_kill_in_its_push(self, team):
        kill_when(team, "round", lambda: in_round(team, 2))
        assert [report.number for report in team.work().rounds.all()] == [0]
        team.command("round")
        assert [report.number for report in team.work().rounds.all()] == [0, 1]
        assert current(team)

    def test_labels_stay_as_they_were(self, team):
        assert team.in_the_store() == sorted(team.responses)
        assert len(team.served(TEXTS)) == TEXTS - ACCEPTED
