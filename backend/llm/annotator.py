"""An LLM that labels tasks: cache first, then the budget, then the provider, many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

from backend.domain import (
    Answer,
    LabelScheme,
    Outcome,
    PaidCall,
    Source,
    SourceKind,
    Suggestion,
    Task,
)
from backend.llm.answers import answer_to
from backend.llm.cache import answer_key, from_stored, to_stored
from backend.llm.chat import ChatRequest, Completion, Failure
from backend.llm.paid import PaidClient, Run
from backend.llm.prompt import Prompt
from backend.protocols import AnswerCache

LONGEST_TEXT = 20_000
"""Characters of a text that is still sent: the mentions of a longer one outgrow an answer."""


@dataclass(frozen=True, slots=True)
class AnnotatorOptions:
    """What is asked, for whom, and how many calls at once."""

    project_id: int | None = None
    guidelines: str = ""
    max_output_tokens: int = 1000
    concurrency: int = 8


class LlmAnnotator:
    """:class:`backend.protocols.Annotator` over a chat model.

    Ledger and cache are used from ``options.concurrency`` threads at once.
    """

    def __init__(
        self,
        paid: PaidClient,
        prompt: Prompt,
        cache: AnswerCache,
        options: AnnotatorOptions | None = None,
    ) -> None:
        self._paid = paid
        self._client = paid.client
        self._prompt = prompt
        self._cache = cache
        self._options = options or AnnotatorOptions()
        self._source = Source(SourceKind.LLM, paid.client.model, prompt.version)

    @property
    def model(self) -> str:
        """The model's name at its provider."""
        return self._client.model

    @property
    def prompt_version(self) -> str:
        """Name and content hash of the prompt."""
        return self._prompt.version

    def annotate(self, tasks: Sequence[Task], scheme: LabelScheme) -> Iterator[Answer]:
        """See :meth:`backend.protocols.Annotator.annotate`.

        An empty or blank text is answered for free, with no spans and full confidence; one of
        more than ``LONGEST_TEXT`` characters is ``INVALID`` and not sent. Once the ledger refuses,
        the provider fails too often in a row, or no call can work as configured (wrong key, no
        credit, retired model), nothing more is sent: the rest gets ``OVER_BUDGET`` or
        ``UNREACHABLE`` with the reason, except for answers in the cache. Closing the iterator
        waits for the calls under way, which are paid for, and keeps their answers.
        """
        run = self._paid.start()
        waiting = iter(tasks)
        pending: set[Future[Answer]] = set()
        threads = self._options.concurrency
        with ThreadPoolExecutor(threads, thread_name_prefix="llm") as pool:
            try:
                while True:
                    for task in islice(waiting, 2 * threads - len(pending)):
                        pending.add(pool.submit(self._answer, task, scheme, run))
                    if not pending:
                        return
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                run.close()
                for future in pending:
                    future.cancel()

    def _answer(self, task: Task, scheme: LabelScheme, run: Run) -> Answer:
        if not task.text.strip():
            nothing = Suggestion(task.id, (), confidence=1.0, source=self._source)
            return Answer(task.id, Outcome.ANNOTATED, nothing)
        if len(task.text) > LONGEST_TEXT:
            detail = f"the text has {len(task.text)} characters; {LONGEST_TEXT} is the most"
            return Answer(task.id, Outcome.INVALID, detail=detail)
        options = self._options
        request = self._prompt.request(task, scheme, options.guidelines, options.max_output_tokens)
        call = PaidCall(
            options.project_id,
            self._client.provider,
            self.model,
            self.prompt_version,
            (task.id,),
            run.id,
        )
        return answer_to(task, scheme, self._reply(request, call, run), self._source)

    def _reply(self, request: ChatRequest, call: PaidCall, run: Run) -> Completion | Failure:
        key = answer_key(self._client, self.prompt_version, request)
        with run.alone_with(key):
            stored = self._cache.get(key)
            if stored is not None and (completion := from_stored(stored)) is not None:
                return completion
            if run.over is not None:
                return run.over
            return self._paid.ask(
                request, call, run, lambda answer: self._cache.put(key, to_stored(answer))
            )
