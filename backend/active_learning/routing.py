"""Who labels a queued task: the LLM alone, a human, or a human who does not see the LLM's answer.

An answer stands unchecked only where blind audits prove that such answers are right often enough
(:mod:`backend.active_learning.risk_control`). All others are for humans, the most doubtful for the
time they take first, as far as the budget of human time goes. Without enough audits everything is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.active_learning.claim_trust import Claim, ClaimTrust, claims_of
from backend.active_learning.risk_control import CheckedAnswer, Goal, safe_doubt
from backend.domain import Route, Span
from backend.errors import InputError

_CANDIDATES = 20
_USUAL_CLAIMS = 0.9


@dataclass(frozen=True, slots=True)
class Queued:
    """A task and the LLM's answer to it, ``spans`` ``None`` where it has none.

    ``confidence`` in [0, 1]: of the whole answer. ``price``: what a human's label costs, in the
    unit of the budget (tasks, minutes, dollars). ``blind``: it is to be audited.
    """

    task_id: str
    spans: tuple[Span, ...] | None
    confidence: float = 0.5
    language: str | None = None
    price: float = 1.0
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """An answer, and what a human who had not seen it found right."""

    answer: Queued
    gold: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A route for each task by its id, and why.

    ``doubts``: expected share of wrong claims of each answer; ``limit``: up to which answers stand
    unchecked, ``None`` for none; ``price``: of all that humans are to label now.
    """

    routes: Mapping[str, Route]
    doubts: Mapping[str, float]
    limit: float | None
    price: float
    reason: str


def plan_routes(
    queue: Sequence[Queued],
    audits: Sequence[Audit],
    goal: Goal,
    rng: np.random.Generator,
    budget: float | None = None,
) -> Plan:
    """Route every queued task.

    ``audits`` are of texts drawn at random; half of them calibrate the LLM's confidence, the others
    decide what is safe, so that neither flatters itself. ``budget``: price of human labels at most,
    ``None`` for no limit; audits are paid for first, and what it does not reach waits
    (:attr:`~backend.domain.Route.LATER`).
    """
    if any(task.price <= 0 for task in queue) or (budget is not None and budget < 0):
        raise InputError("Human labels have prices above 0 and a budget of 0 or more.")
    halves = rng.permutation(len(audits)) % 2
    judges = [audit for audit, half in zip(audits, halves, strict=True) if half]
    trust = _trust([audit for audit, half in zip(audits, halves, strict=True) if not half])
    answered = [task for task in queue if task.spans is not None]
    doubts = {
        task.task_id: doubt for task, doubt in zip(answered, _doubts(answered, trust), strict=True)
    }
    most_claims = _usual_claims(queue)
    limit = safe_doubt(
        _checked([audit for audit in judges if audit.answer.spans is not None], trust),
        _candidates(list(doubts.values())),
        goal,
        most_claims,
    )

    def stands(task: Queued) -> bool:
        return (
            limit is not None
            and task.spans is not None
            and max(len(task.spans), 1) <= most_claims
            and doubts[task.task_id] <= limit
        )

    routes = {task.task_id: Route.LLM for task in queue if stands(task)}
    routes |= {task.task_id: Route.AUDIT for task in queue if task.blind}
    needed = [task for task in queue if routes.get(task.task_id) is not Route.LLM]
    needed.sort(key=lambda task: _urgency(task, doubts), reverse=True)
    price = 0.0
    for task in needed:
        affordable = budget is None or price + task.price <= budget
        price += task.price if affordable else 0.0
        routes[task.task_id] = routes.get(task.task_id, Route.HUMAN) if affordable else Route.LATER
    return Plan(routes, doubts, limit, price, _reason(limit, len(judges), goal))


def _checked(audits: Sequence[Audit], trust: ClaimTrust) -> list[CheckedAnswer]:
    """Audited answers with their claims counted. An empty one claims that there is nothing."""
    items = []
    doubts = _doubts([audit.answer for audit in audits], trust)
    for audit, doubt in zip(audits, doubts, strict=True):
        spans = audit.answer.spans or ()
        wrong = len(set(spans) - set(audit.gold)) if spans else int(bool(audit.gold))
        items.append(CheckedAnswer(doubt, max(len(spans), 1), wrong))
    return items


def _trust(audits: Sequence[Audit]) -> ClaimTrust:
    claims: list[Claim] = []
    right: list[bool] = []
    for audit in audits:
        if audit.answer.spans is not None:
            claims += _claims(audit.answer)
            gold = set(audit.gold)
            right += [span in gold for span in audit.answer.spans] or [not gold]
    return ClaimTrust.fitted(claims, right)


def _claims(task: Queued) -> list[Claim]:
    return claims_of(task.spans or (), task.language, task.confidence)


def _doubts(tasks: Sequence[Queued], trust: ClaimTrust) -> list[float]:
    """The expected share of wrong claims of each answer."""
    claims = [_claims(task) for task in tasks]
    if not claims:
        return []
    wrong = 1 - trust([claim for of_task in claims for claim in of_task])  # (n_claims,)
    sizes = np.array([len(of_task) for of_task in claims])
    firsts = np.cumsum(sizes) - sizes
    return (np.add.reduceat(wrong, firsts) / sizes).tolist()  # type: ignore[no-any-return]


def _usual_claims(queue: Sequence[Queued]) -> int:
    """How many claims nine in ten answers do not exceed: longer ones would weaken the guarantee."""
    claims = [max(len(task.spans), 1) for task in queue if task.spans is not None]
    return int(np.quantile(claims, _USUAL_CLAIMS, method="higher")) if claims else 1


def _candidates(doubts: Sequence[float]) -> list[float]:
    return np.quantile(doubts, np.linspace(0, 1, _CANDIDATES)).tolist() if doubts else []


def _urgency(task: Queued, doubts: Mapping[str, float]) -> tuple[bool, float]:
    """Audits first, then expected errors for the price; a text without an answer is all doubt."""
    expected = doubts.get(task.task_id, 1.0) * max(len(task.spans or ()), 1)
    return task.blind, expected / task.price


def _reason(limit: float | None, judges: int, goal: Goal) -> str:
    if limit is None:
        return (
            f"{judges} audited answers do not prove that any kind of answer is wrong in less than "
            f"{goal.wrong:.0%}, so humans label everything"
        )
    return (
        f"answers with an expected share of wrong claims up to {limit:.3f} stand: by {judges} "
        f"audited answers less than {goal.wrong:.0%} of their claims are wrong, with a "
        f"probability of {1 - goal.risk:.0%}"
    )
