"""Real databases and a real Redis for the tests of this folder."""

from servers import (  # noqa: F401 - fixtures
    database,
    database_url,
    empty_database_url,
    other_project,
    project,
    redis_server,
    redis_url,
    sqlite_database,
    sqlite_url,
)
