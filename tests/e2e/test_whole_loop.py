"""The main job, played once: a team connects harambee in Label Studio's own way and labels."""

from dataclasses import dataclass

import pytest
import requests
from harambee_processes import (
    LABEL_CONFIG,
    Harambee,
    current_predictions,
    predictions,
    press_start_training,
    scripted,
    wait_until,
)

from backend.demo.annotators import PlayedAnnotator
from backend.domain import SourceKind
from backend.label_studio.labels import parse_label_config
from backend.label_studio.tool import LabelStudioTool
from backend.operations import SECRET_HEADER
from backend.samples import LABELS, sample_texts
from backend.testing.imperfect import gold_with_errors
from backend.testing.scripted_llm import ScriptedLlm

pytestmark = pytest.mark.e2e

TWO_CONTROLS = (
    '<View><Labels name="who" toName="text"><Label value="PER"/><Label value="ORG"/></Labels>'
    '<Labels name="where" toName="text"><Label value="LOC"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
CONTROL_OF = {"PER": "who", "ORG": "who", "LOC": "where"}
TEXTS, BESIDE, ACCEPTED = 120, 20, 45
TITLE = "Our first model"


def sample(number):
    """The first texts of the shipped corpus, languages in turn."""
    return [example for _, example in sample_texts()[:number]]


@dataclass
class Seen:
    """What Label Studio shows of a project at one moment."""

    project: dict
    backend: dict
    predictions: dict
    all_predictions: dict
    served: int

    @property
    def version(self):
        return self.project["model_version"]

    def least_certain(self):
        return min(self.predictions, key=lambda task: self.predictions[task]["score"])


class Team:
    """A Label Studio project with its texts, and what is done in it."""

    def __init__(self, harambee, client, config, examples):
        self.harambee, self.client = harambee, client
        self.id = client.create_project("names in the news", config)["id"]
        self.tasks = client.import_tasks(self.id, [{"text": item.text} for item in examples])
        gold = dict(zip(self.tasks, examples, strict=True))
        self.config = parse_label_config(config)
        self.annotator = PlayedAnnotator(client, self.id, self.config, gold)

    def connect(self):
        """What the form under Settings > Model does."""
        self.client.create_ml_backend(url=self.harambee.url, project=self.id, title=TITLE)
        wait_until(lambda: self.harambee.is_idle(self.id), "the first suggestions")

    def look(self):
        (backend,) = self.client.ml_backends(self.id)
        return Seen(
            project=self.client.project(self.id),
            backend=backend,
            predictions=current_predictions(self.client, self.id),
            all_predictions=predictions(self.client, self.id),
            served=self.client.next_task(self.id)["id"],
        )

    def in_the_tool(self):
        """The annotations that stand, in order."""
        tool = LabelStudioTool(self.client, self.id, self.config)
        return sorted(tool.accepted(), key=lambda annotation: int(annotation.id))

    def in_the_store(self):
        """The newest label of each task as harambee knows it, in order."""
        labelled = self.harambee.workspace(self.id).tasks.labelled()
        return sorted((item for _, item in labelled), key=lambda item: int(item.id))

    def labels_arrive(self):
        """Wait until the store holds every label of the tool and nothing is left to do."""
        expected = [item for item in self.in_the_tool() if not item.skipped]
        wait_until(lambda: self.in_the_store() == expected, "the labels to arrive")
        wait_until(lambda: self.harambee.is_idle(self.id), "the worker to be idle")


@pytest.fixture(scope="module")
def harambee(label_studio, tmp_path_factory):
    examples = sample(TEXTS)
    with (
        ScriptedLlm(gold_with_errors(examples, LABELS, rng_seed=0)) as llm,
        Harambee(tmp_path_factory.mktemp("loop"), label_studio, llm=scripted(llm)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def neighbour(harambee, client):
    """A project with another label scheme in the same backend, connected first."""
    team = Team(harambee, client, TWO_CONTROLS, sample(BESIDE))
    team.connect()
    return team, team.look()


@pytest.fixture(scope="module")
def connected(harambee, client, neighbour):
    """The project, and what was seen in it when everything had its first suggestion."""
    team = Team(harambee, client, LABEL_CONFIG, sample(TEXTS))
    team.connect()
    return team, team.look()


@pytest.fixture(scope="module")
def labelled(connected):
    """The same project after annotators have worked in it: the served task, and others."""
    team, seen = connected
    others = [task for task in team.tasks if task != seen.served]
    team.annotator.label([seen.served, *others[: ACCEPTED - 1]], lambda: None)
    team.labels_arrive()
    return team, team.in_the_tool()


@pytest.fixture(scope="module")
def learnt(labelled, connected):
    """The same project after "Start training": what was seen before and after."""
    team, seen = connected
    press_start_training(team.harambee, team.client, team.id)
    return team, seen, team.look()


class TestConnectedInLabelStudiosOwnWay:
    def test_every_task_carries_one_prediction_of_the_current_version(self, connected):
        team, seen = connected
        assert sorted(seen.predictions) == team.tasks

    def test_the_version_has_the_same_name_everywhere(self, connected):
        team, seen = connected
        setup = requests.post(
            f"{team.harambee.url}/setup",
            json={"project": f"{team.id}.1", "schema": LABEL_CONFIG},
            timeout=5,
        ).json()
        shown = {row["model_version"] for row in seen.predictions.values()}
        names = {seen.backend["title"], setup["model_version"], seen.version} | shown
        assert names == {team.harambee.version(team.id)}

    def test_the_least_certain_task_is_served_first(self, connected):
        _, seen = connected
        assert seen.project["sampling"] == "Uncertainty sampling"
        assert seen.served == seen.least_certain()

    def test_every_region_names_its_source(self, connected):
        _, seen = connected
        metas = [region["meta"] for row in seen.predictions.values() for region in row["result"]]
        assert {meta["source"] for meta in metas} == {"llm"}
        assert all(meta["prompt_version"].startswith("entities-v2") for meta in metas)
        assert all(meta["model"] and meta["text"] for meta in metas)

    def test_every_region_says_what_stands_in_the_text(self, connected):
        team, seen = connected
        texts = {row["id"]: row["data"]["text"] for row in team.client.tasks(team.id)}
        for task, row in seen.predictions.items():
            for value in (region["value"] for region in row["result"]):
                assert texts[task][value["start"] : value["end"]] == value["text"]

    def test_its_one_webhook_carries_the_secret(self, connected):
        team, _ = connected
        (hook,) = team.client.webhooks(team.id)
        secret = team.harambee.project(team.id).webhook_secret
        assert hook["headers"] == {SECRET_HEADER: secret}

    def test_a_forged_webhook_is_refused(self, connected):
        team, _ = connected
        answer = requests.post(
            f"{team.harambee.url}/webhook",
            json={"action": "START_TRAINING", "project": {"id": team.id}},
            headers={SECRET_HEADER: "guessed"},
            timeout=5,
        )
        assert answer.status_code == 401

    def test_each_label_is_suggested_through_its_own_control(self, neighbour):
        _, seen = neighbour
        used = {
            (label, region["from_name"])
            for row in seen.predictions.values()
            for region in row["result"]
            for label in region["value"]["labels"]
        }
        assert used == set(CONTROL_OF.items())

    def test_what_is_not_in_the_scheme_is_counted_not_shown(self, neighbour):
        team, _ = neighbour
        assert team.harambee.status(team.id).rejected_mentions > 0


class TestLabelling:
    def test_submitted_labels_reach_the_store(self, labelled):
        team, in_the_tool = labelled
        assert team.in_the_store() == in_the_tool
        assert len(in_the_tool) == ACCEPTED

    def test_corrected_deleted_and_skipped_ones_do_too(self, neighbour):
        team, _ = neighbour
        corrected, deleted, skipped = team.tasks[:3]
        team.annotator.label([corrected, deleted], lambda: None)
        team.labels_arrive()
        first, second = team.in_the_tool()
        team.client.http.write("PATCH", f"/api/annotations/{first.id}/", {"result": []})
        team.client.http.write("DELETE", f"/api/annotations/{second.id}/")
        team.client.annotate(skipped, [], was_cancelled=True)
        wait_until(lambda: team.harambee.status(team.id).labelled == 2, "the skip")
        team.labels_arrive()
        (kept,) = team.in_the_store()
        assert (kept.id, kept.spans) == (first.id, ())


class TestAfterStartTraining:
    def test_a_tagger_is_promoted(self, learnt):
        team, _, _ = learnt
        assert team.harambee.rounds(team.id)[-1].promoted

    def test_every_unlabelled_task_carries_the_new_version(self, learnt, labelled):
        team, before, after = learnt
        done = {int(item.task_id) for item in labelled[1]}
        assert after.version != before.version
        assert set(after.predictions) == set(team.tasks) - done

    def test_the_new_version_has_the_same_name_everywhere(self, learnt):
        team, _, after = learnt
        names = {after.backend["title"], after.backend["model_version"], after.version}
        assert names == {team.harambee.version(team.id)}

    def test_the_queue_is_reordered(self, learnt):
        team, before, after = learnt
        order = sorted(after.predictions, key=lambda task: after.predictions[task]["score"])
        old = sorted(after.predictions, key=lambda task: before.predictions[task]["score"])
        assert team.harambee.rounds(team.id)[-1].reordered > 0
        assert order != old
        assert after.served == order[0]

    def test_regions_come_from_the_source_that_measured_better(self, learnt):
        team, _, after = learnt
        rows = after.predictions.values()
        shown = {region["meta"]["source"] for row in rows for region in row["result"]}
        assert shown == {SourceKind(team.harambee.rounds(team.id)[-1].preferred).value}

    def test_labels_stay_as_they_were(self, learnt, labelled):
        team, _, _ = learnt
        assert team.in_the_tool() == labelled[1]

    def test_the_project_beside_it_is_untouched(self, learnt, neighbour):
        team, seen = neighbour
        assert team.client.project(team.id)["model_version"] == seen.version
        assert predictions(team.client, team.id) == seen.all_predictions
        (backend,) = team.client.ml_backends(team.id)
        assert backend["title"] == seen.backend["title"]
