"""The tables. Money is in integer nano-dollars, times are UTC, spans are JSON lists.

Changing anything here needs a numbered migration beside it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, also on SQLite, which forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: Text,
    }


class ProjectRow(Base):
    """A project of a labelling tool.

    ``version`` is the number of the suggestions that the tool serves (0: none yet), ``pending``
    the one being pushed and ``pending_basis`` a digest of what it holds. ``labels_read_at`` is when
    the tool was last asked for all annotations.
    """

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("tool", "external_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tool: Mapped[str] = mapped_column(String(40))
    external_id: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(default="")
    label_config: Mapped[str]
    version: Mapped[int] = mapped_column(default=0)
    pending: Mapped[int | None]
    pending_basis: Mapped[str | None]
    last_version: Mapped[int] = mapped_column(default=0)
    labels_read_at: Mapped[datetime | None]
    webhook_secret: Mapped[str]
    created_at: Mapped[datetime]
    connected_at: Mapped[datetime | None]


class TaskRow(Base):
    """A task as the tool last showed it; ``pushed_*`` say what the tool holds for it.

    ``labels_read_at`` is when the tool was asked for the annotations that are stored, so that an
    older reading never undoes a newer one.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("project_id", "external_id"),
        Index("tasks_by_state", "project_id", "labelled", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(String(100))
    text: Mapped[str]
    language: Mapped[str | None]
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    labelled: Mapped[bool] = mapped_column(default=False)
    labels_read_at: Mapped[datetime | None]
    confidence: Mapped[float | None]
    route: Mapped[str | None] = mapped_column(String(20))
    pushed_version: Mapped[int | None]
    pushed_digest: Mapped[str | None]


class AnnotationRow(Base):
    """An annotation that stands in the tool. ``task_id`` is the tool's own id."""

    __tablename__ = "annotations"
    __table_args__ = (
        UniqueConstraint("project_id", "external_id"),
        Index("annotations_by_task", "project_id", "task_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(String(100))
    task_id: Mapped[str] = mapped_column(String(100))
    annotator: Mapped[str]
    spans: Mapped[list[Any]]
    skipped: Mapped[bool]
    lead_time: Mapped[float | None]
    updated_at: Mapped[datetime]


class AnswerRow(Base):
    """How the LLM's last answer for a task ended."""

    __tablename__ = "answers"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    task_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str]
    repaired: Mapped[int]
    rejected: Mapped[list[Any]]
    answered_at: Mapped[datetime]


class SuggestionRow(Base):
    """What a kind of source proposes for a task; the one that is not shown stays readable."""

    __tablename__ = "suggestions"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    task_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    model: Mapped[str]
    prompt_version: Mapped[str | None]
    spans: Mapped[list[Any]]
    confidence: Mapped[float]
    suggested_at: Mapped[datetime]


class InboxRow(Base):
    """A hint from the tool that something changed, kept before it is acknowledged.

    Only ids are kept: payloads of webhooks hold tokens. ``delivery`` and ``content`` tell signed
    webhooks that come twice; hints of tools that do not sign have neither.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_waiting", "project_id", "handled_at"),
        Index("inbox_content", "project_id", "content", unique=True),
        Index("inbox_delivery", "project_id", "delivery"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(String(60))
    task_ids: Mapped[list[Any]]
    annotation_ids: Mapped[list[Any]]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    delivery: Mapped[str | None] = mapped_column(String(200), default=None)
    content: Mapped[str | None] = mapped_column(String(200), default=None)


class JobRow(Base):
    """Work for a worker. ``fence`` rises with each claim: a late loser cannot report.

    ``deaths`` counts the workers that let their lease run out.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_waiting", "state", "run_after"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20))
    fence: Mapped[int] = mapped_column(default=0)
    deaths: Mapped[int] = mapped_column(default=0)
    run_after: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    what: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RoundRow(Base):
    """What one round of the loop did and measured; ``report`` holds the figures."""

    __tablename__ = "rounds"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    report: Mapped[dict[str, Any]]
    finished_at: Mapped[datetime]


class AuditRow(Base):
    """What a project's last blind audit said."""

    __tablename__ = "audits"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    summary: Mapped[dict[str, Any]]
    audited_at: Mapped[datetime]


class ReviewRow(Base):
    """A labelled task that waits for review or has been reviewed, see ``domain.Sighting``."""

    __tablename__ = "reviews"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    task_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    labelled_at: Mapped[datetime]
    place: Mapped[int]
    reviewed: Mapped[bool]


class LedgerRow(Base):
    """One attempt at a paid call. ``cost`` is the reservation until the bill is known.

    ``price`` is what it is billed by (:class:`backend.domain.PriceTag`), ``budgets`` are the keys
    of the budgets it was taken from; entries of the first schema have neither.
    """

    __tablename__ = "ledger"
    __table_args__ = (Index("ledger_by_project", "project_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="SET NULL"))
    run: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    prompt_version: Mapped[str]
    task_ids: Mapped[list[Any]]
    state: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(default="")
    cost_nanousd: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(Integer, default=0)
    output_tokens: Mapped[int] = mapped_column(Integer, default=0)
    cached_input_tokens: Mapped[int] = mapped_column(Integer, default=0)
    cache_write_tokens: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    price: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    budgets: Mapped[list[Any] | None] = mapped_column(default=None)


class BudgetRow(Base):
    """How much of a budget is spent or reserved, e.g. of ``project:3`` or ``day:2026-11-21``."""

    __tablename__ = "budgets"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    committed_nanousd: Mapped[int] = mapped_column(BigInteger, default=0)


class CachedAnswerRow(Base):
    """A provider's raw answer under the digest of everything that determined it."""

    __tablename__ = "cached_answers"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    answer: Mapped[str]
    created_at: Mapped[datetime]


class BatchRow(Base):
    """A batch of calls at a provider. ``id`` is ours, written down before it is submitted.

    ``provider_id`` is ``None`` until the provider's answer to the submission is known.
    """

    __tablename__ = "batches"
    __table_args__ = (Index("batches_open", "account", "state"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account: Mapped[str] = mapped_column(String(100))
    provider: Mapped[str]
    model: Mapped[str]
    provider_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]


class BatchCallRow(Base):
    """One call of a batch: its ``custom_id`` in the batch, and its entry in the ledger."""

    __tablename__ = "batch_calls"

    batch_id: Mapped[str] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    custom_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    entry: Mapped[int]
