"""The main job in Argilla, played once: real server, worker, webhooks and SDK."""

import json
from datetime import UTC, datetime
from uuid import UUID

import argilla
import pytest
from argilla_projects import argilla_server
from argilla_team import WORKSPACE, Team
from harambee_processes import WEB, WORKER, scripted, wait_until
from standardwebhooks.webhooks import Webhook

from argilla_pipeline.convert import spans_to_json
from backend.samples import LABELS, sample_texts
from backend.testing.imperfect import gold_with_errors
from backend.testing.scripted_llm import ScriptedLlm

pytestmark = pytest.mark.e2e

TEXTS, ACCEPTED = 60, 30
NEVER = 100_000


@pytest.fixture(scope="module")
def team(request, tmp_path_factory):
    """A dataset that has been set up and pushed to, and both processes running."""
    examples = [example for _, example in sample_texts()[:TEXTS]]
    with ScriptedLlm(gold_with_errors(examples, LABELS, rng_seed=0)) as llm:
        made = Team(
            argilla_server(request.config),
            tmp_path_factory.mktemp("argilla"),
            examples,
            llm=scripted(llm),
            jobs={"reconcile_seconds": NEVER},
        )
        made.pushed = made.command("push")
        made.first = made.metadata()
        made.first_served = made.served(TEXTS)
        with made.harambee:
            yield made
        made.close()


@pytest.fixture(scope="module")
def labelled(team):
    """The same dataset after the annotator has worked in it, through webhooks alone."""
    team.responses = [team.submit(record) for record in team.first_served[:ACCEPTED]]
    team.labels_arrive(team.responses)
    return team


@pytest.fixture(scope="module")
def learnt(labelled):
    """The same dataset after a round."""
    labelled.said_of_round = labelled.command("round")
    return labelled


class TestSetUpAndPush:
    def test_setup_tells_labels_password_and_where_to_begin(self, team):
        assert all(label in team.said for label in LABELS)
        assert f"New user {team.user}, password" in team.said
        assert "sort=metadata.uncertainty.desc" in team.said

    def test_setup_again_makes_nothing_twice(self, team):
        said = team.command("setup")
        assert "is ready" in said
        assert "password" not in said
        assert team.webhook()["enabled"]

    def test_guidelines_hold_the_labels_and_the_link(self, team):
        text = team.owner.dataset(team.id)["guidelines"]
        assert team.tool.link in text
        assert all(f"**{label}**" in text for label in LABELS)

    def test_every_answered_record_shows_a_suggestion_with_a_score_for_each_span(self, team):
        rows = list(team.owner.records(team.id, ("suggestions",)))
        answered = [raw for raw in rows if raw["metadata"]["model_version"] != "none"]
        assert len(answered) > TEXTS / 2
        for (shown,) in (raw["suggestions"] for raw in answered):
            assert shown["agent"].startswith("llm:")
            assert len(shown["score"] or []) == len(shown["value"])

    def test_a_record_without_an_answer_shows_none_and_is_left_to_people(self, team):
        rows = team.owner.records(team.id, ("suggestions",))
        others = [raw for raw in rows if raw["metadata"]["model_version"] == "none"]
        assert others
        assert all(raw["suggestions"] == [] for raw in others)
        assert {raw["metadata"]["route"] for raw in others} <= {"human"}

    def test_metadata_is_what_the_schema_says(self, team):
        sample = next(item for item in team.first.values() if item["model_version"] != "none")
        assert sample.keys() == {
            "uncertainty", "confidence", "round", "language", "model_version", "route",
        }  # fmt: skip
        assert (sample["language"], sample["round"], sample["route"]) == ("swa", 1, "human")

    def test_an_annotator_gets_records_in_order_of_uncertainty(self, team):
        order = [team.first[record]["uncertainty"] for record in team.first_served]
        assert len(order) == TEXTS
        assert order == sorted(order, reverse=True)

    def test_the_sdk_reads_what_we_pushed(self, team):
        client = argilla.Argilla(api_url=team.server.url, api_key=team.server.owner.api_key)
        dataset = client.datasets(team.name, workspace=WORKSPACE)
        agents = {record.suggestions["spans"].agent for record in dataset.records(limit=5)}
        assert any(agent.startswith("llm:") for agent in agents)

    def test_pushing_again_sends_nothing(self, team):
        assert "0 suggestions changed" in team.command("push")


class TestLabelling:
    def test_submits_reach_the_training_set_through_signed_webhooks(self, labelled):
        assert labelled.in_the_store() == sorted(labelled.responses)

    def test_our_own_pushes_bring_no_webhook_back(self, labelled):
        project = labelled.project.id
        kinds = {job.kind.value for job in labelled.harambee.services.jobs.standing(project)}
        assert kinds <= {"inbox", "reconcile"}

    def test_a_forged_and_a_replayed_webhook_are_refused(self, labelled):
        record = {"id": labelled.first_served[0], "dataset": {"id": labelled.id}}
        now = datetime.now(UTC)
        body = json.dumps(
            {
                "type": "response.updated",
                "version": 1,
                "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "data": {"id": labelled.responses[0], "record": record},
            }
        )

        def send(secret):
            signature = Webhook(secret).sign("msg_test", now, body)
            moment = str(int(now.timestamp()))
            headers = {
                "webhook-id": "msg_test",
                "webhook-timestamp": moment,
                "webhook-signature": signature,
            }
            return labelled.post(body, headers).status_code

        secret = labelled.webhook()["secret"]
        assert [send("whsec_" + "B" * 32), send(secret), send(secret)] == [401, 200, 409]


class TestRound:
    def test_it_prints_its_table_and_the_link(self, learnt):
        assert "Rounds" in learnt.said_of_round
        assert learnt.tool.link in learnt.said_of_round.replace("\n", "")

    def test_the_next_suggestions_replace_the_last_ones(self, learnt):
        assert learnt.work().rounds.all()[-1].promoted
        waiting = learnt.served(TEXTS)
        assert len(waiting) == TEXTS - ACCEPTED
        now = learnt.metadata()
        changed = [record for record in waiting if now[record] != learnt.first[record]]
        assert changed
        assert {now[record]["round"] for record in changed} == {2}
        for record in changed[:5]:
            assert len(learnt.owner.record(record)["suggestions"]) == 1

    def test_the_new_order_is_served(self, learnt):
        now = learnt.metadata()
        order = [now[record]["uncertainty"] for record in learnt.served(TEXTS)]
        assert order == sorted(order, reverse=True)

    def test_labels_stay_as_they_were(self, learnt):
        assert learnt.in_the_store() == sorted(learnt.responses)


class TestLostWebhooks:
    def test_a_label_whose_webhook_was_lost_is_found_by_reconciliation(self, learnt):
        learnt.harambee.kill(WEB)
        lost = learnt.submit(learnt.served()[0])
        learnt.harambee.kill(WORKER)
        learnt.harambee.start(WORKER)  # which compares itself with Argilla when it starts
        learnt.responses.append(lost)
        learnt.labels_arrive(learnt.responses)
        learnt.harambee.start(WEB)

    def test_responses_logged_by_the_sdk_which_send_no_webhook_are_found_too(self, learnt):
        record = learnt.served()[0]
        client = argilla.Argilla(api_url=learnt.server.url, api_key=learnt.server.owner.api_key)
        dataset = client.datasets(learnt.name, workspace=WORKSPACE)
        (logged,) = (item for item in dataset.records() if str(item._server_id) == record)
        before = learnt.owner.record(record)
        ((question, answer),) = spans_to_json(learnt.gold[record].spans, learnt.tool.schema).items()
        annotator = UUID(learnt.annotator.me()["id"])
        logged.responses.add(
            argilla.Response(question, answer["value"], annotator, status="submitted")
        )
        dataset.records.log([logged])
        after = learnt.owner.record(record)
        assert after["metadata"] == before["metadata"]
        learnt.harambee.kill(WORKER)
        learnt.harambee.start(WORKER)
        learnt.responses.append(after["responses"][0]["id"])
        learnt.labels_arrive(learnt.responses)

    def test_discarded_records_leave_the_queue_and_teach_nothing(self, learnt):
        record = learnt.served()[0]
        learnt.annotator.respond(record, "discarded", {})
        wait_until(
            lambda: record not in {task.id for task in learnt.work().tasks.pool()}, "the discard"
        )
        assert learnt.in_the_store() == sorted(learnt.responses)

    def test_pull_counts_what_each_annotator_did(self, learnt, tmp_path):
        file = tmp_path / "responses.jsonl"
        learnt.annotator.respond(learnt.served()[0], "draft", {})
        said = learnt.command("pull", "--output", str(file))
        assert learnt.user in said
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert {row["status"] for row in rows} == {"submitted", "discarded", "draft"}
        assert {row["annotator"] for row in rows} == {learnt.user}
