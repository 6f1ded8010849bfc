"""Argilla killed and started again in the middle of a pull and of a round.

Nothing is lost, nothing is there twice, and the work goes on: by itself where Argilla is back at
once, and when it is asked for again where Argilla stayed away.
"""

import signal

import pytest
from argilla_projects import other_argilla_server
from argilla_team import Team
from harambee_processes import numbered_sample, scripted

from argilla_pipeline import client as rest
from argilla_pipeline.testing.argilla_server import SERVER
from backend import loop
from backend.errors import ToolUnreachableError
from backend.samples import LABELS
from backend.testing.imperfect import gold_with_errors
from backend.testing.scripted_llm import ScriptedLlm

pytestmark = pytest.mark.e2e

TEXTS, ACCEPTED, MORE = 60, 30, 5
PAGE, BATCH = 10, 5
NEVER = 100_000


@pytest.fixture(scope="module")
def team(request, tmp_path_factory):
    """A dataset with suggestions; the annotator has labelled part of it."""
    examples = numbered_sample(TEXTS)
    with ScriptedLlm(gold_with_errors(examples, LABELS, rng_seed=0)) as llm:
        made = Team(
            other_argilla_server(request.config),
            tmp_path_factory.mktemp("restarted"),
            examples,
            argilla={"push_batch": BATCH},
            llm=scripted(llm),
            jobs={"reconcile_seconds": NEVER},
        )
        loop.begin(made.work())
        made.responses = [made.submit(record) for record in made.served(ACCEPTED)]
        yield made
        made.close()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    """So that there is a middle of a list, too."""
    monkeypatch.setattr(rest, "PAGE", PAGE)


def kill(team):
    """End Argilla as a power cut would."""
    team.server.stop_one(SERVER, signal.SIGKILL)


def restart(team):
    kill(team)
    team.server.start_one(SERVER)


@pytest.fixture
def before_page(team, monkeypatch):
    """Have something done once, before the list of records is read at an offset."""
    http = team.operations.client.http
    send = http.once

    def arrange(offset, include, act):
        waiting = [act]

        def once(method, path, content=None, params=None):
            asked = params or {}
            if waiting and (asked.get("offset"), asked.get("include")) == (offset, include):
                waiting.pop()(team)
            return send(method, path, content, params)

        monkeypatch.setattr(http, "once", once)
        return waiting

    return arrange


def when(team, done_then, act):
    """A progress that does something once, when so many suggestions were pushed."""
    waiting = [act]

    def progress(done, total, what=""):
        if waiting and what == "suggestions" and done >= done_then:
            waiting.pop()(team)

    return progress


def shown_once(team):
    """Whether no record shows more than one suggestion, and all are what would be pushed now."""
    rows = list(team.owner.records(team.id, ("suggestions",)))
    most = max(len(raw["suggestions"]) for raw in rows)
    return len(rows) == TEXTS and most == 1 and loop.begin(team.work()).pushed == 0


class TestPull:
    def test_where_argilla_stays_away_the_store_keeps_what_it_had(self, team, before_page):
        few = list(team.gold)[:BATCH]
        loop.pull_labels(team.work(), few)
        before = team.in_the_store()
        waiting = before_page(2 * PAGE, "responses", kill)
        with pytest.raises(ToolUnreachableError):
            loop.pull(team.work())
        team.server.start_one(SERVER)
        assert not waiting
        assert team.in_the_store() == before

    @pytest.mark.parametrize("include", [None, "responses"], ids=["tasks", "labels"])
    def test_where_it_is_back_at_once_every_label_is_there_once(self, team, before_page, include):
        waiting = before_page(2 * PAGE, include, restart)
        loop.pull(team.work())
        assert not waiting
        assert team.in_the_store() == sorted(team.responses)
        assert len(team.work().tasks.pool()) == TEXTS - ACCEPTED


class TestRound:
    def test_one_that_failed_in_its_push_is_one_round_when_played_again(self, team):
        with pytest.raises(ToolUnreachableError):
            loop.play_round(team.work(), when(team, BATCH, kill))
        team.server.start_one(SERVER)
        numbers = [report.number for report in team.work().rounds.all()]
        report = loop.play_round(team.work())
        assert (numbers, report.number) == ([0], 1)
        assert [report.number for report in team.work().rounds.all()] == [0, 1]
        assert shown_once(team)

    def test_one_goes_on_where_argilla_is_back_at_once(self, team):
        team.responses += [team.submit(record) for record in team.served(MORE)]
        report = loop.play_round(team.work(), when(team, BATCH, restart))
        assert (report.number, report.labels) == (2, ACCEPTED + MORE)
        assert shown_once(team)

    def test_labels_stay_as_they_were(self, team):
        assert team.in_the_store() == sorted(team.responses)
        assert len(team.served(TEXTS)) == TEXTS - ACCEPTED - MORE
