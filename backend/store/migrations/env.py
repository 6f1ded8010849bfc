"""Alembic's entry: runs the migrations on the connection that ``Database.migrate`` opened."""

from alembic import context

from backend.store.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
