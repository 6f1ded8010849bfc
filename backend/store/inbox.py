"""The durable inbox: what a labelling tool said has changed, kept before it is acknowledged."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update

from backend.store.database import Database
from backend.store.rows import chunks_to_write, insert_missing
from backend.store.schema import InboxRow


@dataclass(frozen=True, slots=True)
class Hint:
    """A change in the tool: an action and the ids it concerns. The tool itself is the truth."""

    id: int
    action: str
    task_ids: tuple[str, ...]
    annotation_ids: tuple[str, ...]


class Signed(enum.Enum):
    """What became of a signed webhook: new, known from another sending, or the same one again."""

    NEW = enum.auto()
    KNOWN = enum.auto()
    REPLAYED = enum.auto()


class Inbox:
    """Hints about one project, in the order they came."""

    def __init__(self, database: Database, project_id: int) -> None:
        self._database = database
        self._project_id = project_id

    def put(self, action: str, task_ids: Sequence[str], annotation_ids: Sequence[str]) -> None:
        """Keep a hint; it is on the disk when this returns."""
        with self._database.write() as session:
            session.add(
                InboxRow(
                    project_id=self._project_id,
                    action=action,
                    task_ids=list(task_ids),
                    annotation_ids=list(annotation_ids),
                    received_at=datetime.now(UTC),
                )
            )

    def put_signed(
        self,
        action: str,
        task_ids: Sequence[str],
        annotation_ids: Sequence[str],
        *,
        delivery: str,
        content: str,
    ) -> Signed:
        """Keep a hint that came signed, once; it is on the disk when this returns.

        A tool that did not see our answer sends the same ``content`` under another ``delivery``;
        the same delivery again is somebody else's doing.
        """
        mine = InboxRow.project_id == self._project_id
        with self._database.write() as session:
            if session.scalar(select(InboxRow.id).where(mine, InboxRow.delivery == delivery)):
                return Signed.REPLAYED
            if session.scalar(select(InboxRow.id).where(mine, InboxRow.content == content)):
                return Signed.KNOWN
            row = {
                "project_id": self._project_id,
                "action": action,
                "task_ids": list(task_ids),
                "annotation_ids": list(annotation_ids),
                "received_at": datetime.now(UTC),
                "delivery": delivery,
                "content": content,
            }
            insert_missing(session, InboxRow, row, ["project_id", "content"])
            return Signed.NEW

    def waiting(self, at_most: int = 1000) -> list[Hint]:
        """The oldest hints that nobody has handled."""
        query = (
            select(InboxRow)
            .where(InboxRow.project_id == self._project_id, InboxRow.handled_at.is_(None))
            .order_by(InboxRow.id)
            .limit(at_most)
        )
        with self._database.read() as session:
            return [
                Hint(row.id, row.action, tuple(row.task_ids), tuple(row.annotation_ids))
                for row in session.scalars(query)
            ]

    def count_waiting(self) -> int:
        """How many hints nobody has handled."""
        query = select(func.count()).where(
            InboxRow.project_id == self._project_id, InboxRow.handled_at.is_(None)
        )
        with self._database.read() as session:
            return session.scalar(query) or 0

    def handled(self, hints: Iterable[Hint]) -> None:
        """These hints have been dealt with."""
        for chunk in chunks_to_write(hint.id for hint in hints):
            with self._database.write() as session:
                session.execute(
                    update(InboxRow)
                    .where(InboxRow.id.in_(chunk))
                    .values(handled_at=datetime.now(UTC))
                )
