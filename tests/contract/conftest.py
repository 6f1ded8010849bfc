"""Real databases for the contract suites of what lives in them."""

from servers import (  # noqa: F401 - fixtures
    database,
    database_url,
    other_project,
    project,
    sqlite_database,
    sqlite_url,
)
