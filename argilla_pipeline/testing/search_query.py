"""What queries of the search API find, as far as Argilla sends them. Pure."""

from __future__ import annotations

import fnmatch
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
Found = list[tuple[str, Json]]
"""Documents with their ids, in order."""


def hits(documents: Mapping[str, Json], request: Json, mapped: set[str]) -> Found:
    """The documents that a request finds, in the order it asks for."""
    query = request.get("query") or {"match_all": {}}
    found = [(key, body) for key, body in documents.items() if matches(query, body)]
    for order in reversed(request.get("sort") or []):
        ((field, how),) = order.items()
        if field not in mapped:
            raise ValueError(f"No mapping found for [{field}] in order to sort on")
        found = ordered(found, field, how if isinstance(how, dict) else {"order": how})
    if not request.get("sort") and "function_score" in query:
        (function,) = query["function_score"]["functions"]
        seed = function["random_score"]["seed"]
        found.sort(key=lambda item: hashlib.sha256(f"{seed}{item[0]}".encode()).digest())
    return found


def ordered(found: Found, field: str, how: Json) -> Found:
    """By the (mean) value of a field; documents without one come last either way."""
    nested = how.get("nested")

    def value(body: Json) -> Any:
        values = list(values_at(body, field))
        if nested:
            path, wanted = nested["path"], nested.get("filter", {"match_all": {}})
            inner = [{path: item} for item in body.get(path) or []]
            values = [v for item in inner if matches(wanted, item) for v in values_at(item, field)]
        if how.get("mode") == "avg" and values and not isinstance(values[0], str):
            return sum(values) / len(values)
        return values[0] if values else None

    keyed = [(value(body), key, body) for key, body in found]
    known = [item for item in keyed if item[0] is not None]
    known.sort(key=lambda item: item[0], reverse=how["order"] == "desc")
    unknown = [item for item in keyed if item[0] is None]
    return [(key, body) for _, key, body in known + unknown]


def matches(query: Json, body: Json) -> bool:  # noqa: PLR0911 - one line for each kind of query
    """Whether a document fits a query; an unknown kind of query is an error."""
    ((kind, clause),) = query.items()
    match kind:
        case "match_all":
            return True
        case "bool":
            return matches_bool(clause, body)
        case "function_score":
            return matches(clause["query"], body)
        case "nested":
            path = clause["path"]
            return any(matches(clause["query"], {path: item}) for item in body.get(path) or [])
        case "exists":
            return any(True for _ in values_at(body, clause["field"]))
        case "simple_query_string":
            return has_words(clause, body)
    ((field, wanted),) = clause.items()
    values = list(values_at(body, field))
    match kind:
        case "term":
            return (wanted["value"] if isinstance(wanted, dict) else wanted) in values
        case "terms":
            return any(value in wanted or str(value) in wanted for value in values)
        case "range":
            return any(in_range(value, wanted) for value in values)
    raise ValueError(f"unknown query [{kind}]")


def matches_bool(clause: Json, body: Json) -> bool:
    """All of ``must`` and ``filter``, none of ``must_not``, one of ``should`` if it is alone."""
    needed = [*as_list(clause.get("must")), *as_list(clause.get("filter"))]
    should = as_list(clause.get("should"))
    at_least = int(clause.get("minimum_should_match", 0 if needed else bool(should)))
    return (
        all(matches(query, body) for query in needed)
        and not any(matches(query, body) for query in as_list(clause.get("must_not")))
        and sum(matches(query, body) for query in should) >= at_least
    )


def has_words(clause: Json, body: Json) -> bool:
    """Whether the fields hold every word, without regard to case."""
    (pattern,) = clause["fields"]
    fields = body.get("fields") or {}
    wanted = pattern.removeprefix("fields.")
    texts = [text for name, text in fields.items() if text and fnmatch.fnmatch(name, wanted)]
    words = " ".join(map(str, texts)).casefold().split()
    return all(word.strip('"*') in words for word in clause["query"].casefold().split())


def in_range(value: Any, wanted: Json) -> bool:
    """Whether a value lies between the bounds that are given."""
    return bool(wanted.get("gte", value) <= value <= wanted.get("lte", value))


def values_at(body: Any, field: str) -> Iterable[Any]:
    """Every value under a dotted name; lists are passed through, as with ``include_in_root``."""
    if isinstance(body, list):
        for item in body:
            yield from values_at(item, field)
    elif not field:
        if body is not None:
            yield body
    elif isinstance(body, dict):
        key, _, rest = field.partition(".")
        yield from values_at(body.get(key), rest)


def aggregated(bodies: list[Json], request: Json) -> Json:
    """A count, the terms, or the extremes of a field over documents."""
    ((kind, clause),) = request.items()
    values = [value for body in bodies for value in values_at(body, clause["field"])]
    match kind:
        case "value_count":
            return {"value": len(values)}
        case "terms":
            common = Counter(values).most_common(clause.get("size", 10))
            return {"buckets": [{"key": key, "doc_count": count} for key, count in common]}
        case "stats":
            return {
                "count": len(values),
                "min": min(values, default=None),
                "max": max(values, default=None),
            }
    raise ValueError(f"unknown aggregation [{kind}]")


def as_list(value: Any) -> list[Json]:
    """Clauses may stand alone or in a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
