"""A stand-in for Elasticsearch, and for nothing else: Argilla's own server is always the real one.

Argilla keeps its records in a database and sends a copy to a search engine, which it asks for
filtered and sorted lists. Elasticsearch comes from no package index, so tests and the demo run this
server in its place: it speaks the part of the search API that Argilla 2.8 uses, on the loopback
interface, and keeps the documents in a SQLite file, so that it can be stopped and started again.
Real installations run Elasticsearch (``docker/compose.argilla.yaml``).
"""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from argilla_pipeline.testing.search_query import aggregated, hits

Json = dict[str, Any]

ABOUT = {
    "name": "stand-in",
    "cluster_name": "stand-in",
    "version": {"number": "8.17.0", "build_flavor": "default"},
    "tagline": "You Know, for Search",
}
REMOVED_SUGGESTION = re.compile(r'remove\("(.+)"\)')


class MissingIndexError(Exception):
    """No index has this name."""


class Indices:
    """Indices of documents, in memory and in a SQLite file. Its users take turns."""

    def __init__(self, file: Path) -> None:
        self._file = sqlite3.connect(file, check_same_thread=False)
        self._file.executescript(
            "CREATE TABLE IF NOT EXISTS indices (name TEXT PRIMARY KEY, mapping TEXT);"
            "CREATE TABLE IF NOT EXISTS documents"
            " (name TEXT, id TEXT, body TEXT, PRIMARY KEY (name, id));"
        )
        self.mappings: dict[str, Json] = {
            name: json.loads(mapping)
            for name, mapping in self._file.execute("SELECT name, mapping FROM indices")
        }
        self._documents: dict[str, dict[str, Json]] = {name: {} for name in self.mappings}
        for name, key, body in self._file.execute("SELECT name, id, body FROM documents"):
            self._documents[name][key] = json.loads(body)

    def documents(self, name: str) -> dict[str, Json]:
        """The documents of an index by id."""
        if name not in self._documents:
            raise MissingIndexError(name)
        return self._documents[name]

    def create(self, name: str, mapping: Json) -> None:
        """Make an index with the properties of its documents."""
        self.mappings[name] = mapping
        self._documents.setdefault(name, {})
        self._file.execute("REPLACE INTO indices VALUES (?, ?)", (name, json.dumps(mapping)))

    def drop(self, name: str) -> None:
        """Remove an index with its documents."""
        self.mappings.pop(name, None)
        self._documents.pop(name, None)
        self._file.execute("DELETE FROM indices WHERE name = ?", (name,))
        self._file.execute("DELETE FROM documents WHERE name = ?", (name,))

    def put(self, name: str, key: str, body: Json) -> None:
        """Keep a document."""
        self.documents(name)[key] = body
        self._file.execute("REPLACE INTO documents VALUES (?, ?, ?)", (name, key, json.dumps(body)))

    def remove(self, name: str, key: str) -> bool:
        """Forget a document; whether it was there."""
        known = self.documents(name).pop(key, None) is not None
        self._file.execute("DELETE FROM documents WHERE name = ? AND id = ?", (name, key))
        return known

    def commit(self) -> None:
        """Everything up to here is in the file."""
        self._file.commit()


def bulk(indices: Indices, lines: list[str]) -> Json:
    """Index and delete documents; each action is one line, and what it indexes the next."""
    items: list[Json] = []
    rest = iter(lines)
    for line in rest:
        ((verb, target),) = json.loads(line).items()
        name, key = target["_index"], str(target["_id"])
        if verb == "delete":
            found = indices.remove(name, key)
        else:
            indices.put(name, key, json.loads(next(rest)))
            found = True
        items.append({verb: {"_index": name, "_id": key, "status": 200 if found else 404}})
    return {"took": 1, "errors": False, "items": items}


def update(indices: Indices, name: str, key: str, change: Json) -> Json:
    """Change a document by a partial one, or by one of the three scripts that Argilla sends."""
    body = indices.documents(name)[key]
    if "doc" in change:
        merge(body, change["doc"])
    else:
        run_script(body, change["script"])
    indices.put(name, key, body)
    return {"_index": name, "_id": key, "result": "updated"}


def merge(body: Json, change: Json) -> None:
    """Set what ``change`` holds, objects key by key."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(body.get(key), dict):
            merge(body[key], value)
        else:
            body[key] = value


def run_script(body: Json, script: Any) -> None:
    """Add or remove a response, or remove a suggestion."""
    source = script if isinstance(script, str) else script["source"]
    if removed := REMOVED_SUGGESTION.search(source) if '"suggestions"' in source else None:
        body.get("suggestions", {}).pop(removed.group(1), None)
        return
    response = script["params"]["response"]
    others = [item for item in body.get("responses") or [] if item["id"] != response["id"]]
    body["responses"] = [*others, response] if "responses.add" in source else others


def search(indices: Indices, name: str, request: Json) -> Json:
    """One page of the documents that a query finds, and aggregations over all of them."""
    found = hits(indices.documents(name), request, mapped(indices.mappings[name]))
    start, size = request.get("from", 0), request.get("size", 10)
    page = [{"_index": name, "_id": key, "_score": 1.0} for key, _ in found[start : start + size]]
    answer: Json = {"hits": {"total": {"value": len(found), "relation": "eq"}, "hits": page}}
    wanted = request.get("aggregations") or request.get("aggs")
    if wanted:
        bodies = [body for _, body in found]
        answer["aggregations"] = {key: aggregated(bodies, agg) for key, agg in wanted.items()}
    return {"took": 1, "timed_out": False, **answer}


def mapped(mapping: Json) -> set[str]:
    """Dotted names of the fields that an index knows."""
    known: set[str] = set()

    def collect(properties: Json, prefix: str) -> None:
        for key, field in properties.items():
            known.add(prefix + key)
            collect(field.get("properties", {}), f"{prefix}{key}.")

    collect(mapping.get("properties", {}), "")
    return known


class Handler(BaseHTTPRequestHandler):
    """One connection; all share the server's indices, one request at a time."""

    protocol_version = "HTTP/1.1"
    server: SearchEngine

    def do_GET(self) -> None:
        """Answer any method."""
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length).decode()
        path = unquote(urlsplit(self.path).path)
        with self.server.turn:
            status, answer = self._answer(path, content)
            self.server.indices.commit()
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names that http.server asks for

    def _answer(self, path: str, content: str) -> tuple[int, Json]:
        try:
            return 200, self._routed(path, content)
        except MissingIndexError as error:
            return 404, problem("index_not_found_exception", f"no such index [{error}]", 404)
        except KeyError as error:
            return 404, problem("document_missing_exception", f"[{error}]: missing", 404)
        except (ValueError, TypeError) as error:
            return 400, problem("parsing_exception", str(error), 400)

    def _routed(self, path: str, content: str) -> Json:
        indices = self.server.indices
        name, action, key = [*path.strip("/").split("/"), "", ""][:3]
        if name == "_bulk":
            return bulk(indices, [line for line in content.splitlines() if line])
        if not name:
            return ABOUT
        body = json.loads(content) if content else {}
        match (self.command, action):
            case (_, "_search"):
                return search(indices, name, body)
            case (_, "_update"):
                return update(indices, name, key, body)
            case (_, "_mapping"):
                merge(indices.mappings[name].setdefault("properties", {}), nested_names(body))
                indices.create(name, indices.mappings[name])
            case ("PUT", ""):
                indices.create(name, {"properties": nested_names(body.get("mappings", {}))})
            case ("DELETE", ""):
                indices.drop(name)
            case _:
                indices.documents(name)
        return {"acknowledged": True, "index": name}

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a request that fails is in Argilla's own log."""


def nested_names(mapping: Json) -> Json:
    """The properties of a mapping, with ``a.b`` written as ``a`` with a property ``b``."""
    properties: Json = {}
    for name, field in mapping.get("properties", {}).items():
        first, _, rest = name.partition(".")
        inner = nested_names(field) if "properties" in field else {}
        value = dict(field) | ({"properties": inner} if inner else {})
        if rest:
            value = {"properties": nested_names({"properties": {rest: field}})}
        merge(properties, {first: value})
    return properties


def problem(kind: str, reason: str, status: int) -> Json:
    """An error as Elasticsearch writes it."""
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


class SearchEngine(ThreadingHTTPServer):
    """The stand-in on a port of the loopback interface; documents are kept in ``file``."""

    daemon_threads = True

    def __init__(self, port: int, file: Path) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.indices = Indices(file)
        self.turn = threading.Lock()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    chosen = parser.parse_args()
    SearchEngine(chosen.port, chosen.file).serve_forever()


if __name__ == "__main__":
    main()
