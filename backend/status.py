"""Where every project stands, for the command line and the page."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from backend.domain import Job, RoundReport
from backend.quality.audit import AuditSummary, is_audited
from backend.services import Services
from backend.store.audits import SqlAudits
from backend.store.projects import Project
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """One project at a glance.

    ``outcomes`` counts the LLM's last answers by how they ended, ``rejected_mentions`` what it
    named and the text does not hold; ``audited`` labels were made blind, and ``audit`` is what the
    last audit, after a round, made of those there were; money is in US dollars.
    ``link`` is where annotators begin, in tools that do not serve the least certain task first by
    themselves.
    """

    project: Project
    version: str
    tasks: int
    labelled: int
    inbox: int
    outcomes: dict[str, int]
    rejected_mentions: int
    spent_usd: Decimal
    budget_usd: Decimal
    rounds: list[RoundReport]
    jobs: list[Job]
    audited: int = 0
    audit: AuditSummary | None = None
    link: str | None = None


def project_status(services: Services, project: Project) -> ProjectStatus:
    """Read a project's state from the store; the labelling tool is not asked."""
    records = SqlTaskRecords(services.database, project.id)
    tasks, labelled = records.counts()
    suggestions = SqlSuggestionRecords(services.database, project.id)
    rounds = SqlRoundRecords(services.database, project.id)
    return ProjectStatus(
        project=project,
        version=services.version_of(project),
        tasks=tasks,
        labelled=labelled,
        inbox=services.inbox(project.id).count_waiting(),
        outcomes=suggestions.outcomes(),
        rejected_mentions=suggestions.rejections(),
        spent_usd=rounds.spent_usd(),
        budget_usd=Decimal(str(services.settings.llm.budget_usd)),
        rounds=rounds.all(),
        jobs=services.jobs.standing(project.id),
        audited=_audited(records, suggestions, services.settings.audit.share),
        audit=SqlAudits(services.database, project.id).last(),
        link=services.link_of(project),
    )


def _audited(records: SqlTaskRecords, suggestions: SqlSuggestionRecords, share: float) -> int:
    """How many labels of audited texts were made without a suggestion in view."""
    if not share:
        return 0
    unseen = suggestions.shown_nothing()
    return sum(task.id in unseen and is_audited(task.text, share) for task, _ in records.labelled())
