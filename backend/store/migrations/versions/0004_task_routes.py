"""Who is to label each task: the LLM, a human, or a human who does not see the LLM's answer."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the route to the tasks."""
    op.add_column("tasks", sa.Column("route", sa.String(length=20), nullable=True))
