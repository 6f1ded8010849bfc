"""An LLM that labels tasks: cache first, then the budget, then the provider, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from queue import SimpleQueue

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
from backend.llm.answers import answer_to, confused_texts
from backend.llm.cache import answer_key, from_stored, to_stored
from backend.llm.chat import ChatRequest, Completion, Failure, Stop
from backend.llm.demonstrations import Demonstrations, NoDemonstrations
from backend.llm.grouping import grouped
from backend.llm.guidelines import NO_GUIDELINES, Guidelines
from backend.llm.logprobs import of_text
from backend.llm.paid import PaidClient, Run
from backend.llm.prompt import Brief, Prompt
from backend.protocols import AnswerCache

LONGEST_TEXT = 20_000
"""Characters of a text that is still sent: the mentions of a longer one outgrow an answer."""

NOT_ABOUT_A_TEXT = frozenset({Outcome.UNREACHABLE, Outcome.OVER_BUDGET})
"""Failures that another question would meet as well."""


@dataclass(frozen=True, slots=True)
class AnnotatorOptions:
    """What is asked, for whom, and how much at once.

    ``demonstrations`` chooses examples anew for each pass over tasks, as labels are added.
    ``logprobs`` has spans scored by how likely the model found its words, ``repetition`` asks
    anew what was answered under another number.
    """

    project_id: int | None = None
    guidelines: Guidelines = NO_GUIDELINES
    max_output_tokens: int = 1000
    concurrency: int = 8
    sentences_per_call: int = 1
    demonstrations: Callable[[LabelScheme], Demonstrations] | None = None
    logprobs: bool = False
    repetition: int = 0


@dataclass(frozen=True, slots=True)
class Pass:
    """What the threads of one pass over tasks share."""

    run: Run
    scheme: LabelScheme
    demonstrations: Demonstrations


@dataclass(frozen=True, slots=True)
class Question:
    """A task, the question that would ask for it alone, and the key of the answer to that."""

    task: Task
    request: ChatRequest
    key: str


Answering = Future[tuple[list[Answer], Sequence[Task]]]
"""A group of tasks on its way: its answers, and the tasks that have to be asked alone."""

Replies = dict[str, Completion | Failure]
"""By key."""


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
        self._source = Source(SourceKind.LLM, paid.client.model, self.prompt_version)

    @property
    def model(self) -> str:
        """The model's name at its provider."""
        return self._client.model

    @property
    def prompt_version(self) -> str:
        """Name and content hash of the prompt, and of the guidelines if there are any."""
        scored = "logprobs" if self._options.logprobs else ""
        versions = (self._prompt.version, self._options.guidelines.version, scored)
        return "/".join(version for version in versions if version)

    def annotate(
        self, tasks: Sequence[Task], scheme: LabelScheme, run: str | None = None
    ) -> Iterator[Answer]:
        """See :meth:`backend.protocols.Annotator.annotate`; ``run`` is whose budget it falls under.

        Up to ``options.sentences_per_call`` texts share a call. What an answer leaves out, repeats,
        mixes up or cuts off is asked once more, alone; so is every text of a call that was
        refused, filtered or no answer at all. The cache holds one answer for each text, under the
        key of the question that would ask for it alone, so that it does not matter with which
        others it was asked.

        An empty or blank text is answered for free, with no spans and full confidence; one of
        more than ``LONGEST_TEXT`` characters is ``INVALID`` and not sent. Once the ledger refuses,
        the provider fails too often in a row, or no call can work as configured (wrong key, no
        credit, retired model), nothing more is sent: the rest gets ``OVER_BUDGET`` or
        ``UNREACHABLE`` with the reason, except for answers in the cache. Closing the iterator
        waits for the calls under way, which are paid for, and keeps their answers.
        """
        choose = self._options.demonstrations
        demonstrations = choose(scheme) if choose else NoDemonstrations()
        shared = Pass(self._paid.start(run), scheme, demonstrations)
        together = self._options.sentences_per_call if demonstrations.fixed else 1
        waiting = grouped(tasks, min(together, self._prompt.most_texts))
        pending: set[Answering] = set()
        ended: SimpleQueue[Answering] = SimpleQueue()
        threads = self._options.concurrency
        with ThreadPoolExecutor(threads, thread_name_prefix="llm") as pool:

            def begin(group: Sequence[Task]) -> None:
                future = pool.submit(self._answers, group, shared)
                pending.add(future)
                future.add_done_callback(ended.put)

            try:
                while True:
                    for group in islice(waiting, max(2 * threads - len(pending), 0)):
                        begin(group)
                    if not pending:
                        return
                    future = ended.get()
                    pending.discard(future)
                    answers, again = future.result()
                    for task in again:
                        begin([task])
                    yield from answers
            finally:
                shared.run.close()
                for future in pending:
                    future.cancel()

    def _answers(self, tasks: Sequence[Task], shared: Pass) -> tuple[list[Answer], Sequence[Task]]:
        """Answers to the tasks of a group, and those that have to be asked alone."""
        if (known := self._without_asking(tasks[0])) is not None:
            return [known], ()
        questions = [self._alone(task, shared) for task in tasks]
        keys = {question.key for question in questions}
        with shared.run.alone_with(keys):
            replies = self._replies(questions, shared)
        answers = [
            self._answer(question.task, replies[question.key], shared.scheme)
            for question in questions
            if question.key in replies
        ]
        return answers, [q.task for q in questions if q.key not in replies]

    def _answer(self, task: Task, reply: Completion | Failure, scheme: LabelScheme) -> Answer:
        return answer_to(task, scheme, reply, self._source, self._prompt.read)

    def _without_asking(self, task: Task) -> Answer | None:
        """The answer to a text that is not sent; a group holds no such text with others."""
        if not task.text.strip():
            nothing = Suggestion(task.id, (), confidence=1.0, source=self._source)
            return Answer(task.id, Outcome.ANNOTATED, nothing)
        if len(task.text) > LONGEST_TEXT:
            detail = f"the text has {len(task.text)} characters; {LONGEST_TEXT} is the most"
            return Answer(task.id, Outcome.INVALID, detail=detail)
        return None

    def _replies(self, questions: Sequence[Question], shared: Pass) -> Replies:
        """From the cache, and for the rest from the provider; equal questions are asked once.

        Without those that the provider's answer is not clear about.
        """
        known = self._stored({question.key for question in questions})
        different = {q.key: q for q in questions if q.key not in known}
        if not different:
            return known
        if shared.run.over is not None:
            return known | dict.fromkeys(different, shared.run.over)
        if len(different) == 1:
            return known | self._asked_alone(next(iter(different.values())), shared)
        return known | self._asked_together(list(different.values()), shared)

    def _stored(self, keys: Collection[str]) -> Replies:
        found = self._cache.get_many(keys)
        read = {key: from_stored(stored) for key, stored in found.items()}
        return {key: completion for key, completion in read.items() if completion is not None}

    def _asked_alone(self, question: Question, shared: Pass) -> Replies:
        def keep(reply: Completion) -> None:
            self._cache.put(question.key, to_stored(reply))

        call = self._call([question.task], shared)
        return {question.key: self._paid.ask(question.request, call, shared.run, keep)}

    def _asked_together(self, questions: Sequence[Question], shared: Pass) -> Replies:
        clear: dict[str, Completion] = {}

        def keep(reply: Completion) -> None:
            clear.update(self._clear_parts(reply, questions, shared.scheme))
            self._cache.put_many({key: to_stored(part) for key, part in clear.items()})

        tasks = [question.task for question in questions]
        request = self._question(tasks, shared)
        reply = self._paid.ask(request, self._call(tasks, shared), shared.run, keep)
        if isinstance(reply, Failure) and reply.outcome in NOT_ABOUT_A_TEXT:
            return dict.fromkeys((question.key for question in questions), reply)
        return dict(clear)

    def _clear_parts(
        self, reply: Completion, questions: Sequence[Question], scheme: LabelScheme
    ) -> dict[str, Completion]:
        """The parts of an answer, by key, that are of use for their texts.

        Where a part speaks of another text, neither of the two has one: they were mixed up.
        """
        if reply.stop not in {Stop.COMPLETE, Stop.TRUNCATED}:
            return {}
        texts = {question.key: question.task.text for question in questions}
        useful: dict[str, Completion] = {}
        mixed_up: set[str] = set()
        for position, text in self._prompt.parts(reply.text, len(questions)).items():
            key, task = questions[position].key, questions[position].task
            certainties = of_text(position + 1, reply.certainties)
            part = Completion(text, Stop.COMPLETE, None, certainties, reply.origin)
            answer = self._answer(task, part, scheme)
            if answer.suggestion is not None:
                useful[key] = part
            mixed_up |= confused_texts(answer, key, texts, scheme)
        return {key: part for key, part in useful.items() if key not in mixed_up}

    def _alone(self, task: Task, shared: Pass) -> Question:
        request = self._question([task], shared)
        return Question(task, request, answer_key(self._client, self.prompt_version, request))

    def _question(self, tasks: Sequence[Task], shared: Pass) -> ChatRequest:
        request = self._prompt.question(tasks, self._brief(tasks[0], shared))
        options = self._options
        if not options.logprobs and not options.repetition:
            return request
        return replace(request, logprobs=options.logprobs, repetition=options.repetition)

    def _brief(self, task: Task, shared: Pass) -> Brief:
        return Brief(
            shared.scheme,
            self._options.guidelines,
            shared.demonstrations.examples_for(task.text),
            shared.demonstrations.fixed,
            self._options.max_output_tokens,
        )

    def _call(self, tasks: Sequence[Task], shared: Pass) -> PaidCall:
        return PaidCall(
            self._options.project_id,
            self._client.provider,
            self.model,
            self.prompt_version,
            tuple(task.id for task in tasks),
            shared.run.id,
        )
