"""The batch endpoints of both vendors: half price, done after a look, results in disorder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from backend.llm.chat import Completion
from backend.testing.scripted_wire import (
    PROTOCOLS,
    Question,
    RequestRefusedError,
    WireProtocol,
)

HALF = Decimal("0.5")
FILES, OPENAI, ANTHROPIC = "/v1/files", "/v1/batches", "/v1/messages/batches"
CREATED = "2026-11-21T00:00:00Z"
UPLOADED = re.compile(rb'name="file".*?\r\n\r\n(.*?)\r\n--', re.DOTALL)

WorkOn = Callable[[WireProtocol, Question, Decimal], Completion]
Json = dict[str, Any]


@dataclass
class ScriptedBatch:
    """A batch that was taken. ``looks_until_done`` is how often it is still under way."""

    id: str
    provider: str
    results: list[Json]
    metadata: Json = field(default_factory=dict)
    looks_until_done: int = 1

    def look(self) -> bool:
        """Whether it is done by now."""
        self.looks_until_done -= 1
        return self.looks_until_done < 0


class ScriptedBatches:
    """Every batch of a scripted server. ``expiring`` requests of the next one expire."""

    def __init__(self, work_on: WorkOn) -> None:
        self.submitted: list[ScriptedBatch] = []
        self.expiring = 0
        self._work_on = work_on
        self._files: dict[str, bytes] = {}

    def knows(self, path: str) -> bool:
        """Whether a POST to the path is about batches."""
        return path in {FILES, OPENAI, ANTHROPIC}

    def handle(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> bytes:
        """The body of the reply; raises :class:`RequestRefusedError` for a wrong request."""
        if method == "GET" and path.startswith(f"{FILES}/"):
            return self._files[path.split("/")[3]]
        if method == "GET" and path.endswith("/results"):
            return _lines(self._batch(path.split("/")[4]).results)
        return json.dumps(self._object(method, path, headers, content)).encode()

    def _object(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Json:
        if method == "POST" and path == FILES:
            return self._take_file(content)
        if method == "POST" and path == OPENAI:
            return self._take_openai(json.loads(content))
        if method == "POST":
            return self._take_anthropic(headers, json.loads(content))
        provider = "anthropic" if path.startswith(ANTHROPIC) else "openai"
        if path in {OPENAI, ANTHROPIC}:
            newest_first = [b for b in reversed(self.submitted) if b.provider == provider]
            shown = [self._shown(batch) for batch in newest_first]
            return {"object": "list", "data": shown, "has_more": False}
        return self._shown(self._batch(path.rsplit("/", 1)[1]))

    def _batch(self, identifier: str) -> ScriptedBatch:
        for batch in self.submitted:
            if batch.id == identifier:
                return batch
        raise RequestRefusedError(404, "not_found_error", "no such batch")

    def _take_file(self, content: bytes) -> Json:
        uploaded = UPLOADED.search(content)
        if uploaded is None:
            raise RequestRefusedError(400, "invalid_request_error", "no file")
        name = f"file-{len(self._files)}"
        self._files[name] = uploaded.group(1)
        return {
            "id": name,
            "object": "file",
            "bytes": len(uploaded.group(1)),
            "created_at": 1,
            "filename": "x.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def _take_openai(self, body: Json) -> Json:
        wire = PROTOCOLS["/v1/chat/completions"]
        results = []
        for line in self._files[body["input_file_id"]].splitlines():
            item = json.loads(line)
            question = wire.read({}, item["body"])
            reply = wire.reply(question, self._work_on(wire, question, HALF))
            response = {"status_code": 200, "request_id": "r", "body": reply}
            results.append({"custom_id": item["custom_id"], "response": response, "error": None})
        for expired in self._last(results):
            expired |= {"response": None, "error": {"code": "batch_expired", "message": "late"}}
        return self._shown(self._add("openai", results, body.get("metadata") or {}))

    def _take_anthropic(self, headers: Mapping[str, str], body: Json) -> Json:
        wire = PROTOCOLS["/v1/messages"]
        results = []
        for item in body["requests"]:
            question = wire.read(headers, item["params"])
            message = wire.reply(question, self._work_on(wire, question, HALF))
            result = {"type": "succeeded", "message": message}
            results.append({"custom_id": item["custom_id"], "result": result})
        for expired in self._last(results):
            expired["result"] = {"type": "expired"}
        return self._shown(self._add("anthropic", results, {}))

    def _last(self, results: list[Json]) -> list[Json]:
        count, self.expiring = self.expiring, 0
        return results[len(results) - count :]

    def _add(self, provider: str, results: list[Json], metadata: Json) -> ScriptedBatch:
        name = f"batch_{len(self.submitted)}"
        batch = ScriptedBatch(name, provider, results[::-1], metadata)
        self.submitted.append(batch)
        self._files[f"{name}-out"] = _lines(batch.results)
        return batch

    def _shown(self, batch: ScriptedBatch) -> Json:
        done = batch.look()
        if batch.provider == "openai":
            return {
                "id": batch.id,
                "object": "batch",
                "endpoint": "/v1/chat/completions",
                "input_file_id": "file-0",
                "completion_window": "24h",
                "status": "completed" if done else "in_progress",
                "output_file_id": f"{batch.id}-out" if done else None,
                "created_at": 1,
                "metadata": batch.metadata,
            }
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if done else "in_progress",
            "request_counts": counts | {"succeeded": len(batch.results)},
            "created_at": CREATED,
            "expires_at": CREATED,
            "results_url": None,
        }


def _lines(items: list[Json]) -> bytes:
    return "".join(json.dumps(item) + "\n" for item in items).encode()
