"""An annotator that asks in batches: the ordinary one, run before and after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.cost.prices import Price
from backend.domain import Answer, LabelScheme, PaidCall, Task
from backend.errors import ConfigurationError
from backend.llm.annotator import LlmAnnotator
from backend.llm.batches import AnswersAtOnce, Batches, CollectingClient, digest_of
from backend.llm.chat import ChatClient, ChatRequest, Completion, Failure
from backend.llm.factory import MakePaid, build_annotator
from backend.llm.paid import Keep, PaidClient, RetryPolicy, Run
from backend.llm.replay import NOT_KNOWN
from backend.protocols import AnswerCache, Ledger, Progress, silent
from backend.settings import LlmSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """What a :class:`BatchAnnotator` works with."""

    batches: Batches
    ledger: Ledger
    cache: AnswerCache
    progress: Progress = silent


class BatchAnnotator:
    """:class:`backend.protocols.Annotator` at half the price and the provider's leisure.

    What the answer to several texts was not clear about is asked in a second batch, alone. Answers
    are yielded when all of them are there.
    """

    def __init__(self, llm: LlmSettings, parts: Parts, repetition: int = 0) -> None:
        self._llm = llm
        self._parts = parts
        self._repetition = repetition
        self._alone = llm.model_copy(update={"sentences_per_call": 1})
        self._final = self._annotator(llm, PaidClient, parts.cache)

    @property
    def model(self) -> str:
        """The model's name at its provider."""
        return self._final.model

    @property
    def prompt_version(self) -> str:
        """The version of the prompt."""
        return self._final.prompt_version

    def annotate(
        self, tasks: Sequence[Task], scheme: LabelScheme, run: str | None = None
    ) -> Iterator[Answer]:
        """See :meth:`backend.llm.panel.Member.annotate`.

        Raises :class:`~backend.errors.ProviderError` where a batch cannot be submitted or looked
        after; a later call goes on with it.
        """
        batches, progress = self._parts.batches, self._parts.progress
        failures: dict[str, Failure] = {}
        batches.resume(*self._collect((self._llm, self._alone), tasks, scheme, run))
        for llm in (self._llm, self._alone):
            failures = batches.ask(*self._collect((llm,), tasks, scheme, run), progress)
        known = self._annotator(self._alone, answering(failures), self._parts.cache)
        yield from known.annotate(tasks, scheme, run)

    def _collect(
        self,
        ways: Sequence[LlmSettings],
        tasks: Sequence[Task],
        scheme: LabelScheme,
        run: str | None,
    ) -> tuple[CollectingClient, AnswersAtOnce]:
        """The questions to which the cache holds no answer, asked in one way or several."""
        made: list[CollectingClient] = []

        def make(
            client: ChatClient, price: Price, ledger: Ledger, policy: RetryPolicy
        ) -> PaidClient:
            made.append(CollectingClient(client, price, ledger, policy))
            return made[-1]

        answers = AnswersAtOnce(self._parts.cache)
        for llm in ways:
            for _ in self._annotator(llm, make, answers).annotate(tasks, scheme, run):
                pass
        for other in made[1:]:
            made[0].asked.update(other.asked)
        return made[0], answers

    def _annotator(self, llm: LlmSettings, make: MakePaid, cache: AnswerCache) -> LlmAnnotator:
        annotator = build_annotator(
            llm,
            project_id=None,
            ledger=self._parts.ledger,
            cache=cache,
            make_paid=make,
            repetition=self._repetition,
        )
        if annotator is None:
            raise ConfigurationError("There is no LLM to annotate with: set llm.provider.")
        return annotator


class AfterTheBatch(PaidClient):
    """A client that asks nobody: it says why a question came back from the batch unanswered."""

    failures: dict[str, Failure]

    def ask(
        self, request: ChatRequest, call: PaidCall, run: Run, keep: Keep
    ) -> Completion | Failure:
        """See :meth:`backend.llm.paid.PaidClient.ask`."""
        return self.failures.get(digest_of(request), NOT_KNOWN)


def answering(failures: dict[str, Failure]) -> MakePaid:
    """Makes clients that know these failures."""

    def make(client: ChatClient, price: Price, ledger: Ledger, policy: RetryPolicy) -> PaidClient:
        paid = AfterTheBatch(client, price, ledger, policy)
        paid.failures = failures
        return paid

    return make
