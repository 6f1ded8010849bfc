"""The Argilla tool against a real server: awkward texts, other people's datasets, and outages."""

import sqlite3
import unicodedata
from dataclasses import replace

import argilla
import pytest
from argilla_projects import ArgillaDataset, argilla_server, other_argilla_server, workspace_of

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.connection import add_properties, set_up
from argilla_pipeline.convert import spans_to_json, text_to_json
from argilla_pipeline.migration import Migration, Target
from argilla_pipeline.testing.argilla_server import SEARCH, SERVER, WORKER
from argilla_pipeline.tool import ArgillaTool
from backend.domain import (
    NO_SOURCE,
    ReviewItem,
    ReviewKind,
    Route,
    Source,
    SourceKind,
    Span,
    Suggestion,
)
from backend.errors import LabelConfigError, ToolRejectedError, ToolUnreachableError
from backend.settings import ArgillaSettings, Settings

pytestmark = pytest.mark.e2e

TAGGER = Source(SourceKind.TAGGER, "crf-1")
TEXT = "Wangari lives in Nairobi ."
WANGARI = Span(0, 7, "PER", 0.9)
YORUBA = unicodedata.normalize("NFD", "Ọbásanjọ́ lọ sí Èkó .")


@pytest.fixture
def make_dataset(request):
    return lambda texts, **more: ArgillaDataset(argilla_server(request.config), texts, **more)


def suggestion(record, confidence=0.5, span=WANGARI, source=TAGGER):
    return Suggestion(record, () if span is None else (span,), confidence, source)


def shown(made, record):
    (found,) = made.client.record(record)["suggestions"]
    return found


def accept(made, record, spans):
    values = spans_to_json(spans, made.tool.schema)
    return made.client.respond(record, "submitted", values)["id"]


class TestAwkwardTexts:
    def test_an_emoji_is_a_placeholder_there_and_an_emoji_here(self, make_dataset):
        made = make_dataset(["🌍👩‍👩‍👧 Thabo uvela eThekwini ."])
        (task,) = made.tool.tasks()
        place = task.text.index("Thabo")
        made.tool.suggest([suggestion(task.id, span=Span(place, place + 5, "PER"))], "v1")
        there = made.client.record(task.id)["fields"]["text"]
        value = shown(made, task.id)["value"][0]
        assert task.text.startswith("🌍👩‍👩‍👧")
        assert there[value["start"] : value["end"]] == "Thabo"
        assert len(there.encode("utf-16-le")) == 2 * len(there)

    def test_a_span_that_the_page_cut_in_a_letter_is_widened(self, make_dataset):
        made = make_dataset([YORUBA])
        (task,) = made.tool.tasks()
        assert task.text == YORUBA
        word = YORUBA.index(" ")
        accept(made, task.id, [Span(0, word - 1, "PER")])
        (annotation,) = made.tool.accepted()
        assert annotation.spans == (Span(0, word, "PER"),)

    def test_one_bad_span_keeps_no_other_suggestion_from_being_pushed(self, make_dataset):
        made = make_dataset([TEXT, TEXT])
        bad = Suggestion(
            made.records[0], (Span(0, 7, "PER"), Span(5, 99, "PER"), Span(3, 9, "GPE")), 0.5, TAGGER
        )
        assert made.tool.suggest([bad, suggestion(made.records[1])], "v1") == 2
        assert [item["label"] for item in shown(made, made.records[0])["value"]] == ["PER"]

    def test_a_discarded_record_with_null_values_is_a_skip(self, make_dataset, request):
        """Argilla 2.8 stores them and then cannot search the record; reading it still works."""
        made = make_dataset([TEXT])
        response = made.client.respond(made.records[0], "discarded", {})["id"]
        with sqlite3.connect(argilla_server(request.config).folder / "argilla.db") as database:
            changed = (
                database.execute(
                    "UPDATE responses SET \"values\" = 'null' WHERE id = ?",
                    [response.replace("-", "")],
                ).rowcount
                + database.execute(
                    "UPDATE responses SET \"values\" = 'null' WHERE id = ?", [response]
                ).rowcount
            )
        assert changed == 1
        (annotation,) = made.tool.accepted()
        assert (annotation.skipped, annotation.spans) == (True, ())


class TestPushing:
    def test_only_what_changed_is_sent_and_a_record_keeps_when_it_did(self, make_dataset):
        made = make_dataset([TEXT] * 3)
        made.tool.suggest([suggestion(record) for record in made.records], "harambee-v1")
        changed = [suggestion(record) for record in made.records[:2]]
        changed.append(suggestion(made.records[2], confidence=0.1))
        assert made.tool.suggest(changed, "harambee-v2") == 1
        rounds = [made.client.record(record)["metadata"]["round"] for record in made.records]
        assert rounds == [1, 1, 2]

    def test_other_metadata_stays(self, make_dataset):
        made = make_dataset([TEXT])
        made.client.update_record(made.records[0], metadata={"source": "news", "year": 2024})
        made.tool.suggest([suggestion(made.records[0])], "v1")
        kept = made.client.record(made.records[0])["metadata"]
        assert (kept["source"], kept["year"], kept["uncertainty"]) == ("news", 2024, 0.5)

    def test_a_changed_route_is_sent_like_any_other_change(self, make_dataset):
        made = make_dataset([TEXT] * 2)
        waiting = [
            replace(suggestion(record), route=route)
            for record, route in zip(made.records, (Route.HUMAN, Route.LATER), strict=True)
        ]
        made.tool.suggest(waiting, "v1")
        assert made.tool.suggest([waiting[0], replace(waiting[1], route=Route.LLM)], "v2") == 1
        rows = [made.client.record(record) for record in made.records]
        assert [raw["metadata"]["route"] for raw in rows] == ["human", "llm"]

    def test_a_record_deleted_since_keeps_no_other_from_its_suggestion(
        self, make_dataset, monkeypatch
    ):
        made = make_dataset([TEXT] * 5)
        send = made.client.upsert

        def delete_first(dataset, items):
            monkeypatch.setattr(made.client, "upsert", send)
            made.client.delete_records(made.id, [made.records[3]])
            return send(dataset, items)

        monkeypatch.setattr(made.client, "upsert", delete_first)
        assert made.tool.suggest([suggestion(record) for record in made.records], "v1") == 4

    def test_a_suggestion_of_ours_goes_when_nobody_has_an_answer_any_more(self, make_dataset):
        made = make_dataset([TEXT])
        made.tool.suggest([suggestion(made.records[0])], "v1")
        made.tool.suggest([suggestion(made.records[0], span=None, source=NO_SOURCE)], "v2")
        assert made.client.record(made.records[0])["suggestions"] == []

    def test_an_agent_with_signs_that_argilla_refuses_is_still_shown(self, make_dataset):
        made = make_dataset([TEXT])
        odd = Source(SourceKind.LLM, "org/model@2026 (größer)", "entities-v2+abc")
        assert made.tool.suggest([suggestion(made.records[0], source=odd)], "v1") == 1
        assert (
            shown(made, made.records[0])["agent"] == "llm:org/model_2026 _gr__er_ entities-v2_abc"
        )


def made_with_the_sdk(server, name, labels):
    """A client, and a dataset that Argilla's SDK has made and filled: other names, two questions.

    One of its two texts holds an emoji as Argilla's page must not have it.
    """
    client = ArgillaClient(server.url, server.owner.api_key)
    workspace_of(client, "elsewhere")
    sdk = argilla.Argilla(api_url=server.url, api_key=server.owner.api_key)
    settings = argilla.Settings(
        guidelines="Ours.",
        fields=[argilla.TextField(name="sentence")],
        questions=[
            argilla.SpanQuestion(name="names", field="sentence", labels=labels),
            argilla.RatingQuestion(name="quality", values=[1, 2], required=False),
        ],
    )
    dataset = argilla.Dataset(name=name, workspace="elsewhere", settings=settings, client=sdk)
    dataset.create()
    dataset.records.log([{"sentence": TEXT}, {"sentence": "🌍 Thabo"}])
    return client, dataset


class TestADatasetOfSomebodyElse:
    @pytest.fixture
    def theirs(self, request):
        server, name = argilla_server(request.config), f"theirs-{request.node.name[:40]}"
        return made_with_the_sdk(server, name, {"p": "Person"})

    def test_it_is_suggested_to_and_read_by_its_own_names(self, theirs):
        client, dataset = theirs
        add_properties(client, str(dataset.id))
        tool = ArgillaTool.open(client, str(dataset.id))
        (task,) = tool.tasks()
        assert tool.schema.scheme.descriptions == {"p": "Person"}
        assert tool.suggest([suggestion(task.id, span=Span(0, 7, "p"))], "v1") == 1
        client.respond(task.id, "submitted", spans_to_json([Span(0, 7, "p")], tool.schema))
        (annotation,) = tool.accepted()
        assert annotation.spans == (Span(0, 7, "p"),)

    def test_its_texts_with_emoji_are_right_after_a_migration(self, theirs):
        client, dataset = theirs
        target = Target(client, "elsewhere", f"{dataset.name}-new", renamed={"p": "PER"})
        done = Migration(client, ArgillaSettings(), str(dataset.id), target).run()
        tool = ArgillaTool.open(client, done.dataset_id)
        assert {task.text for task in tool.tasks()} == {TEXT, "🌍 Thabo"}
        assert tool.schema.scheme.labels == ("PER",)
        assert "quality" in done.warnings[0]


class TestAThousandLabels:
    LABELS = tuple(f"KIND_{number}" for number in range(1000))

    def test_a_dataset_of_ours_with_more_than_argilla_takes_is_refused_before_it_is_made(
        self, make_dataset
    ):
        client = make_dataset([]).client
        before = len(client.datasets())
        labels = dict.fromkeys(self.LABELS, "")
        argilla = {"workspace": "tests", "dataset": "a-thousand", "labels": labels}
        with pytest.raises(LabelConfigError, match="1000 labels are more than the 500"):
            set_up(client, Settings(argilla=argilla))
        assert len(client.datasets()) == before

    def test_one_that_a_server_was_set_to_take_is_suggested_to_and_read(self, request):
        client, dataset = made_with_the_sdk(
            other_argilla_server(request.config), "a-thousand", list(self.LABELS)
        )
        add_properties(client, str(dataset.id))
        tool = ArgillaTool.open(client, str(dataset.id))
        (task,) = tool.tasks()
        last = Span(0, 7, self.LABELS[-1], 0.9)
        assert tool.schema.scheme.labels == self.LABELS
        assert tool.suggest([suggestion(task.id, span=last)], "v1") == 1
        (pushed,) = client.record(task.id)["suggestions"]
        assert pushed["value"] == [{"start": 0, "end": 7, "label": self.LABELS[-1]}]
        client.respond(task.id, "submitted", spans_to_json([last], tool.schema))
        (annotation,) = tool.accepted()
        assert annotation.spans == (last,)


class TestMigrating:
    def test_records_responses_and_suggestions_are_carried_over_once(self, make_dataset):
        made = make_dataset([TEXT, "🌍 Thabo", TEXT])
        made.client.update_record(made.records[0], metadata={"source": "news"})
        made.tool.suggest([suggestion(record) for record in made.records[:1]], "v1")
        accept(made, made.records[0], [Span(0, 7, "PER"), Span(17, 24, "LOC")])
        made.client.respond(made.records[1], "discarded", {})
        made.client.respond(made.records[2], "draft", {})
        target = Target(
            made.client, "tests", f"{made.name}-new", ("NAME", "DATE"), renamed={"PER": "NAME"}
        )
        for _ in range(2):
            migration = Migration(made.client, ArgillaSettings(), made.id, target)
            done = migration.run()
        assert (done.records, done.responses, done.suggestions) == (3, 3, 1)
        assert done.lost_spans == {"LOC": 1}
        tool = ArgillaTool.open(made.client, done.dataset_id)
        assert [task.text for task in tool.tasks()] == [task.text for task in made.tool.tasks()]
        found = {read.status: read.annotation.spans for read in tool.responses()}
        assert found == {"submitted": (Span(0, 7, "NAME"),), "discarded": (), "draft": ()}
        first = next(made.client.records(done.dataset_id, ("suggestions",)))
        assert first["metadata"]["source"] == "news"
        assert first["suggestions"][0]["value"] == [{"start": 0, "end": 7, "label": "NAME"}]


class TestOutages:
    @pytest.fixture
    def server(self, request):
        return other_argilla_server(request.config)

    @pytest.fixture
    def made(self, server):
        return ArgillaDataset(server, [f"{TEXT} {number}" for number in range(40)])

    def pushes(self, made):
        return [suggestion(record, place / 40) for place, record in enumerate(made.records)]

    def test_a_push_goes_on_after_the_search_engine_was_down(self, server, made):
        tool = ArgillaTool(made.client, made.id, made.tool.schema, push_batch=10)
        stopped = []

        def stop_search(done, total, what):
            if done == 20 and not stopped:
                server.stop_one(SEARCH)
                stopped.append(done)

        with pytest.raises(ToolUnreachableError, match="search engine"):
            tool.suggest(self.pushes(made), "harambee-v1", stop_search)
        server.start_one(SEARCH)
        # Ten were stored without being indexed; they are sent again, the first twenty are not.
        assert tool.suggest(self.pushes(made), "harambee-v1") == 20
        assert tool.queue(40) == made.records
        assert tool.suggest(self.pushes(made), "harambee-v1") == 0

    def test_a_push_goes_on_while_argilla_is_restarted(self, server, made):
        tool = ArgillaTool(made.client, made.id, made.tool.schema, push_batch=10)

        def restart(done, total, what):
            if done == 20:
                for name in (WORKER, SERVER):
                    server.stop_one(name)
                for name in (SERVER, WORKER):
                    server.start_one(name)

        assert tool.suggest(self.pushes(made), "harambee-v1", restart) == 40
        assert tool.queue(40) == made.records

    def test_a_queue_of_reviews_is_whole_after_the_search_engine_was_down(self, server, made):
        queue = [ReviewItem(record, "look again") for record in made.records[:5]]
        made.tool.review(ReviewKind.LABEL_ERRORS, queue[:3])
        server.stop_one(SEARCH)
        try:
            # Stored, and yet not found: Argilla writes to its database first.
            with pytest.raises(ToolUnreachableError):
                made.client.upsert(
                    made.id, [{"id": made.records[4], "metadata": {"label_errors": 1}}]
                )
            with pytest.raises(ToolUnreachableError):
                made.tool.review(ReviewKind.LABEL_ERRORS, queue)
        finally:
            server.start_one(SEARCH)
        assert made.tool.review(ReviewKind.LABEL_ERRORS, queue[::-1]).tasks == 5
        scope = {"entity": "metadata", "metadata_property": "label_errors"}
        found, _ = made.client.search(
            made.id, {"sort": [{"scope": scope, "order": "asc"}]}, limit=5
        )
        assert [raw["id"] for raw in found] == made.records[4::-1]
        known = {"filters": {"and": [{"type": "range", "scope": scope, "ge": 1, "le": 9}]}}
        assert made.client.search(made.id, known)[1] == 5

    def test_without_a_search_engine_the_queue_is_not_called_ready(self, server, made):
        server.stop_one(SEARCH)
        try:
            with pytest.raises(ToolUnreachableError):
                made.tool.prioritise("v1")
        finally:
            server.start_one(SEARCH)

    def test_labels_are_read_without_a_search_engine(self, server, made):
        accept(made, made.records[0], [Span(0, 7, "PER")])
        server.stop_one(SEARCH)
        try:
            assert len(list(made.tool.accepted())) == 1
        finally:
            server.start_one(SEARCH)


def test_a_record_that_argilla_refuses_is_named_and_the_others_are_pushed(make_dataset):
    made = make_dataset([TEXT] * 4)
    schema = made.tool.schema
    made.client.upsert(made.id, [{"id": made.records[2], **text_to_json("Ab", {}, schema)}])
    listed = made.client.records

    def stale(dataset, include=()):
        for raw in listed(dataset, include):
            yield raw | {"fields": {"text": TEXT}}

    made.client.records = stale
    with pytest.raises(ToolRejectedError, match=rf"refused 1 of 4.*{made.records[2]}"):
        made.tool.suggest([suggestion(record) for record in made.records], "v1")
    assert len(shown(made, made.records[3])["value"]) == 1
