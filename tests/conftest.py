"""What every test stands on: an environment without anybody's keys, and the research data if any.

The settings of whoever runs the tests must neither change a result nor be spent.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from backend.settings import ECOSYSTEM_NAMES

DATA_VARIABLE = "HARAMBEE_DATA"

# Generated examples share two cores with servers and a browser: none is judged by its duration.
hypothesis.settings.register_profile("harambee", deadline=None)
hypothesis.settings.load_profile("harambee")


@pytest.fixture(scope="session", autouse=True)
def _an_environment_without_settings() -> Iterator[None]:
    """No test, and no server that a test starts, sees the settings of the machine it runs on."""
    ours = [name for name in os.environ if name.startswith("HARAMBEE_") and name != DATA_VARIABLE]
    with pytest.MonkeyPatch.context() as patch:
        for name in (*ECOSYSTEM_NAMES, *ours):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def research_data() -> Path:
    """The folder of research data sets (MasakhaNER 2.0 and others), which are not ours to ship."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"needs research data that is not shipped: set {DATA_VARIABLE} to its folder")
    return Path(folder)


@pytest.fixture(autouse=True)
def _logs_go_where_they_went_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test runs sets logging up for its own output, which is closed afterwards."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    monkeypatch.setattr(root, "level", root.level)
    yield
    structlog.reset_defaults()
