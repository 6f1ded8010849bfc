"""The commands that move a dataset: ``migrate`` to another server, ``export`` and ``import``."""

from collections import Counter

import pytest
from argilla_projects import argilla_server, other_argilla_server
from argilla_team import WORKSPACE, Team

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.connection import find_dataset
from argilla_pipeline.formats import FileKind, Labelled, sentence_of
from argilla_pipeline.tool import ArgillaTool
from backend.domain import Source, SourceKind, Suggestion
from backend.samples import sample_texts
from backend.text.conll import to_text

pytestmark = pytest.mark.e2e

TEXTS, ACCEPTED = 12, 8
LLM = Source(SourceKind.LLM, "gpt-5-nano", "entities-v2")


@pytest.fixture(scope="module")
def team(request, tmp_path_factory):
    """Every text has a suggestion; some are submitted, one is discarded, one drafted."""
    examples = [example for _, example in sample_texts()[:TEXTS]]
    made = Team(argilla_server(request.config), tmp_path_factory.mktemp("moving"), examples)
    made.tool.suggest(
        [
            Suggestion(record, example.spans, place / TEXTS, LLM)
            for place, (record, example) in enumerate(made.gold.items())
        ],
        "harambee-v1",
    )
    *accepted, discarded, drafted = list(made.gold)[: ACCEPTED + 2]
    for record in accepted:
        made.submit(record)
    made.annotator.respond(discarded, "discarded", {})
    made.annotator.respond(drafted, "draft", {})
    made.accepted = accepted
    yield made
    made.close()


@pytest.fixture(scope="module")
def moved(request, team):
    """What the command said, twice, and the dataset on the other server."""
    there = other_argilla_server(request.config)
    where = ("--to", team.name, "--to-url", there.url, "--to-key", there.owner.api_key)
    said = [team.command("migrate", *where) for _ in range(2)]
    client = ArgillaClient(there.url, there.owner.api_key)
    return said, client, find_dataset(client, WORKSPACE, team.name)["id"]


class TestMigratingToAnotherServer:
    def everything(self, client, dataset):
        """All there is to a dataset, without the ids that each server makes for itself."""
        names = {user["id"]: user["username"] for user in client.users()}
        tool = ArgillaTool.open(client, dataset)
        texts = {task.id: task.text for task in tool.tasks()}
        responses = [
            (
                texts[read.annotation.task_id],
                names[read.annotation.annotator],
                read.status,
                read.annotation.spans,
            )
            for read in tool.responses()
        ]
        suggestions = {
            raw["fields"]["text"]: [
                (item["agent"], item["value"], item["score"]) for item in raw["suggestions"]
            ]
            for raw in client.records(dataset, ("suggestions",))
        }
        metadata = {raw["fields"]["text"]: raw["metadata"] for raw in client.records(dataset)}
        return list(texts.values()), sorted(responses), suggestions, metadata

    def test_texts_labels_suggestions_and_metadata_are_the_same_there(self, team, moved):
        _, client, dataset = moved
        here = self.everything(team.owner, team.id)
        there = self.everything(client, dataset)
        assert there == here
        texts, responses, suggestions, _ = there
        counts = Counter(status for _, _, status, _ in responses)
        assert counts == {"submitted": ACCEPTED, "discarded": 1, "draft": 1}
        assert len(texts) == TEXTS
        assert all(len(shown) == 1 for shown in suggestions.values())

    def test_it_says_what_it_carried_over_and_each_new_password_once(self, team, moved):
        (first, again), *_ = moved
        counts = f"{TEXTS} records, {ACCEPTED + 2} responses and {TEXTS} suggestions"
        assert counts in " ".join(first.split())
        assert counts in " ".join(again.split())
        assert f"New user {team.user}, password" in first
        assert "New user" not in again

    def test_an_address_without_a_key_is_an_error_and_makes_nothing(self, team):
        before = len(team.owner.datasets())
        said = team.command("migrate", "--to", "x", "--to-url", "http://127.0.0.1:9", check=False)
        assert "--to-url and --to-key" in said
        assert len(team.owner.datasets()) == before


@pytest.fixture(scope="module")
def empty(request, tmp_path_factory):
    """A dataset without texts, to import into."""
    made = Team(argilla_server(request.config), tmp_path_factory.mktemp("empty"), [])
    yield made
    made.close()


class TestFiles:
    def labels(self, team, records):
        """The accepted spans of each text that somebody labelled, of these records."""
        texts = {task.id: task.text for task in team.tool.tasks()}
        made = team.tool.accepted(records)
        return {texts[item.task_id]: item.spans for item in made if not item.skipped}

    def as_tokens(self, labels):
        """What CoNLL has a place for: tokens, with a blank between any two."""
        rows = [Labelled("", text, None, spans) for text, spans in labels.items()]
        sentences = [to_text(sentence_of(row)) for row in rows]
        return {text: tuple(spans) for text, spans in sentences}

    @pytest.mark.parametrize("kind", FileKind)
    def test_what_is_exported_is_imported_with_its_labels_and_only_once(
        self, team, empty, tmp_path, kind
    ):
        path = str(tmp_path / f"{kind}-export")
        texts = TEXTS if kind is FileKind.LABEL_STUDIO else ACCEPTED
        said = team.command("export", path, "--format", kind)
        assert f"{texts} texts were written" in said
        before = {raw["id"] for raw in empty.owner.records(empty.id)}
        for _ in range(2):
            assert f"{texts} texts are in the dataset" in empty.command(
                "import", path, "--format", kind, "--with-labels"
            )
        new = [raw["id"] for raw in empty.owner.records(empty.id) if raw["id"] not in before]
        assert len(new) == texts
        exported = self.labels(team, list(team.gold))
        assert len(exported) == ACCEPTED
        wanted = self.as_tokens(exported) if kind is FileKind.CONLL else exported
        assert self.labels(empty, new) == wanted
