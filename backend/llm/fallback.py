"""A second model for the tasks that the first could not be reached for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from backend.cost.prices import Price
from backend.domain import Answer, LabelScheme, Outcome, Task
from backend.llm.chat import ChatClient
from backend.llm.factory import Accepted, MakePaid, build_annotator
from backend.llm.gate import Gates
from backend.llm.paid import PaidClient, RetryPolicy
from backend.llm.panel import Member
from backend.protocols import AnswerCache, Ledger
from backend.settings import LlmSettings


class FallbackAnnotator:
    """:class:`backend.protocols.Annotator` of two: the second answers what the first could not.

    A task is ``UNREACHABLE`` to the first when its provider is down, refuses the key or has
    retired the model. Each has its own price, and its own answers in the cache.
    """

    def __init__(self, first: Member, second: Member) -> None:
        self._first = first
        self._second = second

    @property
    def model(self) -> str:
        """The first model's name; each suggestion names the one that made it."""
        return self._first.model

    @property
    def prompt_version(self) -> str:
        """The version of the first model's prompt."""
        return self._first.prompt_version

    def annotate(
        self, tasks: Sequence[Task], scheme: LabelScheme, run: str | None = None
    ) -> Iterator[Answer]:
        """See :meth:`backend.llm.panel.Member.annotate`."""
        by_id: defaultdict[str, list[Task]] = defaultdict(list)
        for task in tasks:
            by_id[task.id].append(task)
        unreached: list[Task] = []
        for answer in self._first.annotate(tasks, scheme, run):
            if answer.outcome is Outcome.UNREACHABLE:
                unreached.append(by_id[answer.task_id].pop())
            else:
                yield answer
        if unreached:
            yield from self._second.annotate(unreached, scheme, run)


def with_fallback(  # noqa: PLR0913 - the parts an annotator is made of
    llm: LlmSettings,
    *,
    project_id: int | None,
    ledger: Ledger,
    cache: AnswerCache,
    gates: Gates,
    accepted: Accepted | None = None,
    repetition: int = 0,
) -> Member | None:
    """The annotator of the settings, with its fallback model behind it if there is one.

    Of questions that differ in ``repetition`` alone each is asked. Raises what
    :func:`~backend.llm.factory.build_annotator` raises, for either model.
    """

    def build(settings: LlmSettings) -> Member | None:
        return build_annotator(
            settings,
            project_id=project_id,
            ledger=ledger,
            cache=cache,
            make_paid=through(gates),
            accepted=accepted,
            repetition=repetition,
        )

    first = build(llm)
    if first is None or llm.fallback_model is None:
        return first
    other = {
        "model": llm.fallback_model,
        "price_usd_per_million": llm.fallback_price_usd_per_million,
    }
    second = build(llm.model_copy(update=other))
    return first if second is None else FallbackAnnotator(first, second)


def through(gates: Gates) -> MakePaid:
    """Calls that pass the gate to their model, which others pass as well."""

    def make(client: ChatClient, price: Price, ledger: Ledger, policy: RetryPolicy) -> PaidClient:
        return PaidClient(client, price, ledger, policy, gates.to(client))

    return make
