"""The search engine's stand-in finds what Elasticsearch would, for what Argilla asks."""

from __future__ import annotations

import pytest

from argilla_pipeline.testing.search_engine import (
    Indices,
    bulk,
    mapped,
    nested_names,
    search,
    update,
)
from argilla_pipeline.testing.search_query import aggregated, hits, matches

DOCUMENTS = {
    "a": {
        "status": "pending",
        "fields": {"text": "Wangari lives in Nairobi"},
        "metadata": {"uncertainty": 0.2, "round": 1},
        "responses": [{"id": "1", "status": "draft", "user_id": "u1"}],
    },
    "b": {
        "status": "completed",
        "fields": {"text": "Thabo"},
        "metadata": {"uncertainty": 0.9, "round": 2},
        "responses": [
            {"id": "2", "status": "submitted", "user_id": "u1"},
            {"id": "3", "status": "discarded", "user_id": "u2"},
        ],
    },
    "c": {"status": "pending", "fields": {"text": "Èkó"}, "metadata": {}},
}
MAPPED = {"metadata.uncertainty", "responses.status"}


def found(query, **request):
    return [key for key, _ in hits(DOCUMENTS, {"query": query, **request}, MAPPED)]


def by_user(user, **clause):
    return {"nested": {"path": "responses", "query": {"bool": {"must": [
        {"terms": {"responses.user_id": [user]}}, *[{"term": {k: v}} for k, v in clause.items()]
    ]}}}}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"match_all": {}}, "abc"),
        ({"terms": {"status": ["pending"]}}, "ac"),
        ({"range": {"metadata.round": {"gte": 2, "lte": 2}}}, "b"),
        ({"exists": {"field": "responses"}}, "ab"),
        ({"bool": {"must_not": {"exists": {"field": "responses"}}}}, "c"),
        ({"bool": {"must": {"match_all": {}}, "filter": {"term": {"status": "pending"}}}}, "ac"),
        (
            {
                "bool": {
                    "should": [{"term": {"status": "completed"}}, {"term": {"status": "x"}}],
                    "minimum_should_match": 1,
                }
            },
            "b",
        ),
        ({"simple_query_string": {"query": "nairobi", "fields": ["fields.*"]}}, "a"),
        (by_user("u1", **{"responses.status": "submitted"}), "b"),
        (by_user("u2", **{"responses.status": "submitted"}), ""),
    ],
)
def test_queries_find(query, expected):
    assert found(query) == list(expected)


def test_an_unknown_query_is_an_error():
    with pytest.raises(ValueError, match="fuzzy"):
        matches({"fuzzy": {"text": "x"}}, {})


@pytest.mark.parametrize(("order", "expected"), [("desc", "bac"), ("asc", "abc")])
def test_documents_without_the_value_come_last_either_way(order, expected):
    assert found({"match_all": {}}, sort=[{"metadata.uncertainty": order}]) == list(expected)


def test_sorting_by_what_is_not_mapped_is_an_error():
    with pytest.raises(ValueError, match="No mapping found"):
        found({"match_all": {}}, sort=[{"metadata.length": "asc"}])


def test_the_random_order_is_a_users_own_and_stays():
    def scored(user):
        function = {"random_score": {"seed": user}}
        return found({"function_score": {"query": {"match_all": {}}, "functions": [function]}})

    orders = {tuple(scored(f"u{number}")) for number in range(20)}
    assert scored("u1") == scored("u1")
    assert len(orders) > 1


def test_aggregations_count():
    bodies = list(DOCUMENTS.values())
    assert aggregated(bodies, {"value_count": {"field": "responses.status"}}) == {"value": 3}
    assert aggregated(bodies, {"stats": {"field": "metadata.uncertainty"}})["max"] == 0.9
    buckets = aggregated(bodies, {"terms": {"field": "status"}})["buckets"]
    assert buckets[0] == {"key": "pending", "doc_count": 2}


@pytest.fixture
def indices(tmp_path):
    made = Indices(tmp_path / "file")
    made.create("i", {"properties": nested_names({"properties": {"metadata.x": {"type": "long"}}})})
    bulk(made, ['{"index":{"_index":"i","_id":"a"}}', '{"metadata":{"x":1},"responses":null}'])
    made.commit()
    return made


def test_everything_is_there_after_a_restart(indices, tmp_path):
    again = Indices(tmp_path / "file")
    assert again.documents("i") == indices.documents("i")
    assert mapped(again.mappings["i"]) == {"metadata", "metadata.x"}


def test_a_page_says_how_many_there_are(indices):
    bulk(indices, ['{"index":{"_index":"i","_id":"b"}}', '{"metadata":{"x":2}}'])
    answer = search(indices, "i", {"size": 1, "from": 1, "sort": [{"metadata.x": "asc"}]})
    assert answer["hits"]["total"]["value"] == 2
    assert [hit["_id"] for hit in answer["hits"]["hits"]] == ["b"]


def test_argillas_three_scripts_change_responses_and_suggestions(indices):
    def script(source, response=None):
        return {"script": {"source": source, "params": {"response": response}}}

    add = "ctx._source.responses.add(params.response)"
    update(indices, "i", "a", script(add, {"id": "1", "status": "draft"}))
    update(indices, "i", "a", script(add, {"id": "1", "status": "submitted"}))
    assert indices.documents("i")["a"]["responses"] == [{"id": "1", "status": "submitted"}]
    update(indices, "i", "a", script("ctx._source.responses.remove(i)", {"id": "1"}))
    assert indices.documents("i")["a"]["responses"] == []
    update(indices, "i", "a", {"doc": {"suggestions": {"spans": {"agent": "x"}}}})
    update(indices, "i", "a", {"script": 'ctx._source["suggestions"].remove("spans")'})
    assert indices.documents("i")["a"]["suggestions"] == {}
