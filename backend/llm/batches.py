"""Questions asked in a batch: half the price, answered within a day, in any order.

An annotator runs over the tasks with a :class:`CollectingClient`, which answers nothing and notes
every question. These are submitted together, and their answers put into the cache, where the same
annotator finds them afterwards. So a batch knows nothing of prompts, and its answers are those
that single calls would have got.

Nothing is lost or paid twice in a crash: a batch has an id of our own, written down with its
entries in the ledger before it is submitted. The provider is asked for it by that id, and its
answers reach the cache all at once.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from backend.cost.prices import Price, cost
from backend.domain import Outcome, PaidCall, Usage
from backend.errors import BudgetExceededError
from backend.llm.chat import NOTHING_BILLED, ChatClient, ChatRequest, Completion, Failure
from backend.llm.paid import Keep, PaidClient, RetryPolicy, Run, origin_of
from backend.protocols import AnswerCache, BatchRecords, Ledger, OpenBatch, Progress, silent

MOST_PER_BATCH = 10_000
"""Both vendors take more; this keeps a batch's file below their limits of size."""

COLLECTED = Failure(Outcome.UNREACHABLE, "waits for a batch", retryable=False)
NOT_ANSWERED = Failure(
    Outcome.UNREACHABLE, "the batch brought no answer to it", retryable=False, usage=NOTHING_BILLED
)


class BatchClient(Protocol):
    """A provider's batches. Raises :class:`~backend.errors.ProviderError` where it cannot."""

    @property
    def model(self) -> str:
        """The model's name at the provider."""

    def submit(self, own_id: str, requests: Mapping[str, ChatRequest]) -> str:
        """Submit requests by custom id, once; the provider's id of the batch."""

    def find(self, own_id: str) -> str | None:
        """The provider's id of a batch that was submitted under our own, if there is one."""

    def is_done(self, provider_id: str) -> bool:
        """Whether its results are there."""

    def results(self, provider_id: str) -> Iterator[tuple[str, Completion | Failure]]:
        """What became of the requests, by custom id, in any order."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that waits for a batch, and what to do with its answer."""

    request: ChatRequest
    call: PaidCall
    keep: Keep


class CollectingClient(PaidClient):
    """A client that notes questions instead of asking them. ``asked`` is by their digests."""

    def __init__(
        self,
        client: ChatClient,
        price: Price,
        ledger: Ledger,
        policy: RetryPolicy | None = None,
    ) -> None:
        super().__init__(client, price.at_half(), ledger, policy)
        self.price = price.at_half()
        self.asked: dict[str, Pending] = {}
        self._noting = Lock()

    def ask(
        self, request: ChatRequest, call: PaidCall, run: Run, keep: Keep
    ) -> Completion | Failure:
        """See :meth:`backend.llm.paid.PaidClient.ask`."""
        pending = Pending(request, replace(call, price=self.price.tag), keep)
        with self._noting:
            self.asked.setdefault(digest_of(request), pending)
        return COLLECTED


class AnswersAtOnce:
    """:class:`backend.protocols.AnswerCache` that keeps what is put until :meth:`flush`."""

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache
        self._waiting: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """See :meth:`backend.protocols.AnswerCache.get`."""
        return self._cache.get(key)

    def get_many(self, keys: Collection[str]) -> dict[str, str]:
        """See :meth:`backend.protocols.AnswerCache.get_many`."""
        return self._cache.get_many(keys)

    def put(self, key: str, answer: str) -> None:
        """Keep it for later."""
        self._waiting.setdefault(key, answer)

    def put_many(self, answers: Mapping[str, str]) -> None:
        """Keep them for later."""
        for key, answer in answers.items():
            self.put(key, answer)

    def flush(self) -> None:
        """Put everything into the cache, all of it or nothing."""
        self._cache.put_many(self._waiting)
        self._waiting.clear()


class Batches:
    """Submits questions, waits for their answers, and settles them."""

    def __init__(
        self,
        client: BatchClient,
        ledger: Ledger,
        records: BatchRecords,
        poll_seconds: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._records = records
        self._poll_seconds = poll_seconds
        self._sleep = sleep

    def resume(self, collected: CollectingClient, answers: AnswersAtOnce) -> None:
        """See the batches to their end that an earlier run left open."""
        for batch in self._records.open():
            self._complete(batch, collected, answers, silent)

    def ask(
        self, collected: CollectingClient, answers: AnswersAtOnce, progress: Progress = silent
    ) -> dict[str, Failure]:
        """Get all questions answered; those that were not, by digest, with the reason."""
        failures: dict[str, Failure] = {}
        waiting = list(collected.asked)
        opened = []
        for start in range(0, len(waiting), MOST_PER_BATCH):
            some = waiting[start : start + MOST_PER_BATCH]
            entries = self._reserve(some, collected, failures)
            if entries:
                opened.append(self._submit(OpenBatch(own_id(), None, entries), collected))
        for batch in opened:
            failures |= self._complete(batch, collected, answers, progress)
        return failures

    def _reserve(
        self, digests: list[str], collected: CollectingClient, failures: dict[str, Failure]
    ) -> dict[str, int]:
        """Entries in the ledger by digest, as far as the budget goes."""
        entries: dict[str, int] = {}
        for number, digest in enumerate(digests):
            pending = collected.asked[digest]
            try:
                at_most = collected.most_it_can_cost(pending.request)
                entries[digest] = self._ledger.reserve(pending.call, at_most)
            except BudgetExceededError as refusal:
                over = Failure(Outcome.OVER_BUDGET, str(refusal), retryable=False)
                failures |= dict.fromkeys(digests[number:], over)
                break
        return entries

    def _submit(self, batch: OpenBatch, collected: CollectingClient) -> OpenBatch:
        self._records.begin(batch)
        return self._sent(batch, collected)

    def _sent(self, batch: OpenBatch, collected: CollectingClient) -> OpenBatch:
        requests = {
            custom_id(batch.id, digest): collected.asked[digest].request
            for digest in batch.entries
            if digest in collected.asked
        }
        provider_id = self._client.submit(batch.id, requests)
        self._records.submitted(batch.id, provider_id)
        return replace(batch, provider_id=provider_id)

    def _complete(
        self,
        batch: OpenBatch,
        collected: CollectingClient,
        answers: AnswersAtOnce,
        progress: Progress,
    ) -> dict[str, Failure]:
        replies: dict[str, Completion | Failure] = dict.fromkeys(batch.entries, NOT_ANSWERED)
        progress(0, len(batch.entries), "batch")
        replies |= self._replies(batch, collected)
        for digest, reply in replies.items():
            if isinstance(reply, Completion) and (known := collected.asked.get(digest)):
                known.keep(replace(reply, origin=origin_of(known.call)))
        answers.flush()
        for digest, entry in batch.entries.items():
            self._settle(entry, replies[digest], collected.price)
        self._records.finish(batch.id)
        progress(len(batch.entries), len(batch.entries), "batch")
        return {digest: reply for digest, reply in replies.items() if isinstance(reply, Failure)}

    def _replies(
        self, batch: OpenBatch, collected: CollectingClient
    ) -> Iterator[tuple[str, Completion | Failure]]:
        """What became of a batch's calls, by digest; submits it if that was not done."""
        provider_id = batch.provider_id or self._client.find(batch.id)
        if provider_id is None:
            if collected.asked.keys().isdisjoint(batch.entries):
                return  # asked by other settings than today's, and never sent
            provider_id = self._sent(batch, collected).provider_id or ""
        while not self._client.is_done(provider_id):
            self._sleep(self._poll_seconds)
        for name, reply in self._client.results(provider_id):
            yield name.partition("-")[2], reply

    def _settle(self, entry: int, reply: Completion | Failure, price: Price) -> None:
        usage: Usage | None = reply.usage
        outcome = reply.stop.value if isinstance(reply, Completion) else reply.outcome.value
        self._ledger.settle(entry, outcome, usage, None if usage is None else cost(price, usage))


def own_id() -> str:
    """A new id for a batch."""
    return uuid.uuid4().hex[:12]


def custom_id(batch: str, digest: str) -> str:
    """A request's id in a batch; it holds the batch's own, by which the batch is known again."""
    return f"{batch}-{digest}"


def digest_of(request: ChatRequest) -> str:
    """Forty characters that tell a question from others, as vendors take no long ids."""
    return hashlib.sha256(
        json.dumps(request.identity(), sort_keys=True).encode("ascii")
    ).hexdigest()[:40]
