"""Signed webhooks in the inbox: by which sending they came, and what they are about."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what tells that a webhook came twice."""
    op.add_column("inbox", sa.Column("delivery", sa.String(length=200), nullable=True))
    op.add_column("inbox", sa.Column("content", sa.String(length=200), nullable=True))
    op.create_index("inbox_content", "inbox", ["project_id", "content"], unique=True)
    op.create_index("inbox_delivery", "inbox", ["project_id", "delivery"], unique=False)
