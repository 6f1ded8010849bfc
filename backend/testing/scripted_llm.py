"""An LLM provider on this machine: both wire protocols over real HTTP, billed, and able to fail.

::

    with ScriptedLlm(brain) as server:
        OpenAIClient("gpt-6-luna", server.api_key, server.openai_url)
        server.fail_next(Fault.RATE_LIMIT, Fault.HANG)

It answers each of the prompts that harambee renders; what it says of a text is up to its brain.
"""

from __future__ import annotations

import enum
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from backend.cost.prices import cost, price_of
from backend.domain import Usage
from backend.llm.chat import Completion, Stop
from backend.testing.annotators import Brain
from backend.testing.scripted_batches import ScriptedBatches
from backend.testing.scripted_prompts import leave_out_last, mix_up, read_prompt, repeat_first
from backend.testing.scripted_wire import (
    PROTOCOLS,
    Question,
    RequestRefusedError,
    WireProtocol,
)

BYTES_PER_TOKEN = 3
SECONDS_PER_BYTE = 0.05
WHOLE = Decimal(1)


class Fault(enum.StrEnum):
    """A way to fail one request. From ``HANG`` on, the answer is billed all the same."""

    RATE_LIMIT = "429 with Retry-After"
    RATE_LIMIT_FOR_AN_HOUR = "429 with Retry-After of an hour"
    SERVER_ERROR = "500"
    GATEWAY_TIMEOUT = "504"
    BAD_REQUEST = "400"
    NO_CREDIT = "429 for an empty account"
    PROMPT_FILTERED = "400 by the content filter"
    REDIRECT = "307 to another address"
    HANG = "no answer at all"
    TRICKLE = "one byte at a time"
    CUT = "half a body"
    REFUSAL = "the model refuses"
    FILTERED = "the content filter withholds the answer"
    TRUNCATION = "the answer reaches its limit"
    NONSENSE = "prose instead of JSON"
    FENCED = "JSON inside a fence inside prose"
    NO_CHOICES = "200 without an answer"
    NOT_JSON = "200 with a page of HTML"
    LEFT_OUT = "no part for the last of several texts"
    REPEATED = "two parts for the first of several texts"
    MIXED_UP = "the parts of two texts exchanged"


TURNED_DOWN: dict[Fault, tuple[int, str, dict[str, str]]] = {
    Fault.RATE_LIMIT: (429, "rate_limit_exceeded", {"Retry-After": "0.05"}),
    Fault.RATE_LIMIT_FOR_AN_HOUR: (429, "rate_limit_exceeded", {"Retry-After": "3600"}),
    Fault.SERVER_ERROR: (500, "server_error", {}),
    Fault.GATEWAY_TIMEOUT: (504, "timeout", {}),
    Fault.BAD_REQUEST: (400, "invalid_request_error", {}),
    Fault.NO_CREDIT: (429, "insufficient_quota", {}),
    Fault.PROMPT_FILTERED: (400, "content_filter", {}),
    Fault.REDIRECT: (307, "moved", {"Location": "http://127.0.0.1:9/elsewhere"}),
}
STOPS = {
    Fault.REFUSAL: Stop.REFUSED,
    Fault.FILTERED: Stop.FILTERED,
    Fault.TRUNCATION: Stop.TRUNCATED,
}
MUDDLES: dict[Fault, Callable[[str], str]] = {
    Fault.LEFT_OUT: leave_out_last,
    Fault.REPEATED: repeat_first,
    Fault.MIXED_UP: mix_up,
}


@dataclass(frozen=True, slots=True)
class BilledCall:
    """A request that the server worked on, and charged for."""

    provider: str
    model: str
    texts: tuple[str, ...]
    prompt: str
    usage: Usage
    cost: Decimal


class ScriptedLlm:
    """The server; a context manager that listens on a free port of 127.0.0.1.

    ``calls`` holds what was billed, ``requests`` counts everything that arrived.
    ``seconds`` is how long it thinks about each answer.
    """

    def __init__(self, brain: Brain, *, api_key: str = "scripted-key", seconds: float = 0) -> None:
        self.api_key = api_key
        self.seconds = seconds
        self.requests = 0
        self.calls: list[BilledCall] = []
        self.stopping = threading.Event()
        self.batches = ScriptedBatches(self.work_on)
        self._brain = brain
        self._faults: deque[Fault] = deque()
        self._always: Fault | None = None
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.llm = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def anthropic_url(self) -> str:
        """Base address for Anthropic's SDK."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai_url(self) -> str:
        """Base address for OpenAI's SDK."""
        return f"{self.anthropic_url}/v1"

    @property
    def texts(self) -> list[str]:
        """Every text that was asked about and charged for, as often as it was."""
        return [text for call in self.calls for text in call.texts]

    @property
    def billed_usd(self) -> Decimal:
        """The whole bill."""
        return sum((call.cost for call in self.calls), Decimal(0))

    def fail_next(self, *faults: Fault) -> None:
        """Let the next requests fail, one fault each, before answering again."""
        with self._lock:
            self._faults.extend(faults)

    def fail_always(self, fault: Fault) -> None:
        """Let every request fail that no fault of :meth:`fail_next` is meant for."""
        self._always = fault

    def next_fault(self) -> Fault | None:
        """The fault that the request which has just arrived is to meet."""
        with self._lock:
            self.requests += 1
            return self._faults.popleft() if self._faults else self._always

    def work_on(self, wire: WireProtocol, question: Question, share: Decimal = WHOLE) -> Completion:
        """Answer as far as the limit allows, and bill that share of the price."""
        self.stopping.wait(self.seconds)
        texts, answer = self.answer(question)
        most = question.max_output_tokens
        stop = Stop.COMPLETE if _tokens_in(answer) <= most else Stop.TRUNCATED
        usage = Usage(_tokens_in(question.prompt), min(_tokens_in(answer), most))
        bill = share * cost(price_of(wire.provider, question.model), usage)
        with self._lock:
            self.calls.append(
                BilledCall(wire.provider, question.model, texts, question.prompt, usage, bill)
            )
        return Completion(answer, stop, usage)

    def answer(self, question: Question) -> tuple[tuple[str, ...], str]:
        """The texts that a question is about, and what is written of them."""
        reading = read_prompt(question.prompt)
        if reading is None:
            raise RequestRefusedError(400, "invalid_request_error", "no text in the prompt")
        return reading.texts, reading.write([self._brain(text) for text in reading.texts])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    llm: ScriptedLlm


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        self._answer_about_batches("GET", b"")

    def _answer_about_batches(self, method: str, content: bytes) -> None:
        batches = self.server.llm.batches
        path = self.path.partition("?")[0]
        if self.headers.get("Authorization") != f"Bearer {self.server.llm.api_key}":
            self._send(401, b"Incorrect API key provided")
            return
        try:
            self._send(200, batches.handle(method, path, self._plain_headers(), content))
        except RequestRefusedError as refusal:
            self._send(refusal.status, str(refusal).encode())

    def do_POST(self) -> None:
        llm = self.server.llm
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if llm.batches.knows(self.path):
            self._answer_about_batches("POST", content)
            return
        fault = llm.next_fault()
        wire = PROTOCOLS.get(self.path)
        if wire is None:
            self._send(404, b"no such path")
            return
        if self.headers.get("Authorization") != f"Bearer {llm.api_key}":
            self._send_json(401, wire.error("invalid_api_key", "Incorrect API key provided"))
            return
        if fault in TURNED_DOWN:
            status, code, headers = TURNED_DOWN[fault]
            self._send_json(status, wire.error(code, f"scripted: {fault}"), headers)
            return
        try:
            question = wire.read(self._plain_headers(), json.loads(content))
            completion = llm.work_on(wire, question)
        except RequestRefusedError as refusal:
            self._send_json(refusal.status, wire.error(refusal.code, str(refusal)))
        except (KeyError, TypeError, ValueError) as error:
            self._send_json(400, wire.error("invalid_request_error", f"malformed: {error!r}"))
        else:
            self._deliver(wire, question, completion, fault)

    def _plain_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _deliver(
        self, wire: WireProtocol, question: Question, completion: Completion, fault: Fault | None
    ) -> None:
        if fault is Fault.HANG:
            self.server.llm.stopping.wait(60)
            self.close_connection = True
            return
        if fault is Fault.NOT_JSON:
            self._send(200, b"<html>It works!</html>")
            return
        body = wire.reply(question, _as_faulty(completion, fault))
        if fault is Fault.NO_CHOICES:
            body = {key: None if key in {"choices", "content"} else body[key] for key in body}
        whole = json.dumps(body).encode()
        if fault is Fault.TRICKLE:
            self._trickle(whole)
        else:
            self._send(200, whole, cut=fault is Fault.CUT)

    def _send_json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), headers=headers)

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def _trickle(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = True
        for position in range(len(body)):
            if self.server.llm.stopping.wait(SECONDS_PER_BYTE):
                return
            try:
                self.wfile.write(body[position : position + 1])
            except ConnectionError:
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: this server runs inside tests and the demo."""


def _as_faulty(completion: Completion, fault: Fault | None) -> Completion:
    answer = completion.text
    if fault in MUDDLES:
        return replace(completion, text=MUDDLES[fault](answer))
    if fault in STOPS:
        return replace(completion, stop=STOPS[fault], text=answer[: len(answer) // 2])
    if fault is Fault.NONSENSE:
        return replace(completion, text="I would be glad to help! Which language is this?")
    if fault is Fault.FENCED:
        return replace(completion, text=f"Here you are:\n```json\n{answer}\n```\nMore?")
    return completion


def _tokens_in(text: str) -> int:
    return len(text.encode()) // BYTES_PER_TOKEN + 1
